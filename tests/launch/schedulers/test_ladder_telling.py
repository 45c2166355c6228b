"""A constant objective, or a copy of another one, changes no decision of a scheduler."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from groupdir.metrics import sign
from launch.pareto import Costs
from launch.schedulers.ladder import Ladder

NAMES = ["val_mae_many", "val_mae_median", "val_mae_few"]
EXTRA = "val_gm_all"
ADDED: dict[str, Callable[[Costs], Costs]] = {
    "constant": lambda costs: np.full(len(costs), 5.0),
    "zero": lambda costs: np.zeros(len(costs)),
    "copy": lambda costs: costs[:, 0],
    "affine": lambda costs: 0.1 * costs[:, -1] + 3.7,
}


def decisions(columns: dict[str, Costs], tie_break: str, mode: str) -> list[Any]:
    ladder = Ladder(
        dict.fromkeys(columns, "min"), grace_period=1, reduction_factor=2.0, max_t=None, tie_break=tie_break,  # type: ignore[arg-type]
        epsilon=0.0, min_peers=1, mode=mode,  # type: ignore[arg-type]
    )  # fmt: skip
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in np.column_stack(list(columns.values()))]
    answers: list[Any] = [ladder.decide(trial, 1, row) for trial, row in enumerate(rows)]
    while promotion := ladder.promotable(lambda trial: True, last=True):
        answers.append(promotion)
        ladder.promote(*promotion)
    return answers


@pytest.mark.parametrize("tie_break", ["crowding", "epsilon_net"])
@pytest.mark.parametrize("added", ADDED)
def test_no_decision_changes(tie_break: str, added: str) -> None:
    """Random rungs of two or three objectives, on a grid or not. The objective stands first or last."""
    rng = np.random.default_rng(len(added))
    assert sign(EXTRA) == 1.0
    for number in range(40):
        costs = rng.integers(0, 7, (24, 2 + number % 2)) / 10 if number % 4 < 2 else rng.random((24, 2 + number % 2))
        columns = dict(zip(NAMES, costs.T, strict=False))
        mode = ("stop", "promote")[number // 2 % 2]
        expected = decisions(columns, tie_break, mode)
        assert decisions(columns | {EXTRA: ADDED[added](costs)}, tie_break, mode) == expected
        assert decisions({EXTRA: ADDED[added](costs)} | columns, tie_break, mode) == expected
