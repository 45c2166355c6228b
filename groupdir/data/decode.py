"""Decoding of picture files to bytes of one size, with the published loader and resize."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from groupdir.data.appearance import needed_turn, on_background, transparent, upright

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

UNTURNED = "have an EXIF orientation, which is ignored, so they may lie on their side"
TRANSPARENT = "have transparent pixels, whose hidden colours are used"
FRAMES = "have several frames, of which only the first is used"

Decoded = npt.NDArray[np.uint8] | str
"""Picture `(size, size, 3)`, or the reason why the file could not be decoded."""


@dataclass(frozen=True)
class Decoding:
    """Options of decoding a file to a picture.

    Attributes:
        orient: Whether to turn a picture as its EXIF orientation says.
        background: Colour behind transparent pixels. None: transparency is dropped, and the hidden colours are used.
    """

    orient: bool = True
    background: str | None = "white"

    def __str__(self) -> str:
        return f"{'turned' if self.orient else 'as stored'} on {self.background}"


AS_SEEN = Decoding()
"""Decoding that gives pictures as a viewer shows them."""

AS_PUBLISHED = Decoding(orient=False, background=None)
"""Decoding of the published recipe."""


@dataclass(frozen=True)
class Picture:
    """Decoded picture.

    Attributes:
        pixels: Colours `(size, size, 3)` uint8.
        remarks: What decoding ignored: some of `UNTURNED`, `TRANSPARENT` and `FRAMES`.
    """

    pixels: npt.NDArray[np.uint8]
    remarks: tuple[str, ...] = ()


def decode(path: Path, size: int, decoding: Decoding = AS_SEEN) -> Decoded:
    """Decode a picture in colour and resize it to a square, or return the reason why that fails.

    See `read_picture`.
    """
    picture = read_picture(path, size, decoding)
    return picture if isinstance(picture, str) else picture.pixels


def read_picture(path: Path, size: int, decoding: Decoding = AS_SEEN) -> Picture | str:
    """Decode a picture in colour and resize it to a square, whatever its shape.

    The steps are those of the published recipe (Yang et al. 2021), which uses torchvision's `ImageFolder` and `Resize`:
    PIL opens the picture and converts it to RGB, then resizes it with its bilinear filter, which averages pixels when
    it shrinks. Frames after the first one are dropped.

    Differences from the source: a picture with more than 8 bits per channel is refused. The source would clip its
    values. The source ignores the EXIF orientation and drops transparency, as `AS_PUBLISHED` does.

    Args:
        path: File of the picture.
        size: Height and width of the result, in pixels.
        decoding: Options of decoding.

    Returns:
        The picture, or the reason why the file cannot be used.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            return f"cannot be read as a picture: it is {'a folder' if path.is_dir() else 'no ordinary file'}"
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                return f"must have 8 bits per channel, got mode {picture.mode}"
            picture.load()
            remarks = tuple(_remarks(picture, decoding))
            turned = upright(picture) if decoding.orient else picture
            seen = turned if decoding.background is None else on_background(turned, decoding.background)
            square = seen.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        return "is a link to a file that does not exist" if path.is_symlink() else "no such file"
    except Image.DecompressionBombError:
        return f"must have at most {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels: shrink it"
    except _UNREADABLE as error:
        text = str(error).replace(repr(str(path)), "it") or type(error).__name__
        return f"cannot be read as a picture: {text}"
    return Picture(np.asarray(square), remarks)


def _remarks(picture: Image.Image, decoding: Decoding) -> Iterator[str]:
    if not decoding.orient and needed_turn(picture) is not None:
        yield UNTURNED
    if decoding.background is None and transparent(picture):
        yield TRANSPARENT
    if picture.format != "MPO" and getattr(picture, "is_animated", False):  # a phone's MPO holds previews
        yield FRAMES


def decode_all(files: Sequence[Path], size: int, decoding: Decoding = AS_SEEN) -> Iterator[Picture | str]:
    """Yield the pictures in the order of the files, decoded on all cores that this process may use.

    Threads are enough, because PIL releases the lock of the interpreter while it decodes, converts and resizes. Unlike
    processes, they do not import the calling program again.
    """
    threads = len(os.sched_getaffinity(0))
    remaining = iter(files)
    with ThreadPoolExecutor(threads, "decode") as pool:
        ahead = deque(pool.submit(read_picture, path, size, decoding) for path in islice(remaining, threads * _WAITING))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(read_picture, path, size, decoding) for path in islice(remaining, 1))
        finally:
            for future in ahead:
                future.cancel()
