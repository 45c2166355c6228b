"""Ledger of the configurations that have read the test split of a data set.

Each configuration that is measured on the test set and then compared with others makes the lowest error among them
look better than it is. The ledger tells the reader of a table how many configurations have been measured.

The ledger of a data set with files (`data.root`) stands in their folder, so that all projects that use the files share
it. A built-in data set has no files. Its ledger stands in the folder that holds the studies and benchmarks, which
everything in that folder shares. The same holds if the folder of the data is read-only.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from groupdir.errors import DataError
from groupdir.files.sealed import seal_mapping, verify_mapping
from groupdir.files.study_files import BENCHMARK, STUDY_CONFIG, TEST_LEDGER


@dataclass(frozen=True)
class Reading:
    """Entry of the ledger: one training that was measured on a test split.

    Attributes:
        time: Date and time in UTC, in ISO format.
        data: Name of the data set.
        samples: Fingerprint of the test samples; see `groupdir.files.predictions`.
        configuration: Digest of the configuration without its seed.
        seed: Seed of the training.
        label: Label of the configuration in the table of the command.
        command: Command that measured it.
    """

    time: str
    data: str
    samples: str
    configuration: str
    seed: int
    label: str
    command: str

    @classmethod
    def now(cls, data: str, samples: str, configuration: str, seed: int, label: str, command: str) -> Reading:
        """Return an entry with the present time."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(time, data, samples, configuration, seed, label, command)


@dataclass(frozen=True)
class Ledger:
    """Ledger of a data set, in the first of some folders that can be written.

    Attributes:
        folders: Folders that may hold the ledger, the preferred one first.
    """

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, root: str | None, run: Path) -> Ledger:
        """Return the ledger of a data set.

        Args:
            root: Folder of the data set's files, or None for a built-in data set.
            run: Folder of the training, which need not exist.
        """
        return cls((*([Path(root)] if root else []), results_around(run)))

    def record(self, entry: Reading) -> str | None:
        """Append an entry. Several processes may call this at the same time.

        Returns:
            A warning if the entry is in another folder than the preferred one or nowhere, else None. A read-only folder
            must not stop a training.
        """
        refused = []
        for folder in self.folders:
            try:
                _append(folder / TEST_LEDGER, entry)
            except OSError as error:
                refused.append(f"{folder / TEST_LEDGER} cannot be written ({error.strerror})")
                continue
            if not refused:
                return None
            return f"{refused[0]}: this reading of the test split is recorded in {folder / TEST_LEDGER} instead"
        return f"{', '.join(refused)}: this reading of the test split is not recorded"

    def entries(self, data: str, samples: str) -> list[Reading]:
        """Return the entries about a test split, the oldest first.

        Raises:
            DataError: If a line is broken.
        """
        entries = {entry for folder in self.folders for entry in _read(folder / TEST_LEDGER)}
        matching = [entry for entry in entries if (entry.data, entry.samples) == (data, samples)]
        return sorted(matching, key=lambda entry: (entry.time, entry.configuration, entry.seed))

    def line(self, data: str, samples: str, shown: Collection[str]) -> str:
        """Return the line about a test split that stands below every table of test metrics.

        Args:
            data: Name of the data set.
            samples: Fingerprint of the test samples.
            shown: Configurations in the table, as in `Reading.configuration`.

        Raises:
            DataError: If a line of the ledger is broken.
        """
        return _line(data, self.entries(data, samples), shown)


def results_around(run: Path) -> Path:
    """Return the folder that holds the study or benchmark around a training, or else the folder above the training."""
    parents = run.expanduser().absolute().parents
    owners = [folder for folder in parents if (folder / STUDY_CONFIG).is_file() or (folder / BENCHMARK).is_file()]
    return owners[-1].parent if owners else parents[0]


def line_of_splits(ledger: Ledger, data: str, samples: Collection[str], shown: Collection[str]) -> str:
    """Return the line about the test splits of several draws or splits of a data set, as `Ledger.line`.

    Args:
        ledger: Ledger of the data set.
        data: Name of the data set.
        samples: Fingerprint of the test samples of each draw.
        shown: Configurations in the table, as in `Reading.configuration`.

    Raises:
        DataError: If a line of the ledger is broken.
    """
    entries = [entry for each in sorted(set(samples)) for entry in ledger.entries(data, each)]
    return _line(data, sorted(entries, key=lambda entry: entry.time), shown, len(set(samples)))


def _line(data: str, entries: Sequence[Reading], shown: Collection[str], splits: int = 1) -> str:
    """Return the line about a number of test splits.

    >>> entry = Reading("2026-08-01T09:30:00+00:00", "digits", "", "a", 0, "vanilla", "groupdir train trial.yaml")
    >>> _line("digits", [entry], ["a"])
    'test split of digits: read by 1 configuration, first on 2026-08-01'
    """
    name = f"test split of {data}" if splits == 1 else f"{splits} test splits of {data}"
    if not entries:
        return f"{name}: no ledger says which configurations have read {'it' if splits == 1 else 'them'}"
    readers = {entry.configuration for entry in entries}
    others = len(readers.difference(shown))
    apart = f" ({others} of them not in this table)" if others else ""
    count = f"{len(readers)} configuration{'s' * (len(readers) > 1)}"
    return f"{name}: read by {count}{apart}, first on {entries[0].time[:10]}"


def _append(path: Path, entry: Reading) -> None:
    """Append a line under a lock. A part of a line that a killed process left at the end is removed first."""
    line = (json.dumps(seal_mapping(asdict(entry))) + "\n").encode()
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        if content and not content.endswith(b"\n"):
            if _is_whole(content):
                file.write(b"\n")
            else:
                file.truncate(content.rfind(b"\n") + 1)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> list[Reading]:
    """Return the entries of a ledger, none if it does not exist. A part of a last line is ignored.

    Raises:
        DataError: If a line is broken or does not match its checksum.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}: make it readable") from error
    *lines, last = content.split(b"\n")
    entries = [_entry(path, number, line) for number, line in enumerate(lines, 1)]
    if _is_whole(last):  # not a torn line: the end of a whole one was changed or lost
        entries.append(_entry(path, len(lines) + 1, last))
    return entries


def _is_whole(line: bytes) -> bool:
    return b"}" in line[-2:]


def _entry(path: Path, number: int, line: bytes) -> Reading:
    try:
        return Reading(**verify_mapping(f"{path}:{number}", json.loads(line), NAMES))
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}:{number}: is not an entry of the ledger: {error}: repair the line") from error


NAMES = tuple(field.name for field in fields(Reading))
