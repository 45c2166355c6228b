"""Errors that a person can cause. Each message says where, what is wrong, the value found, and what to do."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class GroupdirError(Exception):
    """Error that a person can fix. Commands print its text without a traceback and exit with code 2."""


class DataError(GroupdirError):
    """Data set that is missing, broken, or different from its configuration."""


class EmptySplitError(DataError):
    """Split of a data set that has no sample."""


class DamagedFileError(DataError):
    """File whose content is not what was written: it does not match its checksum."""


class FileWriteError(DataError):
    """A file or folder that cannot be written.

    Args:
        message: What is wrong, where, and what to do.
        disk_full: Whether the disk or the user's quota is full.
    """

    def __init__(self, message: str, disk_full: bool = False) -> None:
        super().__init__(message)
        self.disk_full = disk_full


class MethodError(GroupdirError):
    """Training that went wrong, such as by a loss that is not finite. The trial fails and is never chosen."""


class DeviceMemoryError(GroupdirError):
    """Trial that does not fit into the memory of a GPU, or into its share of it."""


class NodeError(GroupdirError):
    """Node that cannot run any trial: every trial sent there would fail."""


class OtherCodeError(NodeError):
    """Node whose groupdir differs from the driver's: its results would come from another program."""


class DiskFullError(NodeError):
    """Node that cannot write a checkpoint because a disk is full."""

    disk_full = True


class StorageLostError(NodeError):
    """Node that has lost the storage of the study, such as by an unmounted folder. Other nodes may still have it."""


@dataclass(frozen=True)
class Mistake:
    """Mistake in a configuration.

    Attributes:
        address: Dotted address of the value, such as `method.beta`; empty for the whole file.
        message: Rule that must hold, the value found, and what to do.
        file: File with the mistake, if any.
        line: Line in the file, counted from 1, or None.
    """

    address: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        address = f"{_one_line(self.address)}: " if self.address else ""
        return f"{where}{address}{self.message}"


def _one_line(text: str) -> str:
    """Return a text with its unprintable characters escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


MOST_MISTAKES = 50
"""Largest number of mistakes that a message lists."""


class ConfigError(GroupdirError):
    """Configuration that cannot run. It holds *all* mistakes; its message has a line for each of the first ones.

    Args:
        mistakes: A message, or all mistakes.
    """

    def __init__(self, mistakes: str | Sequence[Mistake]) -> None:
        self.mistakes = [Mistake("", mistakes)] if isinstance(mistakes, str) else list(mistakes)
        lines = [str(mistake) for mistake in self.mistakes[:MOST_MISTAKES]]
        if (more := len(self.mistakes) - MOST_MISTAKES) > 0:
            lines.append(f"and {more:,} more mistakes")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[Mistake]]]:
        """Pickle the error with its mistakes."""
        return type(self), (self.mistakes,)


class FieldError(ValueError):
    """A mistake at an address below the model whose validator found it.

    Args:
        address: The keys from the model to the value.
        message: What is wrong, the value found, what to do.
    """

    def __init__(self, address: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.address = address


_OF_CODE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, NotImplementedError, TypeError, ValueError,
)  # fmt: skip
_OF_FILES = (UnicodeError, json.JSONDecodeError)  # these are ValueErrors, and a damaged file may cause them


def would_recur(error: BaseException) -> bool:
    """Return whether an error follows from the configuration and the code alone, so that a retry would end with it too.

    A training repeats itself exactly. The errors of machines, files and networks do not follow from its configuration.

    >>> would_recur(MethodError("the loss is nan")), would_recur(IndexError("3")), would_recur(OSError("stale"))
    (True, True, False)
    """
    if isinstance(error, GroupdirError):
        return isinstance(error, MethodError | ConfigError | EmptySplitError)
    return isinstance(error, _OF_CODE) and not isinstance(error, _OF_FILES)


def described(error: BaseException) -> str:
    """Return the class, the place and the text of an error that someone's own code raised, in one line.

    >>> try:
    ...     exec(compile("1 / 0", "mod.py", "exec"))
    ... except ZeroDivisionError as error:
    ...     described(error)
    'ZeroDivisionError at mod.py:1: division by zero'
    """
    calls = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(calls[-1].filename).name}:{calls[-1].lineno}" if calls else ""
    if isinstance(error, SyntaxError):  # its text has the place in the module, the last call is Python's own
        place = ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{place}" + (f": {text}" if text else "")
