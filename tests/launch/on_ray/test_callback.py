"""What Ray's calls do to the record."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from launch.control.study_loop import StudyLoop
from launch.on_ray.callback import Recorder
from launch.schedulers.none import NoStopping
from launch.study.study import Study
from tests.epoch_report import report


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
    recorder = Recorder(study, StudyLoop(study, NoStopping(), "val_mae_all"), lambda: None, lambda text: None)

    def ends(epoch: int) -> str:
        trial: Any = SimpleNamespace(config={"trial": 0}, last_result={"epoch": epoch})
        recorder.on_trial_complete(0, [], trial)
        return study.state.trials[0].status

    assert ends(3) == "running"
    assert ends(5) == "finished"
