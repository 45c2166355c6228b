"""The state of a study: the epoch that represents a trial."""

import math

from groupdir.study.events import Event
from groupdir.study.state import replay, selected


def test_the_best_epoch_follows_the_direction_of_the_metric() -> None:
    rows = [{"epoch": epoch, "val_mae_all": v, "val_pearson_all": v} for epoch, v in enumerate([0.3, 0.1, 0.9, 0.9])]
    assert selected(rows, "best", "val_mae_all")["epoch"] == 1
    assert selected(rows, "best", "val_pearson_all")["epoch"] == 2, "the earlier one of equals"
    assert selected(rows, "last", "val_pearson_all")["epoch"] == 3
    unmeasured = [{"epoch": 0, "val_mae_all": math.nan}, {"epoch": 1}]
    assert selected(unmeasured, "best", "val_mae_all")["epoch"] == 1


def driver(seq: int, when: float, action: str) -> Event:
    return Event(seq, when, "driver", None, None, None, {"action": action, "pid": 1})


def test_a_clock_that_is_set_back_takes_no_time_away() -> None:
    """An hour of work, the clock set back by a day, then another hour; a driver is killed and the next one ends."""
    state = replay([driver(1, 1e6, "start"), driver(2, 1e6 + 3600, "end")])
    assert state.elapsed(1e6 + 9999) == 3600
    day = 86400.0
    warm = [
        Event(seq, when, "warm", None, None, None, {"trials": []}) for seq, when in ((4, 1e6 + 100), (5, 1e6 - day))
    ]
    state = replay([driver(1, 1e6, "start"), driver(2, 1e6 + 3600, "end"), driver(3, 1e6 + 50 - day, "resume")])
    assert state.elapsed(1e6 + 50 - day) == 3600
    assert state.elapsed(1e6 - 2 * day) == 3600, "the clock of a reader is behind"
    state = replay(
        [driver(1, 1e6, "start"), *warm, driver(6, 1e6 - day + 500, "resume"), driver(7, 1e6 - day + 530, "end")]
    )
    assert state.elapsed(0.0) == 100 + 30
