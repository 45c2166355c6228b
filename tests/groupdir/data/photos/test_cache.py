"""Pictures are decoded once, whoever asks and whoever dies; what does not hold is found and made again."""

import errno
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms
from torchvision.datasets.folder import default_loader

from groupdir.config.datasets import PhotosConfig
from groupdir.data.decode import Decoding, decode_all
from groupdir.data.manifest import Rows
from groupdir.data.photos import cache
from groupdir.data.photos.cache import cache_key, open_or_build
from groupdir.errors import DataError
from tests.checkout import ROOT
from tests.toy.photos import Lamps, write_lamps

SIZE = 32
COUNT = 300


@pytest.fixture(scope="module")
def lamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that no test changes."""
    return write_lamps(tmp_path_factory.mktemp("lamps"), train=COUNT, val=4)


def rows_of(root: Path) -> Rows:
    return Lamps(PhotosConfig(name="lamps", root=str(root))).rows("train")


def reference(path: Path, size: int = SIZE) -> np.ndarray:
    """Torchvision's own loader and resize."""
    return np.asarray(transforms.Resize((size, size))(default_loader(str(path))))


def files(folder: Path) -> list[str]:
    return sorted(path.name.partition(".")[2] for path in folder.iterdir())


BUILD = """
import pickle, sys
from pathlib import Path
from groupdir.data.photos import cache
rows, size, folder, slow = pickle.loads(sys.stdin.buffer.read())
build = cache._build
def told(*arguments):
    print("built", flush=True)
    return build(*arguments)
cache._build = told
if slow:
    import time
    decode_all = cache.decode_all
    def slowly(*arguments):
        for number, picture in enumerate(decode_all(*arguments)):
            if number == 100:
                print("halfway", flush=True)
            time.sleep(slow)
            yield picture
    cache.decode_all = slowly
print(cache.open_or_build(rows, size, folder).shape)
"""


def builder(lamps: Path, folder: Path, slow: float = 0.0) -> subprocess.Popen[bytes]:
    """A process that opens the cache, says if it builds it, and waits after every picture."""
    command, root = [sys.executable, "-c", BUILD], ROOT
    process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=root)
    assert process.stdin is not None
    process.stdin.write(pickle.dumps((rows_of(lamps), SIZE, folder, slow)))
    process.stdin.close()
    process.stdin = None
    return process


def test_pictures_are_those_of_torchvisions_loader_and_resize(lamps: Path, tmp_path: Path) -> None:
    rows = rows_of(lamps)
    cached = open_or_build(rows, SIZE, tmp_path / "a" / "b")
    pictures = cached.pictures()
    assert pictures.shape == cached.shape == (COUNT, SIZE, SIZE, 3)
    assert pictures.dtype == np.uint8
    assert not pictures.flags.writeable
    assert isinstance(pictures, np.memmap)
    for index in range(0, COUNT, 7):
        assert np.array_equal(pictures[index], reference(rows.files[index]))
    assert files(tmp_path / "a" / "b") == ["", "json", "pictures"]  # "": the lock


def test_a_second_opening_decodes_nothing(lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_or_build(rows_of(lamps), SIZE, tmp_path)
    monkeypatch.setattr(cache, "decode_all", lambda *_: pytest.fail("decoded again"))
    assert open_or_build(rows_of(lamps), SIZE, tmp_path) == first


def test_the_key_follows_the_rows_the_size_and_the_files_but_not_the_folder(lamps: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(lamps, root)
    rows = rows_of(root)
    key = cache_key(rows, SIZE)
    assert key == cache_key(rows_of(lamps), SIZE)  # copytree keeps the times
    assert key != cache_key(rows, SIZE + 1)
    assert key != cache_key(Rows(rows.files[1:], rows.y[1:], rows.numbers[1:], rows.manifest), SIZE)
    assert key != cache_key(Rows(rows.files[::-1], rows.y, rows.numbers, rows.manifest), SIZE)
    decodings = [Decoding(orient, colour) for orient in (False, True) for colour in (None, "white", "black")]
    assert len({cache_key(rows, SIZE, decoding) for decoding in decodings} | {key}) == 6
    os.utime(rows.files[5], ns=(0, 1))
    changed = cache_key(rows, SIZE)
    rows.files[5].unlink()
    assert len({key, changed, cache_key(rows, SIZE)}) == 3


def test_broken_pictures_are_left_out_and_named(lamps: Path, tmp_path: Path) -> None:
    root = tmp_path / "broken"
    shutil.copytree(lamps, root)
    rows = rows_of(root)
    rows.files[0].write_bytes(rows.files[0].read_bytes()[:400])  # cut
    rows.files[63].write_bytes(b"")
    rows.files[64].write_text("no picture")
    rows.files[200].unlink()
    rows.files[201].unlink()
    rows.files[201].mkdir()
    Image.fromarray(np.full((8, 8), 9000, np.uint16)).save(rows.files[COUNT - 1], "PNG")
    cached = open_or_build(rows, SIZE, tmp_path / "cache")
    assert [index for index, _ in cached.broken] == [0, 63, 64, 200, 201, COUNT - 1]
    why = [text for _, text in cached.broken]
    assert all(text.startswith("cannot be read as a picture: ") for text in (*why[:3], why[4]))
    assert why[3] == "no such file"
    assert why[5] == "must have 8 bits per channel, got mode I;16"
    kept = np.delete(np.arange(COUNT), [index for index, _ in cached.broken])
    pictures = cached.pictures()
    assert len(pictures) == len(kept)
    for at in (0, 61, 62, 63, 196, 197, len(kept) - 1):
        assert np.array_equal(pictures[at], reference(rows.files[kept[at]]))
    assert open_or_build(rows, SIZE, tmp_path / "cache") == cached


def test_two_processes_at_once_build_once(lamps: Path, tmp_path: Path) -> None:
    running = [builder(lamps, tmp_path / "cache", 0.003) for _ in range(3)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert sorted(out.count(b"built") for out, _ in said) == [0, 0, 1]
    assert all(f"({COUNT}, {SIZE}, {SIZE}, 3)" in out.decode() for out, _ in said)


def test_a_killed_builder_leaves_nothing_that_another_trusts(lamps: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    first = builder(lamps, folder, 0.01)
    assert first.stdout is not None
    assert first.stdout.readline() == b"built\n"
    assert first.stdout.readline() == b"halfway\n"
    second = builder(lamps, folder)
    time.sleep(0.5)
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    assert out.splitlines()[0] == b"built"
    assert files(folder) == ["", "json", "pictures"]
    cached = open_or_build(rows_of(lamps), SIZE, folder)
    assert np.array_equal(cached.pictures()[-1], reference(rows_of(lamps).files[-1]))


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a bit at the start": lambda path: flip(path, 0),
    "a bit at the end": lambda path: flip(path, -1),
    "a bit in the middle": lambda path: flip(path, COUNT * SIZE * SIZE * 3 // 2),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: os.truncate(path, path.stat().st_size + 1),
    "gone": lambda path: path.unlink(),
    "an empty JSON": lambda path: path.with_suffix(".json").write_text(""),
    "half a JSON": lambda path: path.with_suffix(".json").write_text('{"shape": [1, 2'),
    "another JSON": lambda path: path.with_suffix(".json").write_text('{"shape": 3}'),
    "a JSON of a list": lambda path: path.with_suffix(".json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_found_and_built_anew(damage: str, lamps: Path, tmp_path: Path) -> None:
    cached = open_or_build(rows_of(lamps), SIZE, tmp_path)
    before = np.array(cached.pictures())
    DAMAGES[damage](cached.path)  # type: ignore[no-untyped-call]
    if damage == "gone":
        again = open_or_build(rows_of(lamps), SIZE, tmp_path)
    else:
        with pytest.warns(UserWarning, match=r"\.pictures: is broken \(.*\); it is built again"):
            again = open_or_build(rows_of(lamps), SIZE, tmp_path)
    assert np.array_equal(again.pictures(), before)
    assert open_or_build(rows_of(lamps), SIZE, tmp_path) == again == cached


def test_no_flipped_bit_is_used(lamps: Path, tmp_path: Path) -> None:
    """270 single flips, 135 in each file of a cache: every one is found, or changes nothing that is read."""
    rows = rows_of(lamps)
    rows = Rows(rows.files[:70], rows.y[:70], rows.numbers[:70], rows.manifest)
    cached = open_or_build(rows, 8, tmp_path)
    before, key = np.array(cached.pictures()), cache_key(rows, 8)
    rng = random.Random(0)
    for path in (cached.path, cached.path.with_suffix(".json")):
        whole = path.read_bytes()
        for bit in rng.sample(range(8 * len(whole)), 135):
            broken = bytearray(whole)
            broken[bit // 8] ^= 1 << bit % 8
            path.write_bytes(broken)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                opened = cache._existing(tmp_path, key)
            assert opened is None or (opened == cached and np.array_equal(opened.pictures(), before)), (path, bit)
            assert opened is None or path.suffix == ".json"
        path.write_bytes(whole)
    assert cache._existing(tmp_path, key) == cached


def test_of_a_large_cache_some_blocks_are_checked(lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_WHOLE", 0)
    monkeypatch.setattr(cache, "_SAMPLE", 2)
    cached = open_or_build(rows_of(lamps), SIZE, tmp_path)
    flip(cached.path, COUNT * SIZE * SIZE * 3 // 2)  # in a block that is not looked at
    assert open_or_build(rows_of(lamps), SIZE, tmp_path) == cached
    for at in (10, -10):
        flip(cached.path, at)
        with pytest.warns(UserWarning, match="the checksum of pictures"):
            open_or_build(rows_of(lamps), SIZE, tmp_path)


def test_what_is_read_back_otherwise_is_refused(lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.os, "fsync", lambda number: os.pwrite(number, b"\x01\x02\x03", 0))
    with pytest.raises(DataError, match=r"was written, but reads back differently .* check the disk"):
        open_or_build(rows_of(lamps), SIZE, tmp_path)
    assert files(tmp_path) == [""]


def test_a_full_disk_is_seen_before_anything_is_decoded(
    lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 10**6, 10**6))
    monkeypatch.setattr(cache, "decode_all", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"take 0\.92 GB, and 0\.07 GB must stay free, got 0\.00 GB free: delete files"):
        open_or_build(rows_of(lamps), 1010, tmp_path)
    assert files(tmp_path) == [""]


@pytest.mark.parametrize("at", ["reserve", "write", "end"])
def test_a_disk_that_fills_up_leaves_nothing(
    at: str, lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: Any) -> Iterator[Any]:
        raise full

    def fails_later(*arguments: Any) -> Iterator[Any]:
        for number, picture in enumerate(decode_all(*arguments)):
            if number == 150:
                raise full
            yield picture

    target, name, instead = {
        "reserve": (cache.os, "posix_fallocate", fail),
        "write": (cache, "decode_all", fails_later),  # stands for file.write, which is called beside it
        "end": (cache.os, "fsync", fail),
    }[at]
    with monkeypatch.context() as patch:
        patch.setattr(target, name, instead)
        with pytest.raises(DataError, match=r"the decoded pictures take 0\.00 GB, .* set data\.cache to a folder on"):
            open_or_build(rows_of(lamps), SIZE, tmp_path)
        assert files(tmp_path) == [""]
    assert open_or_build(rows_of(lamps), SIZE, tmp_path).shape[0] == COUNT


def test_a_folder_that_cannot_be_made_is_named(lamps: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"pictures cannot be cached in this folder: .* set data\.cache to a folder"):
        open_or_build(rows_of(lamps), SIZE, tmp_path / "file" / "cache")


def test_what_is_pickled_is_a_name(lamps: Path, tmp_path: Path) -> None:
    cached = open_or_build(rows_of(lamps), SIZE, tmp_path)
    content = pickle.dumps(cached)
    assert len(content) < 1000
    assert pickle.loads(content) == cached  # noqa: S301 - our own bytes
    checksums = json.loads(cached.path.with_suffix(".json").read_text())["checksums"]
    assert len(checksums) == -(-COUNT // 64)
