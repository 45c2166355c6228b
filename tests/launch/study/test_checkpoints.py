"""Which checkpoints stay on the disk."""

from collections.abc import Callable
from pathlib import Path

import pytest

from groupdir.config.trial import TrialConfig
from groupdir.files.study_files import Role
from launch.study import checkpoints
from launch.study.checkpoints import fit_budget, free_space_warning, keep
from launch.study.new_trial import record_trial
from launch.study.study import Study
from tests.epoch_report import report

Suggest = Callable[[Study], int]
Train = Callable[..., None]
SIZE = 1000


def finished(study: Study, suggest: Suggest, train: Train, errors: list[list[float]]) -> None:
    """Trials with many, median and few as given, each with a checkpoint of SIZE bytes."""
    end(study, [suggest(study) for _ in errors], errors)


def end(study: Study, trials: list[int], errors: list[list[float]]) -> None:
    """Finish trials with the given errors, each with a checkpoint of SIZE bytes."""
    for trial, (many, median, few) in zip(trials, errors, strict=True):
        seed = study.state.trials[trial].seed
        metrics = {"val_mae_all": many, "val_mae_many": many, "val_mae_median": median, "val_mae_few": few}
        payload = {**report(1), "last": True, "metrics": metrics}
        study.append("epoch", trial=trial, seed=seed, epoch=1, payload=payload)
        source = study.folder / "ray" / "run-1" / f"trial-{trial:04d}" / "checkpoint_000000"
        source.mkdir(parents=True)
        (source / "trial.pt").write_bytes(b"w" * SIZE)
        study.append("checkpoint", trial=trial, epoch=1, payload={"path": str(source)})
        keep(study, trial)


def kept(study: Study) -> list[int]:
    return sorted(int(folder.name) for folder in (study.folder / "checkpoints").iterdir())


def with_budget(study: Study, budget: int | None) -> None:
    study.config.search.__dict__["checkpoint_budget"] = budget


ERRORS = [[1.0, 5.0, 9.0], [9.0, 5.0, 1.0], [2.0, 6.0, 10.0], [3.0, 7.0, 11.0], [2.0, 6.0, 10.5]]


@pytest.mark.parametrize(
    ("budget", "left"),
    [
        (None, [0, 1, 2, 3, 4]),
        (5 * SIZE, [0, 1, 2, 3, 4]),
        (4 * SIZE, [0, 1, 2, 4]),
        (3 * SIZE, [0, 1, 2]),
        (SIZE, [0, 1]),
    ],
)
def test_the_worst_front_goes_first_and_the_best_stays(
    study: Study, suggest: Suggest, train: Train, budget: int | None, left: list[int]
) -> None:
    """Fronts: trials 0 and 1; then 2; then 4; then 3."""
    finished(study, suggest, train, ERRORS)
    with_budget(study, budget)
    said = fit_budget(study)
    assert kept(study) == left
    assert len([text for text in said if "deleted" in text]) == 5 - len(left)
    assert any("and are kept, although the budget is" in text for text in said) == (budget == SIZE)
    assert {trial.status for trial in study.state.of("search")} == {"finished"}, "the trials stay in the record"


@pytest.mark.parametrize(
    ("budget", "left"),
    [(6 * SIZE, [0, 1, 2, 5, 6, 7]), (4 * SIZE, [0, 1, 6, 7]), (2 * SIZE, [0, 1]), (SIZE, [0, 1])],
)
def test_later_trainings_follow_the_trials_off_the_front(
    study: Study, suggest: Suggest, train: Train, budget: int, left: list[int]
) -> None:
    """Two confirmations and an ablation of trial 0, which are on no front however good they are."""
    finished(study, suggest, train, ERRORS)
    base = study.state.trials[0]
    config = TrialConfig.from_dict(base.config, "trial 0")
    roles: list[Role] = ["confirmation", "confirmation", "ablation"]
    again = [record_trial(study, config.with_seed(7 + n), {}, role, "", base.metric) for n, role in enumerate(roles)]
    end(study, again, [[0.5, 5.0, 9.0]] * 3)
    with_budget(study, budget)
    said = fit_budget(study)
    assert kept(study) == left
    assert any("and are kept, although the budget is" in text for text in said) == (budget == SIZE)


def test_a_disk_that_could_not_take_more_is_announced(
    study: Study, suggest: Suggest, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not free_space_warning(study), "nothing is known of a checkpoint's size yet"
    finished(study, suggest, train, ERRORS[:1])
    assert not free_space_warning(study)

    class Usage:
        free = 2 * SIZE - 1

    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda _: Usage)
    assert "1,999 bytes are free, a checkpoint takes 1,000" in free_space_warning(study)


def test_a_checkpoint_that_is_gone_is_no_reason_to_lose_a_trial(study: Study, suggest: Suggest, tmp_path: Path) -> None:
    trial = suggest(study)
    study.append("checkpoint", trial=trial, epoch=1, payload={"path": str(tmp_path / "gone")})
    keep(study, trial)
    assert study.state.trials[trial].status == "finished"
    assert study.state.trials[trial].checkpoint is None
