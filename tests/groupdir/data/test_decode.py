"""Decoding: the published loader and resize, EXIF orientations, and files of every odd kind."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from torchvision import transforms
from torchvision.datasets.folder import default_loader

from groupdir.data.decode import (
    AS_PUBLISHED,
    FRAMES,
    TRANSPARENT,
    UNTURNED,
    Decoding,
    Picture,
    decode,
    decode_all,
    read_picture,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
COLOURS = Image.fromarray(PIXELS)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def reference(path: Path, size: int) -> np.ndarray:
    """Torchvision's own loader and resize, which ignore the orientation."""
    return np.asarray(transforms.Resize((size, size))(default_loader(str(path))))


@pytest.mark.parametrize("size", [32, 128, 224])
def test_the_published_recipe_resizes_and_does_not_turn(size: int, tmp_path: Path) -> None:
    COLOURS.resize((300, 90)).save(tmp_path / "turned.jpg", exif=turned(6))
    found = decode(tmp_path / "turned.jpg", size, AS_PUBLISHED)
    assert np.array_equal(found, reference(tmp_path / "turned.jpg", size))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation(orientation: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    COLOURS.save(path, exif=turned(orientation))
    with Image.open(path) as picture:
        picture.load()
        expected = ImageOps.exif_transpose(picture).convert("RGB").resize((24, 24), Image.Resampling.BILINEAR)
    assert np.array_equal(decode(path, 24), np.asarray(expected))
    raw = read_picture(path, 24, AS_PUBLISHED)
    assert isinstance(raw, Picture)
    matters = 2 <= orientation <= 8 and suffix != "tiff"  # PIL turns a TIFF itself
    assert raw.remarks == ((UNTURNED,) if matters else ())


def test_a_picture_of_a_phone_equals_the_upright_one(tmp_path: Path) -> None:
    COLOURS.save(tmp_path / "up.png")
    for orientation, way in ((6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)):
        COLOURS.transpose(way).save(tmp_path / "phone.png", exif=turned(orientation))
        assert np.array_equal(decode(tmp_path / "phone.png", 32), decode(tmp_path / "up.png", 32))


def test_a_broken_exif_block_is_no_orientation(tmp_path: Path) -> None:
    exif = turned(6).tobytes()
    COLOURS.save(tmp_path / "plain.png")
    for at in range(6, len(exif)):
        content = bytearray(exif)
        content[at] ^= 0xFF
        COLOURS.save(tmp_path / "a.png", exif=bytes(content))
        assert not isinstance(decode(tmp_path / "a.png", 16), str)
    COLOURS.save(tmp_path / "a.png", exif=exif[:9])
    assert np.array_equal(decode(tmp_path / "a.png", 16), decode(tmp_path / "plain.png", 16))


def saved(kind: str, picture: Image.Image = COLOURS) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def deep(dtype: type) -> Image.Image:
    return Image.fromarray(np.full((8, 8), 200, dtype))


def large_png(size: int) -> bytes:
    """A black picture of size x size pixels of one bit, in few bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes((size // 8 + 1) * 100), 1))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no file": (lambda path: None, "no such file"),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "is a link to a file that does not exist"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cannot be read as a picture: [Errno 40]"),
    "a folder": (lambda path: path.mkdir(), "cannot be read as a picture: it is a folder"),
    "a pipe": (os.mkfifo, "cannot be read as a picture: it is no ordinary file"),
    "zero bytes": (lambda path: path.write_bytes(b""), "cannot be read as a picture: cannot identify"),
    "a text": (lambda path: path.write_text("no picture"), "cannot be read as a picture: cannot identify"),
    "16 bits": (lambda path: path.write_bytes(saved("PNG", deep(np.uint16))), "must have 8 bits per channel"),
    "32 bits": (lambda path: path.write_bytes(saved("TIFF", deep(np.int32))), "must have 8 bits per channel"),
    "floats": (
        lambda path: path.write_bytes(saved("TIFF", deep(np.float32))),
        "must have 8 bits per channel, got mode",
    ),
    "too large": (lambda path: path.write_bytes(large_png(60_000)), "must have at most 178,956,970 pixels: shrink it"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_has_a_reason(kind: str, tmp_path: Path) -> None:
    make, says = REFUSED[kind]
    make(tmp_path / "a.jpg")
    found = decode(tmp_path / "a.jpg", 16)
    assert isinstance(found, str)
    assert found.startswith(says)
    assert str(tmp_path) not in found, "the caller names the file"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_no_cut_file_passes_for_a_picture(kind: str, share: float, tmp_path: Path) -> None:
    content = saved(kind)
    (tmp_path / "a").write_bytes(content[: int(len(content) * share)])
    found = decode(tmp_path / "a", 16)
    assert isinstance(found, str)
    assert found.startswith("cannot be read as a picture: ")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_colours(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "名 é.JPG"  # a wrong suffix, in upper case
    COLOURS.convert(mode).save(path, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    picture = read_picture(path, 16)
    assert isinstance(picture, Picture)
    assert picture.pixels.shape == (16, 16, 3)
    assert picture.remarks == ()
    if mode not in ("1", "L", "LA", "P"):
        assert np.abs(picture.pixels.astype(int) - reference(path, 16)).max() == 0


def test_transparency_shows_a_background_or_is_remarked(tmp_path: Path) -> None:
    icon = Image.new("RGBA", (40, 40), (0, 0, 0, 0))  # a black square, and black that nobody sees
    icon.paste((0, 0, 0, 255), (0, 0, 20, 40))
    icon.putpixel((39, 0), (200, 100, 0, 102))  # 40 %
    icon.save(tmp_path / "icon.png")
    palette = Image.fromarray(np.repeat([[1, 2]], 20, axis=1).repeat(40, axis=0).astype(np.uint8)).convert("P")
    palette.save(tmp_path / "palette.png", transparency=2)
    for name in ("icon.png", "palette.png"):
        for colour, level in (("white", 255), ("black", 0)):
            seen = read_picture(tmp_path / name, 40, Decoding(background=colour))
            assert isinstance(seen, Picture)
            assert seen.remarks == ()
            assert seen.pixels[39, 39].tolist() == [level] * 3
            assert seen.pixels[39, 0].max() < 3
        dropped = read_picture(tmp_path / name, 40, AS_PUBLISHED)
        assert isinstance(dropped, Picture)
        assert dropped.remarks == (TRANSPARENT,)
        assert dropped.pixels[39, 39].max() < 3
        assert np.array_equal(dropped.pixels, reference(tmp_path / name, 40))
    on_white = decode(tmp_path / "icon.png", 40)
    assert not isinstance(on_white, str)
    np.testing.assert_allclose(on_white[0, 39], np.array([200, 100, 0]) * 0.4 + 255 * 0.6, atol=1)
    COLOURS.convert("RGBA").save(tmp_path / "opaque.png")
    assert np.array_equal(decode(tmp_path / "opaque.png", 40), reference(tmp_path / "opaque.png", 40))


def test_frames_are_remarked(tmp_path: Path) -> None:
    COLOURS.save(tmp_path / "moving.gif", save_all=True, append_images=[COLOURS.rotate(90)])
    COLOURS.save(tmp_path / "pages.tiff", save_all=True, append_images=[COLOURS.rotate(90)])
    found = list(decode_all([tmp_path / "moving.gif", tmp_path / "pages.tiff"], 16))
    assert [picture.remarks for picture in found if isinstance(picture, Picture)] == [(FRAMES,), (FRAMES,)]


def test_threads_keep_the_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(100)]
    for number, path in enumerate(paths):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(path)
    found = [picture.pixels[0, 0, 0] for picture in decode_all(paths, 8) if isinstance(picture, Picture)]
    assert found == list(range(100))
