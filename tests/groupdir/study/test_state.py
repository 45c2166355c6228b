"""The state of a study: the epoch that represents a trial."""

import math

from groupdir.study.state import selected


def test_the_best_epoch_follows_the_direction_of_the_metric() -> None:
    rows = [{"epoch": epoch, "val_mae_all": v, "val_pearson_all": v} for epoch, v in enumerate([0.3, 0.1, 0.9, 0.9])]
    assert selected(rows, "best", "val_mae_all")["epoch"] == 1
    assert selected(rows, "best", "val_pearson_all")["epoch"] == 2, "the earlier one of equals"
    assert selected(rows, "last", "val_pearson_all")["epoch"] == 3
    unmeasured = [{"epoch": 0, "val_mae_all": math.nan}, {"epoch": 1}]
    assert selected(unmeasured, "best", "val_mae_all")["epoch"] == 1
