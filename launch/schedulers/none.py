"""No scheduler: every trial runs to its last epoch."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Self

from groupdir.config.schedulers import NoStoppingConfig
from groupdir.config.search import SearchConfig
from launch.schedulers.base import Decision, NeverPauses


class NoStopping(NeverPauses):
    """Scheduler that never stops a trial."""

    Config = NoStoppingConfig

    @classmethod
    def from_config(cls, search: SearchConfig) -> Self:
        """Return a scheduler. It has no options."""
        return cls()

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Return the decision to continue."""
        return Decision()

    def rung_epochs(self, last: int) -> Iterable[int]:
        """Return no epochs, because trials are compared only at their end."""
        return ()
