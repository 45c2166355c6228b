"""Files and folders appear whole or not at all, and errors say what to do."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from groupdir.errors import DataError, FileWriteError
from groupdir.files.write_whole import (
    create_whole,
    discard_partials,
    make_folder,
    partial_path,
    whole_file,
    whole_folder,
    write_whole,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["Größe\n", b"\0\xff"])
@pytest.mark.parametrize("durable", [False, True])
def test_texts_and_bytes(tmp_path: Path, content: str | bytes, durable: bool) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    assert write_whole(file, content, durable=durable) == file
    assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path) == ["a.txt"]


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with whole_file(file) as partial:
        partial.write_text("ne")
        assert file.read_text() == "old"
        assert partial.parent == tmp_path, "a rename across file systems copies"
        partial.write_text("new")
    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_content_and_no_partial_file(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("old")

    def fail(context: AbstractContextManager[Path], name: str) -> None:
        with context as partial:
            (partial / name).write_text("ne")
            raise error

    with pytest.raises(error):
        fail(whole_file(tmp_path / "a" / "file"), "")
    with pytest.raises(error):
        fail(whole_folder(tmp_path / "a", replace=True), "file")
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["file"]


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "a"
    with whole_folder(folder) as partial:
        (partial / "one").touch()
        assert not folder.exists()
    with whole_folder(folder, replace=True) as partial:
        (partial / "two").touch()
    assert names(folder) == ["two"]
    with pytest.raises(FileWriteError, match="Directory not empty"), whole_folder(folder) as partial:
        (partial / "three").touch()
    assert names(folder) == ["two"]
    assert names(folder.parent) == ["a"]


def test_a_partial_file_names_its_process(tmp_path: Path) -> None:
    first, second = partial_path(tmp_path / "a.txt"), partial_path(tmp_path / "a.txt")
    assert first != second, "two threads may write the same file"
    host = socket.gethostname().partition(".")[0]
    assert first.name.startswith(f".a.txt.{host}.{os.getpid()}-")
    assert first.name.endswith(".part")


def full(file: Path) -> None:
    with whole_file(file) as partial:
        partial.unlink()
        partial.symlink_to("/dev/full")
        partial.write_text("x")


def read_only(file: Path) -> None:
    with whole_file(file) as partial:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(partial))


def stale(file: Path) -> None:
    with whole_file(file) as partial:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(partial))


@pytest.mark.parametrize(
    ("write", "folder", "says"),
    [
        (full, "", r"a\.txt: cannot be written: the disk of .* is full \([0-9,]+ bytes free\): free some space there"),
        (read_only, "", r"a\.txt: cannot be written: .* is read-only for this user: make it writable, or choose"),
        (lambda file: write_whole(file, "x"), "no", r"the folder .*/no does not exist: create it"),
        (lambda file: write_whole(file.with_name("a" * 300), "x"), "", r"File name too long: choose a shorter name"),
        (lambda file: write_whole(file.parent / "folder", "x"), "", r"Is a directory: a folder of this name is in the"),
        (stale, "", r"a\.txt: cannot be written: Stale file handle: the network file system has lost the folder"),
        (lambda file: write_whole(file, "x"), "file", r"the folder .*/file does not exist: create it"),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, write: Callable[[Path], None], folder: str, says: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=says) as caught:
        write(tmp_path / folder / "a.txt")
    assert isinstance(caught.value, FileWriteError)
    assert caught.value.disk_full == (write is full)
    assert names(tmp_path) == ["file", "folder"]


def test_an_error_about_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), whole_file(tmp_path / "a.txt"):
        (tmp_path / "other").read_text()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "a.txt"
    link.symlink_to(tmp_path / "disk" / "real.txt")
    write_whole(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "disk" / "real.txt").read_text() == "new"


def test_a_process_that_is_killed_leaves_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom groupdir.files.write_whole import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('ne')\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    assert file.read_text() == "old"
    (left,) = [name for name in names(tmp_path) if name != "a.txt"]
    assert f".{writer.pid}-" in left
    partial_path(file).mkdir()
    partial_path(tmp_path / "b.txt").touch()
    discard_partials(file)
    assert [name.partition(".txt")[0] for name in names(tmp_path)] == [".b", "a"], "only those of that path"


def test_a_folder_is_created_with_those_above_it(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b") == make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("below", ["", "new/folder"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileWriteError, match=r"cannot be created: .*/file is a file: choose another folder"):
        make_folder(tmp_path / "file" / below)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_exists_is_not_created(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:  # a disk without hard links
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert create_whole(tmp_path / "a.txt", "first")
    assert not create_whole(tmp_path / "a.txt", "second")
    assert (tmp_path / "a.txt").read_text() == "first"
    assert names(tmp_path) == ["a.txt"]
    with pytest.raises(FileWriteError, match="does not exist: create it"):
        create_whole(tmp_path / "no" / "a.txt", b"x")
