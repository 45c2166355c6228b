import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import moocore
import numpy as np
import pytest

from groupdir.config.domains import Uniform
from groupdir.values import values as values_module
from groupdir.values.choice import choose, front_chances, scores, within
from groupdir.values.fronts import on_front
from groupdir.values.trainings import Training, configurations
from groupdir.values.values import Values

MANY, FEW, ALL, PEARSON = "val_mae_many", "val_mae_few", "val_mae_all", "val_pearson_all"


def values_of(table: Mapping[str, Sequence[float]], seeds: int = 1, spread: float = 0.0) -> Values:
    """Values of configurations 0, 1, 2, ... with these metrics, trained with several seeds."""
    rng = np.random.default_rng(0)
    count = len(next(iter(table.values())))
    trainings = [
        Training(
            index + count * seed,
            str(index),
            seed,
            seed == 0,
            {"x": index / count},
            {metric: column[index] + spread * float(rng.normal()) for metric, column in table.items()},
        )
        for seed, index in itertools.product(range(seeds), range(count))
    ]
    return Values({"x": Uniform(0, 1)}, configurations(trainings))


def everything(values: Values) -> np.ndarray:
    return np.arange(len(values.configurations))


def choice_of(values: Values, rule: str, objectives: Sequence[str]) -> int:
    choice = choose(values, rule, objectives, [MANY, FEW, ALL, PEARSON], everything(values))
    assert choice is not None
    return choice.index


def test_with_few_trainings_a_rule_takes_the_best_raw_value() -> None:
    values = values_of({MANY: [1.0, 2.0, 3.0], FEW: [9.0, 7.0, 8.0], ALL: [4.0, 5.0, 3.0], PEARSON: [0.1, 0.2, 0.9]})
    objectives = [MANY, FEW]
    assert [choice_of(values, rule, objectives) for rule in ("many", "few", "all")] == [0, 1, 2]
    assert choice_of(values, "all", [PEARSON]) == 2
    choice = choose(values, "few", objectives, [FEW], everything(values))
    assert choice is not None
    assert math.isnan(choice.chance)
    assert (choice.rivals, choice.candidates) == ((), 3)


def test_the_knee_is_nearest_to_the_ideal_point_of_the_scaled_front() -> None:
    # Scaled to [0, 1]: (0, 1), (0.25, 0.1), (1, 0); the last one is dominated and does not change the scale.
    values = values_of({MANY: [0.5, 1.5, 4.5, 9.0], FEW: [1001.0, 101.0, 1.0, 5000.0]})
    assert choice_of(values, "knee", [MANY, FEW]) == 1
    scored = scores(values, [MANY, FEW], everything(values))
    assert scored.expected[:3] == pytest.approx([1.0, math.hypot(0.25, 0.1), 1.0])
    one = values_of({MANY: [2.0], FEW: [1.0]})
    assert choice_of(one, "knee", [MANY, FEW]) == 0


def test_ties_go_to_all_samples_then_to_the_lower_number() -> None:
    values = values_of({FEW: [5.0, 5.0, 5.0, 6.0], ALL: [4.0, 3.0, 3.0, 1.0]})
    assert choice_of(values, "few", [FEW]) == 1


def test_a_configuration_without_the_metric_is_no_candidate() -> None:
    values = values_of({FEW: [math.nan, 2.0, math.nan], ALL: [1.0, 2.0, 3.0]})
    choice = choose(values, "few", [ALL], [FEW, ALL], everything(values))
    assert choice is not None
    assert (choice.index, choice.candidates) == (1, 1)
    assert choose(values, "few", [ALL], [FEW, ALL], np.array([0, 2])) is None
    assert choose(values, "many", [ALL], [FEW, ALL], everything(values)) is None
    assert choose(values, "knee", [FEW, MANY], [FEW, ALL], everything(values)) is None
    assert choose(values, "few", [ALL], [FEW, ALL], np.array([], dtype=np.int64)) is None


def test_a_rule_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown rule"):
        choose(values_of({FEW: [1.0]}), "best", [FEW], [FEW], np.array([0]))


def test_what_is_far_better_has_no_rival_and_what_is_noise_has_many() -> None:
    clear = values_of({FEW: [9.0, 9.1, 3.0, 9.2, 9.0, 8.9]}, seeds=4, spread=0.05)
    choice = choose(clear, "few", [FEW], [FEW], everything(clear))
    assert choice is not None
    assert (choice.index, choice.rivals) == (2, ())
    assert choice.chance > 0.95
    noise = values_of({FEW: [9.0] * 8}, seeds=2, spread=1.0)
    choice = choose(noise, "few", [FEW], [FEW], everything(noise))
    assert choice is not None
    assert choice.chance < 0.7
    assert len(choice.rivals) >= 3
    assert choice.index not in choice.rivals


def test_a_rival_is_better_with_a_probability_above_a_tenth_and_the_likeliest_is_first() -> None:
    values = values_of({FEW: list(np.linspace(8, 10, 10))}, seeds=2, spread=0.4)
    choice = choose(values, "few", [FEW], [FEW], everything(values))
    assert choice is not None
    samples = values.of(FEW).samples
    better = {index: float(np.mean(samples[:, index] < samples[:, choice.index])) for index in everything(values)}
    assert set(choice.rivals) == {index for index, share in better.items() if share > 0.1}
    assert [better[index] for index in choice.rivals] == sorted((better[i] for i in choice.rivals), reverse=True)
    wins = np.bincount(samples.argmin(axis=1), minlength=10) / len(samples)
    assert choice.chance == wins[choice.index]


def test_a_metric_to_maximise_is_turned_around() -> None:
    values = values_of({PEARSON: [0.5, 0.9, 0.2, 0.4, 0.6, 0.5]}, seeds=3, spread=0.01)
    choice = choose(values, "all", [PEARSON], [PEARSON], everything(values))
    assert choice is not None
    assert choice.index == 1
    assert choice.chance > 0.9


def test_equal_trainings_can_be_chosen_from() -> None:
    values = values_of({FEW: [2.0] * 6, ALL: [2.0] * 6})
    choice = choose(values, "few", [FEW], [FEW, ALL], everything(values))
    assert choice is not None
    assert choice.index == 0
    assert 0 <= choice.chance <= 1


@pytest.mark.parametrize("metrics", [1, 2, 3])
def test_the_front_is_that_of_moocore(metrics: int) -> None:
    rng = np.random.default_rng(metrics)
    for _ in range(20):
        costs = rng.integers(0, 5, size=(12, metrics)).astype(float)
        expected = moocore.is_nondominated(costs, keep_weakly=True)
        assert on_front(costs).tolist() == expected.tolist()
        apart = rng.random((12, metrics))
        assert on_front(apart).tolist() == moocore.is_nondominated(apart).tolist()
    stacked = rng.random((3, 7, metrics))
    assert on_front(stacked).tolist() == [on_front(part).tolist() for part in stacked]


def test_a_point_with_a_nan_is_never_on_the_front() -> None:
    assert on_front(np.array([[1.0, np.nan], [2.0, 2.0]])).tolist() == [False, True]


def test_chances_of_the_front_are_shares_of_samples() -> None:
    table = {MANY: list(np.linspace(1, 2, 8)), FEW: list(np.linspace(9, 7, 8))}
    values = values_of(table, seeds=2, spread=0.2)
    chances = front_chances(values, [MANY, FEW], everything(values))
    samples = [values.of(metric).samples for metric in (MANY, FEW)]
    expected = np.mean(
        [moocore.is_nondominated(np.stack(both, axis=1), keep_weakly=True) for both in zip(*samples, strict=True)],
        axis=0,
    )
    assert chances == pytest.approx(expected)
    one = front_chances(values, [MANY], everything(values))
    assert one.sum() == pytest.approx(1.0)
    assert front_chances(values, [MANY, FEW], np.array([3])).tolist() == [1.0]
    assert front_chances(values, [MANY, FEW], np.array([], dtype=np.int64)).tolist() == []


def test_chances_without_a_posterior_are_the_raw_front() -> None:
    values = values_of({MANY: [1.0, 2.0, 3.0], FEW: [3.0, 2.0, 2.5]})
    assert front_chances(values, [MANY, FEW], everything(values)).tolist() == [1.0, 1.0, 0.0]


def test_what_is_within_a_tolerance_of_the_best() -> None:
    values = values_of({ALL: [1.0, 1.02, 1.021, math.nan], PEARSON: [0.5, 1.0, 0.9, 0.99]})
    every = everything(values)
    assert within(values, {}, every).tolist() == [0, 1, 2, 3]
    assert within(values, {ALL: 0.02}, every).tolist() == [0, 1]
    assert within(values, {ALL: 0.0}, every).tolist() == [0]
    assert within(values, {PEARSON: 0.05}, every).tolist() == [1, 3]
    assert within(values, {ALL: 0.02, PEARSON: 0.05}, every).tolist() == [1]
    assert within(values, {PEARSON: 0.05, ALL: 0.02}, every).tolist() == [1]
    assert within(values, {PEARSON: 0.05, ALL: 0.0}, every).tolist() == []
    assert within(values, {MANY: 0.5}, every).tolist() == []
    assert within(values, {ALL: 0.02}, np.array([2, 3])).tolist() == [2]


def test_a_constant_or_copied_objective_changes_no_choice() -> None:
    """The knee, its probability and the chances of the front, with estimates from trainings."""
    rng = np.random.default_rng(0)
    many, few = rng.uniform(2, 4, 12), rng.uniform(5, 9, 12)
    plain = values_of({MANY: list(many), FEW: list(few), ALL: list(many + few)})
    wider = values_of({MANY: list(many), FEW: list(few), ALL: list(many + few), "val_gm_many": [3.0] * 12,
                       "val_gm_few": list(0.5 * few + 1)})  # fmt: skip
    recorded = [MANY, FEW, ALL]
    for objectives in ([MANY, FEW], [MANY]):
        more = [*objectives, "val_gm_many", *(["val_gm_few"] if FEW in objectives else [])]
        assert choose(plain, "knee", objectives, recorded, everything(plain)) == choose(
            wider, "knee", more, recorded, everything(wider)
        )
        chances = front_chances(plain, objectives, everything(plain))
        assert front_chances(wider, more, everything(wider)).tolist() == chances.tolist()


def many_values(count: int, seed: int = 0) -> Values:
    rng = np.random.default_rng(seed)
    many, few = rng.uniform(2, 4, count), rng.uniform(5, 9, count)
    return replace(values_of({MANY: list(many), FEW: list(few), ALL: list(many + few)}), objectives=(MANY, FEW))


def test_of_many_configurations_those_near_the_front_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """All estimates are the same as without the limit, and the probabilities agree up to the error of the draws."""
    whole = many_values(120)
    expected = {rule: choose(whole, rule, [MANY, FEW], whole.recorded, everything(whole)) for rule in ("few", "knee")}
    chances = front_chances(whole, [MANY, FEW], everything(whole))
    monkeypatch.setattr(values_module, "MOST", 40)
    values = many_values(120)
    near = values.contenders(everything(values))
    assert len(near) == 40
    assert set(np.flatnonzero(chances > 0.3)) <= set(near.tolist())
    assert values.of(FEW).mean.tolist() == whole.of(FEW).mean.tolist()
    for rule, exact in expected.items():
        choice = choose(values, rule, [MANY, FEW], values.recorded, everything(values))
        assert choice is not None
        assert exact is not None
        assert (choice.index, choice.candidates, choice.compared) == (exact.index, 120, 40)
        assert choice.chance == pytest.approx(exact.chance, abs=0.08)
        value, other = values.of(FEW).value(choice.index), whole.of(FEW).value(exact.index)
        assert (value.low, value.high) == pytest.approx((other.low, other.high), rel=0.02)
    assert np.abs(front_chances(values, [MANY, FEW], everything(values)) - chances).max() < 0.1


def test_a_choice_among_configurations_far_from_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constraints may leave only these; they are compared then."""
    monkeypatch.setattr(values_module, "MOST", 10)
    values = many_values(60)
    worst = np.sort(np.argsort(values.of(FEW).mean)[-30:])
    choice = choose(values, "few", [MANY, FEW], values.recorded, worst)
    assert choice is not None
    assert choice.index == worst[np.argmin(values.of(FEW).mean[worst])]
    assert choice.compared == 10
    assert 0 < choice.chance < 1
