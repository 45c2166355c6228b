"""No scheduler."""

import pytest

from launch.schedulers import Decision
from launch.schedulers.none import NoStopping


def test_every_trial_runs_to_its_end() -> None:
    scheduler = NoStopping()
    assert list(scheduler.rung_epochs(100)) == []
    assert scheduler.decide(0, 5, {"val_mae_all": float("nan")}) == Decision("continue")
    assert scheduler.promotable(lambda _: True, last=True) is None
    with pytest.raises(ValueError, match="trial 3 cannot be promoted at epoch 2"):
        scheduler.promote(3, 2)
