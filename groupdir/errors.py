"""The errors that a person can cause: each says where, what must hold, what came, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class GroupdirError(Exception):
    """Anything that a person can mend; commands print its text alone and exit with code 2."""


class DataError(GroupdirError):
    """A data set that is missing, broken, or not what its configuration says."""


class MethodError(GroupdirError):
    """A training that went wrong: a loss that is not finite or that explodes. The trial is failed, never best."""


class DeviceMemoryError(GroupdirError):
    """A GPU's memory, or the part of it that a trial may take, does not suffice."""


class NodeError(GroupdirError):
    """A node on which no trial can go on: it would fail them one after the other."""


class OtherCodeError(NodeError):
    """A node runs another groupdir than the driver: what it trained would be of another program."""


class DiskFullError(NodeError):
    """A node cannot write a checkpoint, for a disk is full."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a configuration.

    Attributes:
        address: Dotted address of the value, such as `method.beta`; empty for the whole file.
        message: What must hold, what came, what to do.
        file: The file that it stands in, if any.
        line: Its line, counted from 1, or None.
    """

    address: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return f"{where}{self.address}: {self.message}" if self.address else f"{where}{self.message}"


class ConfigError(GroupdirError):
    """A configuration that cannot run. It carries *all* mistakes found, one line each.

    Args:
        mistakes: A text, or the mistakes.
    """

    def __init__(self, mistakes: str | Sequence[Mistake]) -> None:
        found = [Mistake("", mistakes)] if isinstance(mistakes, str) else list(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in found))
        self.mistakes = found

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[Mistake]]]:
        """Crosses a process border with its mistakes."""
        return type(self), (self.mistakes,)
