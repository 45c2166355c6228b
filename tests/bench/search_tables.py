"""Tables of the benchmark of searches, from its runs: volumes at budgets, epochs to a volume, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

from tests.bench.search_rows import OURS, QUASI

BUDGETS = (28, 56, 112)  # full trainings
Run = Mapping[str, Any]
Array = npt.NDArray[np.float64]


def volume_at(run: Run, epochs: float) -> float:
    """Return the volume of the front that a search showed after so many epochs."""
    before = [volume for at, volume in zip(run["epochs"], run["volumes"], strict=True) if at <= epochs]
    return before[-1] if before else 0.0


def epochs_to(run: Run, volume: float) -> float:
    """Return the epochs after which a search first showed a front of at least a volume, infinity for never."""
    reached = [at for at, here in zip(run["epochs"], run["volumes"], strict=True) if here >= volume]
    return float(reached[0]) if reached else np.inf


def of_row(runs: Sequence[Run], row: str) -> list[Run]:
    """Return the runs of a row, by seed."""
    return sorted((run for run in runs if run["row"] == row), key=lambda run: int(run["seed"]))


def volumes_table(runs: Sequence[Run]) -> list[str]:
    """Return a Markdown table for one source and one number of workers.

    A cell has the median volume over seeds and its quartiles. A star marks a row that ours is shown to be ahead of, a
    cross one that is shown to be ahead of ours (Wilcoxon's signed-rank test over the seeds that both have, 5 % after
    Holm's correction over the rows). The last column has the median epochs to the median volume that quasi-random +
    ParetoASHA has at the largest budget.
    """
    names = list(dict.fromkeys(str(run["row"]) for run in runs))
    longest = int(runs[0]["longest"])
    at = {name: {budget: _volumes(of_row(runs, name), budget * longest) for budget in BUDGETS} for name in names}
    target = float(np.median(list(at[QUASI][BUDGETS[-1]].values()))) if QUASI in names else np.nan
    head = [f"at {budget} trainings" for budget in BUDGETS]
    lines = [f"| search | {' | '.join(head)} | epochs to {target:.3f} | seeds |", "|---|" + "---:|" * (len(head) + 2)]
    shown = {budget: _shown({name: at[name][budget] for name in names}) for budget in BUDGETS}
    for name in names:
        cells = [_cell(list(at[name][budget].values())) + shown[budget].get(name, "") for budget in BUDGETS]
        epochs = float(np.quantile([epochs_to(run, target) for run in of_row(runs, name)], 0.5, method="nearest"))
        said = f"{epochs:,.0f}" if np.isfinite(epochs) else f"> {BUDGETS[-1] * longest:,}"
        lines.append(f"| {name} | {' | '.join(cells)} | {said} | {len(of_row(runs, name))} |")
    return lines


def _volumes(runs: Sequence[Run], epochs: float) -> dict[int, float]:
    return {int(run["seed"]): volume_at(run, epochs) for run in runs}


def _cell(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3f} [{low:.3f}, {high:.3f}]"


def _shown(volumes: Mapping[str, Mapping[int, float]]) -> dict[str, str]:
    """Return the mark of each row against ours, after Holm's correction over the rows."""
    mine = volumes.get(OURS, {})
    tested = []
    for name, other in volumes.items():
        seeds = sorted(mine.keys() & other.keys())
        differences = np.asarray([mine[seed] - other[seed] for seed in seeds])
        if name != OURS and len(seeds) > 1 and differences.any():
            tested.append((float(wilcoxon(differences).pvalue), name, float(np.median(differences))))
    marks: dict[str, str] = {}
    for place, (p, name, ahead) in enumerate(sorted(tested)):
        if p * (len(tested) - place) > 0.05:
            break
        marks[name] = " *" if ahead > 0 else " †"
    return marks
