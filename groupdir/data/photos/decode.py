"""Decoding of picture files to bytes of one size, with the published loader and resize."""

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

_WAITING = 16  # pictures per thread that are decoded ahead of the consumer, which bounds the memory
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
"""Picture `(size, size, 3)`, or the reason why the file could not be decoded."""


def decode(path: Path, size: int) -> Decoded:
    """Decode a picture in colour and resize it to a square, whatever its shape.

    The steps are those of the published recipe (Yang et al. 2021), which uses torchvision's `ImageFolder` and `Resize`:
    PIL opens the picture and converts it to RGB, then resizes it with its bilinear filter, which averages pixels when
    it shrinks. As in the source, the EXIF orientation is ignored and transparency is dropped.

    Differences from the source: a picture with more than 8 bits per channel is refused. The source would clip its
    values.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                return f"must have 8 bits per channel, got mode {picture.mode}"
            square = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        return "no such file"
    except _UNREADABLE as error:
        text = str(error).replace(repr(str(path)), "it") or type(error).__name__
        return f"cannot be read as a picture: {text}"
    return np.asarray(square)


def decode_all(files: Sequence[Path], size: int) -> Iterator[Decoded]:
    """Yield the pictures in the order of the files, decoded on all cores that this process may use.

    Threads are enough, because PIL releases the lock of the interpreter while it decodes, converts and resizes. Unlike
    processes, they do not import the calling program again.
    """
    threads = len(os.sched_getaffinity(0))
    remaining = iter(files)
    with ThreadPoolExecutor(threads, "decode") as pool:
        ahead = deque(pool.submit(decode, path, size) for path in islice(remaining, threads * _WAITING))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(decode, path, size) for path in islice(remaining, 1))
        finally:
            for future in ahead:
                future.cancel()
