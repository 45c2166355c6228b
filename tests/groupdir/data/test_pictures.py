"""One random view of small pictures, and pictures of one's own for a prediction."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from groupdir.data.base import InputSpec
from groupdir.data.drawn.digits import Digits
from groupdir.data.drawn.faces import Faces
from groupdir.data.pictures import read_pictures, shift_noise
from groupdir.errors import DataError

SPEC = InputSpec("image", (1, 32, 32))
BYTES = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)


def png(array: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def test_a_view_moves_up_to_two_pixels_changes_contrast_and_adds_noise() -> None:
    dots = torch.zeros(4000, 1, 32, 32)
    dots[:, :, 16, 16] = 100.0
    views = shift_noise(dots, torch.Generator().manual_seed(0))[:, 0]
    at = views.flatten(1).argmax(1)
    moved = torch.stack([at // 32 - 16, at % 32 - 16], dim=1)
    assert {tuple(pair) for pair in moved.tolist()} == {(a, b) for a in range(-2, 3) for b in range(-2, 3)}
    gain = views.flatten(1).amax(1) / 100
    assert gain.min() > 0.89
    assert gain.max() < 1.11
    assert gain.std() == pytest.approx(0.2 / 12**0.5, rel=0.05)
    assert views[:, :10].std() == pytest.approx(0.05, rel=0.01)


def test_the_edge_is_mirrored() -> None:
    columns = torch.arange(32.0).expand(500, 1, 32, 32)
    views = shift_noise(10 * columns, torch.Generator().manual_seed(0))[:, 0]
    gain = (views[:, 0, 20] - views[:, 0, 10]) / 100
    first = (views[:, 0, :2] / gain[:, None] / 10).round().int()
    assert {tuple(pair) for pair in first.tolist()} == {(2, 1), (1, 0), (0, 1), (1, 2), (2, 3)}


def test_a_view_of_several_channels_moves_them_together() -> None:
    pictures = torch.rand(5, 1, 32, 32).expand(5, 3, 32, 32)
    views = shift_noise(pictures, torch.Generator().manual_seed(0))
    assert views.shape == (5, 3, 32, 32)
    assert views.is_contiguous()
    assert (views[:, 0] - views[:, 1]).abs().max() < 0.6  # noise alone
    assert torch.corrcoef(views[:, :2].movedim(1, 0).flatten(1))[0, 1] > 0.9


@pytest.mark.parametrize("plugin", [Digits, Faces])
def test_arrays_are_read_as_they_are(plugin: type[Digits | Faces], tmp_path: Path) -> None:
    floats = BYTES / 255
    for file, content in {
        "flat.npy": npy(floats),
        "channel.npy": npy(floats[:, None].astype(np.float32)),
        "half.npy": npy(floats.astype(np.float16)),
        "bytes.npy": npy(BYTES),
        "long.npy": npy(BYTES.astype(np.int64)),
        "one.npz": npz(pictures=BYTES),
        "BIG.NPY": npy(BYTES),
    }.items():
        (tmp_path / file).write_bytes(content)
        (found,), names = plugin.read_inputs(tmp_path / file, SPEC)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[:, 0], floats, atol=1e-3 if file == "half.npy" else 1e-6)
        assert list(names) == [0, 1, 2]


def test_the_data_sets_own_pictures_can_be_read_back(tmp_path: Path, digits: Digits) -> None:
    (own,) = digits.split("val").inputs
    np.save(tmp_path / "own.npy", own)
    (found,), _ = Digits.read_inputs(tmp_path / "own.npy", digits.inputs)
    assert np.array_equal(found, own)  # noise below 0 and above 1 included


def test_a_picture_is_made_grey_and_resized(tmp_path: Path) -> None:
    left = np.zeros((64, 48, 3), dtype=np.uint8)
    left[:, :24] = (255, 0, 0)
    (tmp_path / "red.png").write_bytes(png(left))
    (found,), names = read_pictures(tmp_path / "red.png", SPEC)
    assert found.shape == (1, 1, 32, 32)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0, :, :14], 76 / 255, atol=1e-6)  # 0.299 of red
    np.testing.assert_allclose(found[0, 0, :, 18:], 0)
    assert list(names) == ["red.png"]


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    for orientation, way in ((3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(BYTES[0]).transpose(way).save(tmp_path / "phone.png", exif=exif)
        (found,), _ = read_pictures(tmp_path / "phone.png", SPEC)
        np.testing.assert_allclose(found[0, 0], BYTES[0] / np.float32(255), atol=1e-6)


def test_a_transparent_picture_is_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32)).save(tmp_path / "nothing.png")
    (found,), _ = read_pictures(tmp_path / "nothing.png", SPEC)
    assert (found == 1).all()


def test_a_picture_equals_the_same_array(tmp_path: Path) -> None:
    for kind in ("png", "bmp", "gif", "pgm"):
        path = tmp_path / f"one.{kind}"
        path.write_bytes(png(BYTES[0], "PPM" if kind == "pgm" else kind.upper()))
        np.testing.assert_allclose(read_pictures(path, SPEC)[0][0][0, 0], BYTES[0] / np.float32(255), atol=1e-6)


def test_a_folder_gives_its_pictures_by_name_and_nothing_else(tmp_path: Path) -> None:
    for number, file in enumerate(("b.png", "a.PNG", "c.jpg")):
        kind = "JPEG" if file.endswith("jpg") else "PNG"
        (tmp_path / file).write_bytes(png(np.full((32, 32), 60 * number, np.uint8), kind))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._b.png").write_bytes(b"a file that macOS leaves on other disks")
    (tmp_path / "more").mkdir()
    with pytest.warns(UserWarning, match=r"3 of 6 entries are left out, .* \(such as \._b\.png\)"):
        (found,), names = read_pictures(tmp_path, SPEC)
    assert list(names) == ["a.PNG", "b.png", "c.jpg"]
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)) * 255, [60, 0, 120], atol=2)


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "another size": ("x.npy", lambda: npy(BYTES[:, :28]), r"must have the shape .* got \(3, 28, 32\): resize"),
    "one picture without its axis": ("x.npy", lambda: npy(BYTES[0]), r"must have the shape .* got \(32, 32\)"),
    "one number": ("x.npy", lambda: npy(np.array(1.0)), r"must have the shape .* got \(\)"),
    "colours": ("x.npy", lambda: npy(np.zeros((3, 3, 32, 32))), r"must have the shape .* got \(3, 3, 32, 32\)"),
    "texts": ("x.npy", lambda: npy(np.full((3, 32, 32), "a")), "must hold numbers, got <U1"),
    "complex": ("x.npy", lambda: npy(BYTES.astype(complex)), "must hold numbers, got complex128"),
    "objects": ("x.npy", lambda: npy(np.full((1, 32, 32), None), allow_pickle=True), "cannot be read as an array"),
    "NaN": ("x.npy", lambda: npy(np.full((3, 32, 32), np.nan)), "must be finite"),
    "bytes as floats": ("x.npy", lambda: npy(BYTES.astype(float)), r"floats 0..1 .* got float64 0.0..255.0: rescale"),
    "too large": ("x.npy", lambda: npy(BYTES.astype(int) + 1), r"whole numbers 0..255, got int64 1..256: rescale"),
    "negative": ("x.npy", lambda: npy(BYTES.astype(int) - 1), r"whole numbers 0..255, got int64 -1..254: rescale"),
    "an empty file": ("x.npy", lambda: b"", "cannot be read as an array"),
    "a text": ("x.npy", lambda: b"no array", "cannot be read as an array"),
    "a cut array": ("x.npy", lambda: npy(BYTES)[:-100], "cannot be read as an array"),
    "a broken header": ("x.npy", lambda: npy(BYTES).replace(b"}", b"("), "cannot be read as an array"),
    "two arrays": ("x.npz", lambda: npz(a=BYTES, b=BYTES), "must hold one array, got a, b"),
    "no array": ("x.npz", npz, "must hold one array, got none"),
    "a cut archive": ("x.npz", lambda: npz(a=BYTES)[:200], "cannot be read as an array"),
    "a flipped archive": ("x.npz", lambda: flipped(npz(a=BYTES // 64)), "cannot be read as an array"),
    "a cut picture": ("x.png", lambda: png(BYTES[0])[:300], "cannot be read as a picture"),
    "an empty picture": ("x.png", lambda: b"", "cannot be read as a picture"),
    "a text as a picture": ("x.jpg", lambda: b"no picture", "cannot be read as a picture"),
    "16 bits": ("x.png", lambda: png(BYTES[0].astype(np.uint16) * 257), "must have 8 bits per channel, got mode I;16"),
}


def flipped(content: bytes) -> bytes:
    """An archive whose compressed part is no longer valid, while its directory is."""
    return content[:80] + bytes(byte ^ 0xFF for byte in content[80:120]) + content[120:]


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_picture_is_refused_by_its_name(case: str, tmp_path: Path) -> None:
    file, content, says = REFUSED[case]
    path = tmp_path / file
    path.write_bytes(content())
    with pytest.raises(DataError, match=says) as error:
        read_pictures(path, SPEC)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_missing_files_and_empty_folders_are_refused_by_name(tmp_path: Path) -> None:
    for path, says in {
        tmp_path / "no.npy": "cannot be read as an array",
        tmp_path / "no.png": "no such file: name a picture",
        tmp_path: "must hold pictures (.png, .jpg",
    }.items():
        with pytest.raises(DataError) as error:
            read_pictures(path, SPEC)
        assert str(error.value).startswith(f"{path}: ")
        assert says in str(error.value)


def test_one_broken_picture_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(BYTES[0]))
    (tmp_path / "b.png").write_bytes(png(BYTES[0])[:100])
    with pytest.raises(DataError) as error:
        read_pictures(tmp_path, SPEC)
    assert str(error.value).startswith(f"{tmp_path / 'b.png'}: ")
