"""A picture file as bytes of one size: the published loader and resize, and what is wrong with a file that has none."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

_WAITING = 16  # pictures for each thread that are decoded ahead of whoever takes them: all that is in memory
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    MemoryError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)

Decoded = npt.NDArray[np.uint8] | str
"""A picture `(size, size, 3)`, or why there is none."""


def decode(path: Path, size: int) -> Decoded:
    """One picture in colour, resized to a square whatever its shape.

    The steps of the published recipe (Yang et al. 2021), which are those of torchvision's `ImageFolder` and `Resize`:
    opened and made RGB by PIL, then resized by PIL's bilinear filter, which averages where it shrinks. As there, a
    picture's EXIF orientation is not looked at, and transparency is dropped.

    Differences from the source: a picture of more than 8 bits a channel is refused; there its values would be clipped.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                return f"must have 8 bits a channel, got mode {picture.mode}"
            square = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        return "no such file"
    except _UNREADABLE as error:
        text = str(error).replace(repr(str(path)), "it") or type(error).__name__
        return f"cannot be read as a picture: {text}"
    return np.asarray(square)


def decode_all(files: Sequence[Path], size: int) -> Iterator[Decoded]:
    """Pictures in the order of the files, decoded on all cores that this process may use.

    By threads: PIL gives up the interpreter's lock while it decodes, converts and resizes, and threads need no second
    import of the program that calls this.
    """
    threads = len(os.sched_getaffinity(0))
    left = iter(files)
    with ThreadPoolExecutor(threads, "decode") as pool:
        ahead = deque(pool.submit(decode, path, size) for path in islice(left, threads * _WAITING))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(decode, path, size) for path in islice(left, 1))
        finally:
            for future in ahead:
                future.cancel()
