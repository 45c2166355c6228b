"""Ablations: which trial they change, how often they are suggested, and that their base stays."""

from collections.abc import Callable

import pytest

from groupdir.config.trial import TrialConfig
from groupdir.seeds import ABLATION, CONFIRMATION
from launch.control.ablations import suggest_ablations, unfinished_ablations
from launch.screen.choices import choice_lines
from launch.simulation.searches import with_search
from launch.study.new_trial import record_trial
from launch.study.study import Study
from launch.study.trial_seeds import later_seeds
from tests.epoch_report import report

Suggest = Callable[[Study], int]
Train = Callable[..., None]


def test_ablations_stand_on_the_best_trial_and_are_made_once(study: Study, suggest: Suggest, train: Train) -> None:
    assert suggest_ablations(study) == [], "nothing has finished"
    train(study, suggest(study), [3.0], "finished")
    train(study, suggest(study), [2.0], "finished")
    train(study, suggest(study), [1.0], "stopped")
    assert suggest_ablations(study) == suggest_ablations(study) == [3, 4, 5, 6]
    made = study.state.of("ablation")
    seeds = later_seeds(study.config, ABLATION, 2)
    assert [(t.label, t.seed) for t in made] == [(label, s) for label in ("as chosen", "hard labels") for s in seeds]
    best = study.state.trials[1]
    assert made[0].config == {**best.config, "seed": seeds[0], "stage_seed": None}
    assert made[2].config["method"] == {**best.config["method"], "group_loss": {"name": "ce"}}
    train(study, 3, [1.0], "finished")
    assert suggest_ablations(study) == [4, 5, 6]


def test_what_breaks_a_constraint_is_not_the_best(study: Study, suggest: Suggest, train: Train) -> None:
    ablations = study.config.search.ablations
    study.config = with_search(study.config, {"constraints": {"val_mae_few": ">= 5.5"}, "ablations": ablations})
    train(study, suggest(study), [3.0], "finished")
    train(study, suggest(study), [2.0], "finished")
    search = study.config.search
    assert search.keeps({"val_mae_few": 5.5}.__getitem__)
    assert not search.keeps({"val_mae_few": float("nan")}.__getitem__)
    best = choice_lines(study.config, study.state)[0]
    assert best == "best many: trial 0, 4.00, one seed", "trial 1 has a val_mae_few of 5"
    suggest_ablations(study)
    assert study.state.of("ablation")[0].config["optim"] == study.state.trials[0].config["optim"]


def test_without_a_trial_that_keeps_the_constraints_no_ablation_is_left(
    study: Study, suggest: Suggest, train: Train
) -> None:
    ablations = study.config.search.ablations
    study.config = with_search(study.config, {"constraints": {"val_mae_few": "<= 1"}, "ablations": ablations})
    train(study, suggest(study), [3.0], "finished")
    assert not unfinished_ablations(study)
    study.config = with_search(study.config, {"constraints": {}, "ablations": ablations})
    assert unfinished_ablations(study)


@pytest.mark.parametrize(("metric", "best"), [("val_mae_all", 0), ("val_pearson_all", 1)])
def test_ablations_take_the_best_trial_by_the_metric_s_own_direction(
    study: Study, suggest: Suggest, metric: str, best: int
) -> None:
    search = {"objectives": [metric], "scheduler": {"name": "asha", "metric": metric}, "ablations": {"x": {}}}
    study.config = with_search(study.config, search)
    for value in (0.2, 0.7):
        trial = suggest(study)
        payload = {**report(1), "last": True, "metrics": {metric: value, "val_mae_all": value}}
        study.append("epoch", trial=trial, seed=study.state.trials[trial].seed, epoch=1, payload=payload)
        study.append("finished", trial=trial, payload={})
    assert f"best all: trial {best}," in choice_lines(study.config, study.state)[0]
    suggest_ablations(study)
    assert study.state.of("ablation")[0].params == study.state.trials[best].params


def test_later_confirmations_do_not_move_the_base_of_ablations(study: Study, suggest: Suggest, train: Train) -> None:
    """Two bad confirmations make another trial the best. The ablations that exist keep their base."""
    train(study, suggest(study), [2.2], "finished")
    train(study, suggest(study), [2.0], "finished")
    for number in suggest_ablations(study):
        train(study, number, [2.0], "finished")
    best = study.state.trials[1]
    for seed in later_seeds(study.config, CONFIRMATION, 6):
        config = TrialConfig.from_dict(best.config, "trial 1").with_seed(seed)
        train(study, record_trial(study, config, best.params, "confirmation", "", best.metric), [9.0], "finished")
    assert choice_lines(study.config, study.state)[0].startswith("best many: trial 0,")
    assert not unfinished_ablations(study)
    assert suggest_ablations(study) == []
    assert len(study.state.of("ablation")) == study.config.search.ablation_trials
