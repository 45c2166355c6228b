"""Damage to files: one bit is flipped at a seeded place, as often as a test asks."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from groupdir.errors import DataError

FLIPS = 270


def flips(content: bytes, count: int = FLIPS, seed: int = 0) -> Iterator[bytes]:
    """Yield the content with one bit flipped: the places are spread over the whole file, its ends included."""
    numbers = random.Random(seed)
    for index in range(count):
        low, high = index * len(content) // count, (index + 1) * len(content) // count
        place = len(content) - 1 if index == count - 1 else numbers.randrange(low, max(high, low + 1))
        changed = bytearray(content)
        changed[place] ^= 1 << numbers.randrange(8)
        yield bytes(changed)


def silently_wrong(folder: Path, name: str, read: Callable[[Path], Any], count: int = FLIPS) -> tuple[list[str], int]:
    """Flip bits of a file in a copy of a folder and read it.

    Returns:
        A line for each flip after which other content was read or a foreign error was raised, and how many flips an
        error of the project that names the file has reported.
    """
    expected, wrong, reported = read(folder), [], 0
    copy = folder.with_name(f"{folder.name}-flipped")
    for index, changed in enumerate(flips((folder / name).read_bytes(), count)):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        (copy / name).write_bytes(changed)
        try:
            found = read(copy)
        except DataError as error:
            reported += 1
            if str(copy) not in str(error):
                wrong.append(f"flip {index}: the error names no file: {error}")
        except Exception as error:  # noqa: BLE001 - any other error is a finding
            wrong.append(f"flip {index}: {type(error).__name__}: {error}")
        else:
            if repr(found) != repr(expected):
                wrong.append(f"flip {index}: reads as other content")
    return wrong, reported
