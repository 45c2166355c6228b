"""Files of a running search: a storage that fails does not end it."""

from pathlib import Path

import pytest

from groupdir.config.space import StudyConfig
from groupdir.files.study_files import EVENT_LOG
from launch.study.snapshots import Snapshots, try_snapshot
from launch.study.study import Study
from tests.launch.conftest import CONTENT


def stored_at(folder: Path, uri: str) -> Study:
    search = {**CONTENT["search"], "storage_path": uri, "snapshot_minutes": 1e-9}
    return Study.create(folder, StudyConfig.from_dict({**CONTENT, "search": search}))


@pytest.mark.parametrize("uri", ["nowhere://bucket/path", "file:///proc/nothing"])
def test_a_storage_that_fails_is_told_of_and_the_search_goes_on(results: Path, uri: str) -> None:
    study = stored_at(results / "small", uri)
    said: list[str] = []
    study.state.epochs = 1
    Snapshots(study, said.append).refresh()
    assert len(said) == 1
    assert f"no snapshot in {uri}" in said[0]
    assert str(study.folder / EVENT_LOG) in said[0]
    assert (study.folder / "epochs.parquet").is_file(), "the local ones are written first"
    study.close()


def test_a_full_disk_is_told_of(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(study: Study) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("launch.study.snapshots.write_tables", full)
    said: list[str] = []
    try_snapshot(study, said.append)
    assert "No space left" in said[0]


def test_a_disk_that_the_copy_of_the_store_fills_is_told_of(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended the search."""
    study = stored_at(results / "small", (tmp_path / "far").as_uri())
    copy = tmp_path / "copy"
    copy.symlink_to("/dev/full")
    monkeypatch.setattr("launch.study.snapshots.partial_path", lambda path: copy)
    said: list[str] = []
    try_snapshot(study, said.append)
    assert len(said) == 1
    assert "no snapshot in" in said[0]
    assert not copy.is_symlink(), "what is left of it would keep the disk full"
    study.close()


def test_copies_go_to_the_storage(results: Path, tmp_path: Path) -> None:
    study = stored_at(results / "small", (tmp_path / "far").as_uri())
    said: list[str] = []
    try_snapshot(study, said.append)
    assert not said
    names = {path.name for path in (tmp_path / "far" / study.config.name).iterdir()}
    assert names == {EVENT_LOG, "epochs.parquet", "trials.parquet"}
    study.close()
