"""No scheduler: every trial runs to its last epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from groupdir.search_config import SearchConfig
from launch.schedulers.base import Decision


class NoStopping:
    """Never stops a trial."""

    @classmethod
    def from_config(cls, search: SearchConfig) -> Self:
        """Nothing of the section matters."""
        return cls()

    def decide(self, trial: int, epoch: int, metrics: Mapping[str, float]) -> Decision:
        """Goes on."""
        return Decision()
