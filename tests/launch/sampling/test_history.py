"""A constant objective, or a copy of another one, changes no suggestion."""

import math
from typing import Any

import numpy as np
import pytest

from groupdir.config.space import StudyConfig
from launch.sampling.searcher import propose
from launch.study.memory_store import MemoryStore
from launch.study.new_trial import record_trial
from launch.study.study import Study
from tests.epoch_report import report
from tests.launch.conftest import CONTENT

OBJECTIVES = {"val_mae_many": "min", "val_mae_few": "min"}


def suggestions(sampler: str, objectives: dict[str, str], results: Any) -> list[dict[str, Any]]:
    """Parameters of the trials from the tenth on. The values of the trials do not depend on the objectives."""
    search = {**CONTENT["search"], "objectives": objectives, "sampler": {"name": sampler, "startup": 4}, "trials": 30}
    config = StudyConfig.from_dict({**CONTENT, "search": search})
    study = Study(results, config, MemoryStore(lambda: 0.0), None)
    rng, following = np.random.default_rng(0), []
    for number in range(30):
        suggestion = propose(config.space, config.search, study.state.of("search"), (1, 2))
        if number >= 9:
            following.append(suggestion.params)
        trial_config = config.space.build(suggestion.params).with_seed(number)
        record_trial(study, trial_config, suggestion.params, "search", "", "val_mae_all", suggestion.notes)
        for epoch in range(1, 5):
            many, few = (float(value) for value in rng.uniform(1, 3, 2) + 6 / epoch)
            few += abs(math.log(suggestion.params["method.beta"])) + (5 if suggestion.params["method.weights"] else 0)
            metrics = {"val_mae_all": many + few, "val_mae_many": many, "val_mae_few": few, "val_gm_all": 2.5}
            metrics |= {"val_gm_few": 0.5 * few + 0.1}
            payload = {**report(epoch), "last": epoch == 4, "metrics": metrics}
            study.append("epoch", trial=number, seed=number, epoch=epoch, payload=payload)
        study.append("finished", trial=number)
    return following


@pytest.mark.parametrize("sampler", ["hypervolume", "tpe", "nsga2"])
@pytest.mark.parametrize("added", ["val_gm_all", "val_gm_few"])
def test_no_suggestion_changes(sampler: str, added: str, results: Any) -> None:
    assert suggestions(sampler, OBJECTIVES | {added: "min"}, results) == suggestions(sampler, OBJECTIVES, results)
