import itertools
import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np
import pytest

from groupdir.config.domains import Uniform
from groupdir.values.choice import choose, front_chances, on_front, scores, within
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
