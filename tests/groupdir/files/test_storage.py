"""Places: a folder and a bucket behave the same."""

from pathlib import Path

import pytest

from groupdir.errors import ConfigError
from groupdir.files.storage import Place, local_copy
from tests.s3 import S3


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place.at(tmp_path / "far")
    return Place.at(request.getfixturevalue("server").uri(tmp_path.name))


def test_files_are_written_read_listed_and_removed(place: Place) -> None:
    assert place.names() == []
    assert place.sizes() == {}
    (place / "a" / "one.txt").write(b"1")
    (place / "a" / "deep" / "two.txt").write(b"22")
    (place / "three.txt").write(b"333")
    assert place.names() == ["a", "three.txt"]
    assert place.sizes() == {"a": 3, "three.txt": 3}
    assert (place / "a" / "deep" / "two.txt").read() == b"22"
    assert (place / "three.txt").is_file()
    assert not (place / "a").is_file()
    assert not (place / "none").is_file()
    (place / "a").remove()
    (place / "a").remove()
    (place / "three.txt").remove()
    assert place.names() == []
    with pytest.raises(FileNotFoundError):
        (place / "three.txt").read()


def test_a_file_is_written_over(place: Place, tmp_path: Path) -> None:
    (place / "file").write(b"old")
    (tmp_path / "new").write_bytes(b"newer")
    (place / "file").put_whole(tmp_path / "new")
    assert (place / "file").read() == b"newer"
    assert place.names() == ["file"]


def test_folders_are_copied_there_about_and_back(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "trial.pt").write_bytes(b"w" * 1000)
    (source / "deep" / "more").write_bytes(b"m")
    (place / "copy").put(source)
    (place / "again").put(place / "copy")
    (place / "again" / "trial.pt").put(source / "deep" / "more")
    assert place.sizes() == {"copy": 1001, "again": 2}
    (place / "copy").fetch(tmp_path / "back")
    assert (tmp_path / "back" / "trial.pt").read_bytes() == b"w" * 1000
    with local_copy(str(place / "copy")) as folder:
        assert (folder / "deep" / "more").read_bytes() == b"m"
    assert folder.exists() == (place.path is not None), "what was fetched for a moment is removed"


@pytest.mark.parametrize(
    ("text", "base", "query", "local"),
    [
        ("s3://bucket", "s3://bucket", "", False),
        ("s3://bucket/a/b/", "s3://bucket/a/b", "", False),
        ("s3://bucket/a?region=eu-west-1", "s3://bucket/a", "?region=eu-west-1", False),
        ("/mnt/shared/", "/mnt/shared", "", True),
        ("file:///mnt/with%20space", "/mnt/with space", "", True),
    ],
)
def test_what_a_person_names(text: str, base: str, query: str, local: bool) -> None:
    place = Place.at(text)
    assert (place.base, place.query) == (base, query)
    assert (place.path is not None) == local
    assert str(place / "x") == f"{base}/x{query}"


def test_a_relative_folder_is_made_absolute() -> None:
    assert Place.at("results").path == Path.cwd() / "results"


def test_a_storage_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="nowhere://bucket: must be a storage that can be reached"):
        Place.at("nowhere://bucket/folder").names()


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_an_error_with_its_name(server: S3) -> None:
    with pytest.raises(OSError, match="other-bucket"):
        (Place.at("s3://other-bucket/x") / "file").write(b"")


def test_another_server_is_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one may be gone."""
    found = []
    for port in (5001, 5002, 5001):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        found.append(Place.at("s3://bucket/folder")._open()[0])
    assert found[0] is found[2]
    assert found[0] is not found[1]
