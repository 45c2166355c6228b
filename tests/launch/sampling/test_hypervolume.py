"""The sampler that models the front: it learns from rungs, differs when asked at once, keeps to constraints."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from groupdir.config.space import StudyConfig
from groupdir.study.state import TrialState
from launch.sampling import hypervolume
from launch.sampling.fidelity import Climb, Fidelity
from launch.sampling.gaussian import Hyper, draw, fitted
from launch.sampling.improvement import expected_improvement
from launch.sampling.modelled import Modelled
from launch.sampling.searcher import propose
from launch.study.study import Study
from tests.epoch_report import report

SHOTS = ("all", "many", "median", "few")
Suggest = Callable[[Study], int]
Train = Callable[..., None]


def test_low_rungs_say_what_few_ends_cannot() -> None:
    """The end is half the rung plus one; forty values of the rung, five of the end."""
    rng = np.random.default_rng(2)
    points = rng.random((40, 3))
    rung = 3 * np.cos(5 * points[:, 0]) + points[:, 1]
    end = 0.5 * rung + 1
    usual = Hyper.usual(3)
    alone = Climb([Fidelity(points[:5], end[:5], usual)])
    lowest = Fidelity(points, rung, fitted(points, rung, usual))
    both = Climb([lowest, Fidelity(points[:5], end[:5], usual)])
    new = rng.random((100, 3))
    true = 0.5 * (3 * np.cos(5 * new[:, 0]) + new[:, 1]) + 1
    assert np.abs(both.mean(new) - true).mean() < 0.5 * np.abs(alone.mean(new) - true).mean()
    mean, covariance = both.joint(new)
    assert mean == pytest.approx(both.mean(new))
    assert (np.linalg.eigvalsh(covariance) > -1e-8).all()
    with pytest.raises(ValueError, match="at least 4 values"):
        Climb([Fidelity(points[:3], end[:3], usual)])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_metric_that_exploded_does_not_end_the_search(sign: float) -> None:
    rng = np.random.default_rng(4)
    points = rng.random((12, 2))
    costs = points[:, 0] - 0.5
    costs[3] = sign * 1e200
    for cut in (True, False):
        model = Modelled(points, [costs], settled=12, cut=cut)
        assert np.isfinite(model.samples(points, rng.standard_normal((4, 12)))).all()


def test_samples_of_near_points_go_together() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((30, 2))
    model = Modelled(points, [np.exp(points.sum(axis=1) + 0.3 * rng.standard_normal(30))], settled=30)
    places = np.array([[0.5, 0.5], [0.5, 0.505], [0.95, 0.05]])
    drawn = np.log(model.samples(places, rng.standard_normal((400, 3))))
    assert np.corrcoef(drawn.T)[0, 1] > 0.98
    assert np.corrcoef(drawn.T)[0, 2] < 0.9
    assert np.median(np.exp(drawn), axis=0) == pytest.approx(model.mean(places), rel=0.05)


@pytest.mark.parametrize("below", [0.0, -1e-3])
def test_a_singular_covariance_can_be_drawn_from(below: float) -> None:
    """Equal points have equal values; rounding may leave an eigenvalue a little below zero."""
    covariance = np.array([[1.0, 1.0], [1.0, 1.0]]) + below * np.array([[1.0, -1.0], [-1.0, 1.0]])
    drawn = draw(np.zeros(2), covariance, np.random.default_rng(0).standard_normal((200, 2)))
    assert np.abs(drawn[:, 0] - drawn[:, 1]).max() < 0.05
    assert drawn[:, 0].std() == pytest.approx(1.0, abs=0.15)


def all_kept(samples: np.ndarray) -> np.ndarray:
    return np.ones(samples.shape[:2], dtype=bool)


def test_improvement_is_the_volume_that_a_point_adds() -> None:
    """Against areas by hand: the front (0, 1), (1, 0) in a box that goes to 1.1 in both."""
    samples = np.array([[[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [2.0, 2.0]]])
    found = expected_improvement(samples, all_kept(samples), 2, seed=0)
    assert found[0] == pytest.approx(0.5**2 / 1.1**2, abs=0.01)
    assert found[1] == found[2] == 0.0
    kept = all_kept(samples)
    kept[0, 1] = False  # (1, 0) breaks a constraint: what it dominated is free again
    assert expected_improvement(samples, kept, 2, seed=0)[0] > 0.0
    kept[0, 2] = False
    assert expected_improvement(samples, kept, 2, seed=0)[0] == 0.0


def test_a_members_luck_is_its_neighbours_too() -> None:
    """Both are uncertain, but go up and down together: there is nothing to gain next to a member."""
    rng = np.random.default_rng(4)
    member = 0.5 + 0.3 * rng.standard_normal((64, 1, 2))
    stranger = 0.5 + 0.3 * rng.standard_normal((64, 1, 2))
    samples = np.concatenate([member, member + 1e-3, stranger], axis=1)
    gain = expected_improvement(samples, all_kept(samples), 1, seed=0)
    assert gain[0] < 0.1 * gain[1]


def suggestions(study: Study, trials: Sequence[TrialState], levels: Sequence[int] = (), count: int = 8) -> list[Any]:
    """Some suggestions after the same trials."""
    suggest = hypervolume.suggester(study.config.space, study.config.search, trials, levels, ())
    return [] if suggest is None else [suggest([seed]) for seed in range(count)]


def ours(study: Study, **changes: object) -> None:
    content = study.config.to_dict()
    search = content["search"] | {"sampler": {"name": "hypervolume", "startup": 4}} | changes
    study.config = StudyConfig.from_dict(content | {"search": search})


def test_it_learns_from_rungs_alone(study: Study, suggest: Suggest, train: Train) -> None:
    """Nothing has finished, all were stopped at epoch 2: groups = 10 is best there, and is suggested."""
    ours(study)
    for _ in range(12):
        trial = suggest(study)
        good = study.state.trials[trial].params["method.groups"] == 10
        train(study, trial, [9.0, 1.0 if good else 8.0], "stopped")
    trials = study.state.of("search")
    assert [params["method.groups"] for params in suggestions(study, trials, [2])] == [10] * 8
    assert suggestions(study, trials, [3]) == [], "no level has values"


def test_what_is_asked_for_at_once_is_different(study: Study, suggest: Suggest, train: Train) -> None:
    ours(study)
    for index in range(10):
        train(study, suggest(study), [4.0 + index % 3], "finished")
    running = [suggest(study) for _ in range(12)]
    keys = {study.state.trials[number].key for number in running}
    assert len(keys) == 12
    betas = [math.log(study.state.trials[number].params["method.beta"]) for number in running]
    assert np.std(betas) > 0.3, "not all in one place"


def test_it_keeps_to_constraints_and_knows_failures(study: Study, suggest: Suggest) -> None:
    """Groups of 2 have the lowest errors but break the constraint; groups of 5 fail; 10 gets better with beta."""
    ours(study, constraints={"val_pearson_all": ">= 0.5"}, sampler={"name": "random"})
    for _ in range(30):
        number = suggest(study)
        params = study.state.trials[number].params
        groups, high = params["method.groups"], math.log(params["method.beta"])
        errors = {f"val_mae_{shot}": {2: 1.0, 5: 9.0, 10: 6.0 - high}[groups] for shot in SHOTS}
        metrics = errors | {"val_pearson_all": {2: 0.1, 5: 0.9, 10: 0.9}[groups]}
        study.append("started", trial=number)
        if groups == 5:
            study.append("failed", trial=number, payload={"message": "out of memory"})
            continue
        payload = {**report(1), "last": True, "metrics": metrics}
        study.append("epoch", trial=number, seed=0, epoch=1, payload=payload)
        study.append("finished", trial=number)
    trials = study.state.of("search")
    groups = [params["method.groups"] for params in suggestions(study, trials)]
    assert groups.count(10) >= 6, f"got {groups}"
    study.config = StudyConfig.from_dict(study.config.to_dict() | {"search": {"trials": 200}})
    freely = [params["method.groups"] for params in suggestions(study, trials)]
    assert freely.count(2) >= 6, f"got {freely}"


def test_warm_trials_are_learnt_from(study: Study) -> None:
    ours(study)
    rng = np.random.default_rng(0)
    warm = []
    for number in range(24):
        params = propose(study.config.space, study.config.search.model_copy(update={"seed": number}), []).params
        level = (1.0 if params["method.groups"] == 5 else 7.0) + 0.1 * rng.random()
        warm.append({"params": params, "values": {f"val_mae_{shot}": level for shot in SHOTS}})
    suggest = hypervolume.suggester(study.config.space, study.config.search, [], (), warm)
    assert suggest is not None
    assert sum(suggest([seed])["method.groups"] == 5 for seed in range(5)) >= 4


def test_length_scales_are_fitted_whatever_comes_first() -> None:
    """Ninety warm trials know nothing of the lowest rung; the forty after them do."""
    rng = np.random.default_rng(5)
    points = rng.random((130, 2))
    rung = np.where(np.arange(130) < 90, np.nan, np.sin(6 * points[:, 0]) + 2)
    model = Modelled(points, [rung], settled=130)
    new = rng.random((50, 2))
    assert np.abs(model.mean(new) - np.sin(6 * new[:, 0]) - 2).mean() < 0.1
    moved = new.copy()
    moved[:, 1] = 1 - moved[:, 1]
    assert np.abs(model.mean(moved) - model.mean(new)).mean() < 0.05, "the second coordinate was found not to matter"


def test_how_bad_is_no_matter_for_an_objective_but_for_a_constraint() -> None:
    points = np.linspace(0, 1, 20)[:, None] * [1.0, 0.0]
    costs = 2 + points[:, 0]
    costs[-1] = 500.0
    near = points[:15]
    assert np.abs(Modelled(points, [costs], 20).mean(near) - costs[:15]).mean() < 0.2
    assert Modelled(points, [costs - 3], 20, cut=False).mean(points[-1:])[0] > 50


def test_what_breaks_a_constraint_does_not_set_the_box() -> None:
    """Good ones that are forbidden lie far away: improvements among the allowed are seen as if they were not there."""
    rng = np.random.default_rng(6)
    allowed = 10 + rng.random((16, 20, 3))
    forbidden = 1 + 0.1 * rng.random((16, 5, 3))
    points = 9.9 + rng.random((16, 4, 3))
    alone = np.concatenate([allowed, points], axis=1)
    expected = expected_improvement(alone, all_kept(alone), 20, seed=0)
    samples = np.concatenate([allowed, forbidden, points], axis=1)
    kept = all_kept(samples)
    kept[:, 20:25] = False
    assert expected_improvement(samples, kept, 25, seed=0) == pytest.approx(expected)
    assert expected.max() > 0


@pytest.mark.parametrize(
    "parameter", [{"method.beta": {"uniform": [0.5, 2]}}, {"method.groups": {"choice": [2, 5, 10]}}]
)
def test_one_leaf_is_enough(study: Study, suggest: Suggest, train: Train, parameter: dict[str, Any]) -> None:
    content = study.config.to_dict()
    fixed = {"groups": 5, "beta": 1.0, "similarity": "cosine", "temperature": 0.5, "weights": None}
    fixed |= {address.partition(".")[2]: domain for address, domain in parameter.items()}
    search = content["search"] | {"sampler": {"name": "hypervolume", "startup": 2}}
    study.config = StudyConfig.from_dict(content | {"method": content["method"] | fixed, "search": search})
    for index in range(14):
        train(study, suggest(study), [5.0 - 0.1 * index, 4.0], "finished" if index % 2 else "stopped")
    assert len(suggestions(study, study.state.of("search"), [1])) == 8


def test_improvements_are_measured_from_what_runs_too(study: Study, suggest: Suggest, train: Train) -> None:
    """Neither from what was stopped, nor from what waits."""
    for end in ("finished", "stopped", "failed", "", "paused", "finished"):
        train(study, suggest(study), [4.0, 3.0], end)
    view = hypervolume._Study(study.config.space, study.config.search, study.state.of("search"), [1], ())
    assert view.alive == [0, 3, 5]
    assert view.failures.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_who_has_come_to_the_last_rung_is_told_by_epochs_that_predict(
    study: Study, suggest: Suggest, train: Train
) -> None:
    """Six epochs of pre-training are not six on the way to a rung."""
    content = study.config.to_dict()
    scheduler = {"name": "pareto_asha", "grace_period": 1, "max_t": 3}
    content["train"] = content["train"] | {"epochs": 3}
    search = StudyConfig.from_dict(content | {"search": content["search"] | {"scheduler": scheduler}}).search
    train(study, suggest(study), [4.0] * 8, "stopped", first=6)
    train(study, suggest(study), [4.0] * 9, "stopped", first=6)
    assert hypervolume._Study(study.config.space, search, study.state.of("search"), [1], ()).alive == [1]
