"""What Ray's calls do to the record."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray import cloudpickle

from groupdir.errors import StorageLostError
from launch.control.study_loop import StudyLoop
from launch.on_ray.callback import Recorder
from launch.on_ray.capacity import Coming
from launch.on_ray.nodes import Nodes
from launch.on_ray.slots import Slots
from launch.schedulers.none import NoStopping
from launch.study.study import Study
from tests.epoch_report import report


def recorder_of(study: Study, said: list[str]) -> Recorder:
    """A recorder on a cluster whose nodes are called as their ids."""
    names = {"a1": "w1", "b2": "w2"}
    nodes = Nodes(lambda node: lambda: "", said.append, lambda: names, lambda trial: trial.node)  # type: ignore[attr-defined]
    slots = Slots(study.config.search, lambda: [{"CPU": 4.0}], Coming())
    return Recorder(study, StudyLoop(study, NoStopping(), "val_mae_all"), nodes, slots, lambda: None, said.append)


def on_ray(node: str, error: BaseException | None = None, folder: Path | None = None) -> Any:
    """A trial of Ray on a node, with the error that it has raised, if any."""
    file = None
    if error is not None and folder is not None:
        file = str(folder / "error.pkl")
        Path(file).write_bytes(cloudpickle.dumps(error))
    return SimpleNamespace(
        config={"trial": 0}, trial_id="t0", node=node, last_result={"epoch": 2}, pickled_error_file=file
    )


def test_a_trial_that_moves_is_said_from_where_to_where(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    said: list[str] = []
    recorder = recorder_of(study, said)
    suggest(study)
    recorder.on_trial_start(0, [], on_ray("a1"))
    recorder.on_trial_start(0, [], on_ray("a1"))
    assert not said, "it was tried again where it was"
    recorder.on_trial_start(0, [], on_ray("b2"))
    assert said == ["trial 0 moved from w1 to w2 and starts from the beginning"]
    train(study, 0, [3.0, 2.0])
    study.append("checkpoint", trial=0, epoch=2, payload={"path": "/x"})
    recorder.on_trial_start(0, [], on_ray("a1"))
    assert said[1:] == ["trial 0 moved from w2 to w1 and continues after epoch 2"]
    nodes = [event.payload.get("node") for event in study.events() if event.kind == "started"]
    assert nodes == ["w1", "w1", "w2", None, "w1"], "the record says it too"


def test_a_node_that_lost_the_storage_neither_ends_the_search_nor_costs_a_checkpoint(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None], tmp_path: Path
) -> None:
    recorder = recorder_of(study, [])
    train(study, suggest(study), [3.0, 2.0])
    kept = Path(str(study.storage)) / "run-1" / "trial-0000" / "checkpoint_000000"
    kept.mkdir(parents=True)
    study.append("checkpoint", trial=0, epoch=2, payload={"path": str(kept)})
    recorder.on_trial_recover(0, [], on_ray("a1", StorageLostError("node w1: gone"), tmp_path))
    assert recorder.refused is None
    recorder.on_trial_error(0, [], on_ray("a1", StorageLostError("node w1: gone"), tmp_path))  # twenty times in a row
    assert isinstance(recorder.refused, StorageLostError)
    assert study.state.trials[0].status == "running", "a resume goes on with it"
    assert kept.is_dir()
    recorder.on_trial_error(0, [], on_ray("a1", RuntimeError("its own"), tmp_path))
    assert study.state.trials[0].status == "failed"
    assert not kept.exists()


def test_an_interrupt_on_the_way_back_to_the_last_epoch_finishes_nothing(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    """Its driver died between the last row and the last checkpoint: all rows are there, and its weights are not."""
    train(study, suggest(study), [3.0, 2.0, 1.0, 0.5])
    source = Path(str(study.storage)) / "run-1" / "trial-0000" / "checkpoint_000000"
    source.mkdir(parents=True)
    study.append("checkpoint", trial=0, epoch=2, payload={"path": str(source)})
    last = {**report(5), "last": True, "metrics": {}}
    study.append("epoch", trial=0, seed=study.state.trials[0].seed, epoch=5, payload=last)
    recorder = recorder_of(study, [])

    def ends(epoch: int) -> str:
        trial: Any = SimpleNamespace(config={"trial": 0}, last_result={"epoch": epoch})
        recorder.on_trial_complete(0, [], trial)
        return study.state.trials[0].status

    assert ends(3) == "running"
    assert ends(5) == "finished"
