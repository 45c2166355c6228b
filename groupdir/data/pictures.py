"""Small grey pictures: random views of a batch, and reading of pictures for a prediction."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from groupdir.config.datasets import CACHE_FOLDER
from groupdir.data.base import InputSpec
from groupdir.data.transfer import on_device
from groupdir.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif", ".tiff")
"""Suffixes of the pictures that are read from a folder, in upper or lower case."""

_SHIFT = 2  # pixels
_GAIN = 0.1
_NOISE = 0.05
_LOWEST, _HIGHEST = -1.0, 2.0  # pictures are 0..1 and noise may exceed that; pictures of 0..255 are out of range
_UNREADABLE = (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error, tokenize.TokenError)


def shift_noise(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a random view of pictures `(B, C, H, W)`, with the same shape and on the same device.

    Each picture is moved by up to 2 pixels in both directions (with mirrored edges), its contrast is changed by up to
    10 %, and noise of standard deviation 0.05 is added. All random numbers are drawn on the CPU, so they are the same
    for every device.
    """
    size, _, height, width = pictures.shape
    device = pictures.device
    offset = torch.randint(0, 2 * _SHIFT + 1, (2, size, 1), generator=generator)
    gain = 1 + _GAIN * (2 * torch.rand(size, 1, 1, 1, generator=generator) - 1)
    noise = _NOISE * torch.randn(pictures.shape, generator=generator)
    rows = on_device(offset[0] + torch.arange(height), device)
    columns = on_device(offset[1] + torch.arange(width), device)
    padded = F.pad(pictures, (_SHIFT, _SHIFT, _SHIFT, _SHIFT), mode="reflect")
    which = torch.arange(size, device=device)
    moved = padded.movedim(1, -1)[which[:, None, None], rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
    view = moved * on_device(gain, device).to(pictures.dtype) + on_device(noise, device).to(pictures.dtype)
    return view.contiguous()


def read_pictures(path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[int | str]]:
    """Read pictures from an array file, a picture file, or a folder of picture files.

    Args:
        path: A `.npy` or `.npz` file of shape (N, H, W) or (N, 1, H, W), with floats 0..1 or whole numbers 0..255; or a
            picture file, which is turned upright by its EXIF orientation, put on white where it is transparent,
            converted to grey and resized; or a folder of picture files, which are read in the order of their names.
        spec: The inputs that the encoder was trained on, of shape (1, H, W).

    Returns:
        The pictures `(N, 1, H, W)` float32, and their numbers or file names.

    Raises:
        DataError: If the file does not exist or cannot be read, the folder holds no picture, or an array has another
            shape or range.
    """
    _, height, width = spec.shape
    if path.suffix.lower() in (".npy", ".npz"):
        array = _checked(_load_array(path), path, height, width)
        return (array,), range(len(array))
    files = picture_files(path)
    grey = np.stack([_load_picture(file, height, width) for file in files])
    return (grey[:, None],), [file.name for file in files]


def picture_files(path: Path) -> list[Path]:
    """Return the pictures of a folder in the order of their names, or the file itself if the path is no folder.

    Files with another suffix and hidden files are left out. A warning counts them.

    Raises:
        DataError: If the folder holds no picture.
    """
    if not path.is_dir():
        return [path]
    items = sorted(item for item in path.iterdir() if item.name != CACHE_FOLDER)
    files = [item for item in items if item.suffix.lower() in SUFFIXES and not item.name.startswith(".")]
    if not files:
        raise DataError(f"{path}: must hold pictures ({', '.join(SUFFIXES)}), got none")
    if others := sorted(set(items) - set(files)):
        warnings.warn(
            f"{path}: {len(others)} of {len(items)} entries are left out, because their names do not end like a "
            f"picture's or begin with a dot (such as {others[0].name})",
            stacklevel=2,
        )
    return files


def _load_array(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
    except _UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as an array of numbers: {error}") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if len(loaded.files) != 1:
            names = ", ".join(loaded.files) or "none"
            raise DataError(f"{path}: must hold one array, got {names}: save only the pictures")
        try:
            array: np.ndarray = loaded[loaded.files[0]]
        except _UNREADABLE as error:
            raise DataError(f"{path}: cannot be read as an array of numbers: {error}") from error
    return array


def _checked(array: np.ndarray, path: Path, height: int, width: int) -> npt.NDArray[np.float32]:
    """Return an array as float32 `(N, 1, H, W)`.

    Raises:
        DataError: If its shape, type or range is wrong.
    """
    if array.shape[1:] not in ((height, width), (1, height, width)):
        want = f"(N, {height}, {width}) or (N, 1, {height}, {width})"
        raise DataError(f"{path}: must have the shape {want}, got {array.shape}: resize the pictures")
    if array.dtype.kind not in "iuf":
        raise DataError(f"{path}: must hold numbers, got {array.dtype}")
    whole = array.dtype.kind in "iu"
    if not whole and not np.isfinite(array).all():
        raise DataError(f"{path}: pictures must be finite, got NaN or infinite values")
    lowest, highest = (0, 255) if whole else (_LOWEST, _HIGHEST)
    if array.size and (array.min() < lowest or array.max() > highest):
        span = f"{array.min()}..{array.max()}"
        raise DataError(f"{path}: must hold floats 0..1 or whole numbers 0..255, got {array.dtype} {span}: rescale it")
    grey = array.astype(np.float32) / np.float32(255 if whole else 1)
    return grey.reshape(len(grey), 1, height, width)


def _load_picture(path: Path, height: int, width: int) -> npt.NDArray[np.float32]:
    from PIL import Image, UnidentifiedImageError

    from groupdir.data.appearance import on_background, upright

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                raise DataError(f"{path}: must have 8 bits per channel, got mode {picture.mode}: save it with 8 bits")
            picture.load()
            grey = (
                on_background(upright(picture), "white").convert("L").resize((width, height), Image.Resampling.BILINEAR)
            )
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: name a picture, a folder of pictures, a .npy or a .npz") from error
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as a picture: {error}") from error
    return np.asarray(grey, dtype=np.float32) / np.float32(255)
