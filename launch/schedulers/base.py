"""Interface of schedulers: they decide about an epoch from the earlier epochs alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from groupdir.config.search import SearchConfig
from groupdir.study.events import Cause

Action = Literal["continue", "stop", "pause"]


@dataclass(frozen=True)
class Decision:
    """Decision of a scheduler about a trial after an epoch.

    Attributes:
        action: "continue", "stop", or "pause" until the trial is promoted.
        reason: Explanation for people. A decision without a reason is not logged, because nothing was compared.
        cause: Cause for programs, which must never read the reason.
    """

    action: Action = "continue"
    reason: str = ""
    cause: Cause = "rung"


class Scheduler(Protocol):
    """Protocol of a scheduler, which decides which trials continue.

    The state of a scheduler must follow from the calls of `decide` and `promote` alone, in their order. A new driver
    then restores the state by repeating these calls from the event log.

    A class that the registry names also has `Config`, the model of its options: a subclass of
    `groupdir.config.schedulers.SchedulerConfig`.
    """

    @classmethod
    def from_config(cls, search: SearchConfig) -> Scheduler:
        """Return the scheduler that the `search:` section of a study describes."""
        ...

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Register an epoch of a trial and return the decision. A second call for the same epoch returns the same.

        Args:
            trial: The trial.
            epoch: The fidelity of the epoch: the number of epochs in predicting stages so far, including this one.
            row: The report of the trial for this epoch.
        """
        ...

    def rung_epochs(self, last: int) -> Iterable[int]:
        """Return the epochs below `last` at which trials are compared, in ascending order."""
        ...

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """Return a paused trial that may continue and the epoch of its rung, or None.

        Args:
            ready: Function that returns whether a trial can be resumed now.
            last: True if no other trial will reach a rung, so that small rungs promote as well.
        """
        ...

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Register that a paused trial continues."""
        ...


def decision_on(scheduler: Scheduler, trial: Hashable, row: Mapping[str, Any]) -> Decision:
    """Return the decision of a scheduler about an epoch. Epochs of stages that do not predict always continue.

    Args:
        scheduler: The scheduler. It never sees the epochs of stages that do not predict.
        trial: The trial.
        row: Report of the epoch, with the entries `predicts` and `fidelity`.
    """
    return scheduler.decide(trial, row["fidelity"], row) if row["predicts"] else Decision()


class NeverPauses:
    """Mixin for schedulers that never pause a trial."""

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """Return None, because no trial is paused."""
        return None

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Refuse to promote a trial.

        Raises:
            ValueError: On every call, because no trial is paused.
        """
        raise ValueError(f"trial {trial} cannot be promoted at epoch {epoch}: this scheduler never pauses a trial")
