"""Checkpoints: none of a trial that has ended is left, none of one that has not is touched."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from launch.study.checkpoints import keep, remove, sweep
from launch.study.study import Study

Suggest = Callable[[Study], int]


def written(study: Study, name: str) -> Path:
    folder = Path(str(study.storage)) / "run-1" / name / "checkpoint_000000"
    folder.mkdir(parents=True)
    (folder / "trial.pt").write_bytes(b"weights")
    return folder


def test_the_folder_of_a_promoted_trial_is_removed_too(study: Study) -> None:
    """Ray adds a suffix where a folder of this name is there already."""
    own = [written(study, "trial-0001"), written(study, "trial-0001_ab12")]
    others = [written(study, "trial-0011"), written(study, "trial-00010")]
    remove(study, 1)
    assert not any(folder.exists() for folder in own)
    assert all(folder.exists() for folder in others)


def test_a_sweep_takes_what_ended_trials_left(study: Study, suggest: Suggest) -> None:
    """Those that were paused for good end without Ray; others ended, and then the driver died."""
    folders = [written(study, f"trial-{suggest(study):04d}") for _ in range(4)]
    study.append("stopped", trial=0)
    study.append("paused", trial=1)
    study.append("failed", trial=3, payload={"message": "loss is nan"})
    sweep(study)
    assert [folder.exists() for folder in folders] == [False, True, True, False]


def test_without_room_for_a_copy_the_source_stays(
    study: Study, suggest: Suggest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written(study, f"trial-{suggest(study):04d}")
    study.append("checkpoint", trial=0, epoch=4, payload={"path": str(source)})

    def full(source: str, target: Path, dirs_exist_ok: bool) -> None:
        raise shutil.Error("No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    assert "No space left" in keep(study, 0)
    sweep(study)
    assert source.exists()
    assert (study.state.trials[0].status, study.state.trials[0].checkpoint) == ("finished", str(source))
    assert not list((study.folder / "checkpoints").iterdir())
