"""A study that is moved, copied or reached by another path: no checkpoint that a resume may need is lost."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from groupdir.files.storage import Place
from groupdir.training.checkpoint import save_checkpoint
from launch.study.checkpoints import keep, located, recorded, sweep
from launch.study.study import Study

Suggest = Callable[[Study], int]
Train = Callable[..., None]
TRIALS = 8


def write(study: Study, trial: int, whole_path: bool) -> None:
    """A checkpoint of Ray's, and its event as this version or an older one writes it."""
    place = study.storage / f"run-1/trial-{trial:04d}/checkpoint_000001"
    save_checkpoint(Path(place.base) / "trial.pt", {"epoch": 4, "trial": trial})
    text = str(place) if whole_path else recorded(study, place)
    study.append("checkpoint", trial=trial, epoch=4, payload={"path": text})


@pytest.fixture(params=[False, True], ids=["this version", "whole paths of an older version"])
def folder(request: pytest.FixtureRequest, study: Study, suggest: Suggest, train: Train) -> Path:
    """Trials 0 to 2 kept, 3 and 4 left in Ray's folder because the copy failed, 5 running, 6 paused, 7 stopped."""
    for trial in range(TRIALS):
        train(study, suggest(study), [3.0, 2.0, 1.5, 1.0], "")
        write(study, trial, request.param)
        if trial < 3:
            keep(study, trial)
        elif trial < 5:
            study.append("finished", trial=trial, payload={"checkpoint": study.state.trials[trial].checkpoint})
    study.append("paused", trial=6)
    study.append("stopped", trial=7)
    study.close()
    return study.folder


def moved(folder: Path) -> Path:
    return folder.rename(folder.with_name("moved to another place"))


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.with_name("copy")))


def linked(folder: Path) -> Path:
    link = folder.with_name("link")
    link.symlink_to(folder)
    return link


def under_a_linked_parent(folder: Path) -> Path:
    link = folder.parent.with_name("other results")
    link.symlink_to(folder.parent)
    return link / folder.name


def by_dots(folder: Path) -> Path:
    return folder / ".." / folder.name


def without_lock_file(folder: Path) -> Path:
    (folder / "study.lock").unlink()
    return folder


@pytest.mark.parametrize("reach", [moved, copied, linked, under_a_linked_parent, by_dots, without_lock_file])
def test_no_file_is_lost(folder: Path, reach: Callable[[Path], Path]) -> None:
    reached = reach(folder)
    for _ in range(2):  # the second time all paths that the first has recorded are used
        study = Study.open(reached)
        assert sweep(study) == ""
        for trial in study.state.trials.values():
            if trial.number < 7:
                assert trial.checkpoint is not None
                place = located(study, trial.checkpoint)
                assert (place / "trial.pt").is_file(), f"trial {trial.number} ({trial.status}) has lost its checkpoint"
                assert place.base.startswith(str(study.folder)), "the copy's own files are used, not the original's"
        assert not [*reached.glob("ray/*/trial-0007/*/trial.pt")], "a stopped trial needs none"
        study.close()
    if reach is copied:
        assert len([*folder.rglob("trial.pt")]) == TRIALS, "the original is as it was"


def test_a_bind_mount_is_the_same_study(folder: Path, tmp_path: Path, root: Path) -> None:
    """The mount is in a namespace of its own; it needs root."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root and `unshare`")
    (tmp_path / "mount").mkdir()
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\nfrom groupdir.errors import DataError\n"
        "from launch.study.study import Study\nfrom launch.study.checkpoints import sweep\n"
        "study = Study.open(sys.argv[2])\n"
        "try:\n    Study.open(sys.argv[1])\nexcept DataError as error:\n    assert 'another driver' in str(error)\n"
        "else:\n    raise SystemExit('two drivers')\n"
        "assert sweep(study) == ''\n"
    )
    script = f'mount --bind "$1" "$2" && exec {shlex.quote(sys.executable)} -c "$3" "$1" "$2"'
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(folder), str(tmp_path / "mount"), code]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len([*folder.rglob("trial.pt")]) == TRIALS - 1


def test_a_recorded_path_is_found_in_an_object_store(study: Study) -> None:
    assert located(study, "s3://bucket/small/run-1/trial-0001/checkpoint_000002?region=eu") == (
        study.storage / "run-1/trial-0001/checkpoint_000002"
    )
    assert recorded(study, Place.at("s3://other/thing")) == "s3://other/thing"
