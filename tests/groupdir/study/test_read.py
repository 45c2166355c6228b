"""A study's folder as a reader sees it, and folders that an older version wrote."""

import sqlite3
from pathlib import Path

import pytest

from groupdir.errors import DataError
from groupdir.files.study_files import EVENT_LOG, OLD_BENCHMARK
from groupdir.study.read import event_log, read_study
from groupdir.study.store import Store
from launch.benchmark import run_benchmark
from launch.study.study import Study
from tests.launch.conftest import CONTENT

OLD = r"small: was written by an older groupdir \(schema 1, this version reads 2\): search again, or use the version"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study that a driver has just begun, and that nobody has open."""
    folder = tmp_path / "small"
    folder.mkdir()
    store = Store.create(folder / EVENT_LOG, CONTENT)
    store.append("driver", payload={"action": "start", "pid": 1})
    store.append("warm", payload={"trials": [{"source": "a"}]})
    store.close()
    return folder


def test_configuration_and_state(folder: Path) -> None:
    study = read_study(folder)
    assert study.folder == folder
    assert study.config.name == "small"
    assert study.config.search.trials == 12
    assert study.state.runs == 1
    assert study.state.warm == [{"source": "a"}]


def test_events_one_by_one(folder: Path) -> None:
    with event_log(folder) as (config, store):
        assert config == read_study(folder).config
        assert [event.kind for event in store.events(after=1)] == ["warm"]
        with pytest.raises(ValueError, match="not open for writing"):
            store.append("stopped", trial=0)
    with pytest.raises(ValueError, match="not open for writing"):
        store.append("stopped", trial=0)


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"study\.sqlite: does not exist: name the folder of a study"):
        read_study(tmp_path)


@pytest.mark.parametrize("reader", [read_study, Study.open])
def test_a_study_of_an_older_version_is_refused(folder: Path, reader: type[Study]) -> None:
    with sqlite3.connect(folder / EVENT_LOG) as connection:
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    with pytest.raises(DataError, match=OLD) as caught:
        reader(folder)
    assert len(str(caught.value).splitlines()) == 1


def test_a_benchmark_of_an_older_version_is_refused(tmp_path: Path, root: Path) -> None:
    from groupdir.files.benchmark_pack import read_benchmark

    folder = tmp_path / "small"
    folder.mkdir()
    (folder / OLD_BENCHMARK).write_text("name: small\n", encoding="utf-8")
    with pytest.raises(DataError, match=OLD):
        Study.open(folder)
    with pytest.raises(DataError, match=OLD):
        read_benchmark(folder)
    with pytest.raises(DataError, match=OLD):
        run_benchmark(root / "search_spaces/baselines/table1_digits.yaml", out=folder)
