"""Files that are exported from the event log: their content, and when they are written again."""

from collections.abc import Callable

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from groupdir.study.events import Kind
from launch.study.export import is_exported, mark_exported, write_tables, write_tensorboard
from launch.study.study import Study

Suggest = Callable[[Study], int]
Train = Callable[..., None]


@pytest.fixture
def exported(study: Study, suggest: Suggest, train: Train) -> Study:
    """A study with exported files."""
    train(study, suggest(study), [5.0, float("nan"), 4.0], "finished")
    train(study, suggest(study), [6.0], "stopped")
    write_tables(study)
    write_tensorboard(study)
    mark_exported(study)
    return study


def test_tensorboard_shows_curves_final_values_and_parameters(exported: Study) -> None:
    run = EventAccumulator(str(exported.folder / "tensorboard" / "0000"))
    run.Reload()
    curve = run.Scalars("curve/val_mae_many")
    assert [(event.step, round(event.value, 3)) for event in curve] == [(1, 6.0), (3, 5.0)]
    assert [round(event.value, 3) for event in run.Scalars("val_mae_many")] == [5.0]
    assert [event.step for event in run.Scalars("val_mae_all")] == [1, 3], "this metric is no objective"
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(run.summary_metadata)


def test_an_export_of_the_present_state_is_not_repeated(exported: Study) -> None:
    assert is_exported(exported)
    exported.append("driver", payload={"action": "end", "pid": 1})
    assert is_exported(exported), "the end of a driver changes no file"


@pytest.mark.parametrize("kind", ["started", "checkpoint", "failed"])
def test_an_event_of_a_trial_makes_the_export_old(exported: Study, kind: Kind) -> None:
    exported.append(kind, trial=1, epoch=1, payload={"message": "x", "path": "x"})
    assert not is_exported(exported)
    mark_exported(exported)
    assert is_exported(exported)


@pytest.mark.parametrize("name", ["trials.parquet", "epochs.parquet", "tensorboard/exported.json"])
def test_a_file_that_was_changed_or_removed_makes_the_export_old(exported: Study, name: str) -> None:
    path = exported.folder / name
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert not is_exported(exported)
    path.unlink()
    assert not is_exported(exported)
