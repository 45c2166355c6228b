"""Cost of the searches of a benchmark's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from groupdir.files.benchmark_record import BenchmarkRecord


@dataclass(frozen=True)
class Cost:
    """Cost of the searches of one row in all blocks. Measured trainings and ablations are not counted.

    Attributes:
        trials: Number of trials of the searches.
        epochs: Epochs of these trials and of their confirmations. Each trial counts its first stage, even if another
            trial has trained it, so that all rows are counted alike.
        seconds: Time of the epochs that were trained, those of the confirmations included.
    """

    trials: int
    epochs: int
    seconds: float

    header: ClassVar[tuple[str, ...]] = ("trials", "epochs", "seconds")

    @property
    def texts(self) -> list[str]:
        """Cells of a table, in the order of `header`."""
        return [f"{self.trials:,}", f"{self.epochs:,}", f"{self.seconds:,.0f}"]


def costs_of(record: BenchmarkRecord) -> dict[str, Cost]:
    """Return label -> cost of every row, or an empty mapping for a benchmark without searches."""
    if not record.trials:
        return {}
    trials = {
        row["label"]: [trial for trial in record.trials if trial["row"] == row["label"] and trial["role"] != "ablation"]
        for row in record.content["rows"]
    }
    return {
        label: Cost(
            sum(trial["role"] == "search" for trial in mine),
            sum(trial["epochs"] or 0 for trial in mine),
            sum(trial["seconds"] or 0.0 for trial in mine),
        )
        for label, mine in trials.items()
    }
