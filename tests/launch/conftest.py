"""A study without Ray: events as a driver would write them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groupdir.config.space import StudyConfig
from launch.sampling.searcher import propose
from launch.study.new_trial import record_trial
from launch.study.study import Study
from launch.study.trial_seeds import TrialSeeds
from tests.epoch_report import report

CONTENT: dict[str, Any] = {
    "name": "small",
    "data": {"name": "digits"},
    "encoder": {"name": "convnet"},
    "method": {
        "name": "group_dir",
        "recipe": "joint",
        "groups": {"choice": [2, 5, 10]},
        "beta": {"log_uniform": [0.25, 4]},
        "similarity": {"choice": ["cosine", "negative_l2"]},
        "temperature": {
            "by": "method.similarity",
            "cases": {"cosine": {"log_uniform": [0.1, 2]}, "negative_l2": {"log_uniform": [1, 5]}},
        },
        "weights": {"choice": [None, {"mode": "inverse"}]},
    },
    "train": {"epochs": 4},
    "search": {
        "trials": 12,
        "sampler": {"name": "tpe", "startup": 4},
        "scheduler": {"name": "asha", "grace_period": 1, "reduction_factor": 2},
        "ablations": {"hard labels": {"method.group_loss": "ce"}},
        "ablation_seeds": 2,
    },
}


@pytest.fixture
def study(results: Path) -> Iterator[Study]:
    """An empty study."""
    made = Study.create(results / "small", StudyConfig.from_dict(CONTENT))
    yield made
    made.close()


@pytest.fixture
def suggest() -> Callable[[Study], int]:
    """Suggests the next search trial of a study and records it."""

    def one(study: Study) -> int:
        space = study.config.space
        params = propose(space, study.config.search, study.state.of("search")).params
        config = TrialSeeds.of(study).seeded(space.build(params), len(study.state.trials))
        return record_trial(study, config, params, "search", "", "val_mae_all")

    return one


@pytest.fixture
def train() -> Callable[..., None]:
    """Records epochs 1, 2, ... of a trial with the given errors; the last one may be its end."""

    def run(study: Study, trial: int, errors: list[float], end: str = "", first: int = 0) -> None:
        seed = study.state.trials[trial].seed
        study.append("started", trial=trial)
        for epoch, error in enumerate(errors, start=1):
            names = ("val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few")
            metrics = {name: error + index for index, name in enumerate(names)}
            last = end == "finished" and epoch == len(errors)
            payload = {**report(epoch, first, 2.0), "last": last, "metrics": metrics}
            study.append("epoch", trial=trial, seed=seed, epoch=epoch, payload=payload)
        if end:
            study.append(end, trial=trial, payload={"message": "loss is nan"})  # type: ignore[arg-type]

    return run
