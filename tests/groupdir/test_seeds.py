"""Seeds of different purposes never meet, and those of one purpose are all different."""

import pytest

from groupdir.seeds import (
    ABLATION,
    CONFIRMATION,
    MEASUREMENT,
    SEARCH,
    measurement_seeds,
    mixed_seed,
    shared_seed,
    study_seed,
)

PURPOSES = (MEASUREMENT, CONFIRMATION, ABLATION, SEARCH)


@pytest.mark.parametrize(("one", "other"), [((1, 2), (2, 1)), ((1, 2), (1, 2, 1)), ((0,), (1,)), ((3, 1), (3, 2))])
def test_seeds_differ_for_different_parts(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert mixed_seed(*one) == mixed_seed(*one) != mixed_seed(*other)
    assert 0 <= mixed_seed(*one) < 2**63


def test_the_ranges_are_disjoint_and_cover_all_seeds() -> None:
    assert [purpose.start for purpose in PURPOSES[1:]] == [purpose.stop for purpose in PURPOSES[:-1]]
    assert (MEASUREMENT.start, SEARCH.stop) == (0, 2**32)
    assert all(purpose.step == 1 and len(purpose) >= 2**29 for purpose in PURPOSES)


@pytest.mark.parametrize("purpose", [SEARCH, CONFIRMATION, ABLATION])
def test_a_study_seed_is_in_the_range_of_its_purpose_and_of_one_training_only(purpose: range) -> None:
    for search, trial in ((0, 0), (0, 7), (7, 0), (2**32 - 1, 2**32 - 1)):
        seeds = [study_seed(purpose, search, trial, number) for number in range(5000)]
        assert len(set(seeds)) == len(seeds)
        assert all(seed in purpose for seed in seeds)


def test_studies_with_another_seed_have_other_seeds() -> None:
    first = {study_seed(SEARCH, 0, 0, number) for number in range(1000)}
    for other in ((1, 0), (0, 1), (1, 1)):
        assert not first & {study_seed(SEARCH, *other, number) for number in range(1000)}


@pytest.mark.parametrize("seed", [0, 1, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_shared_seed_is_one_of_a_search_and_a_measured_seed_is_none(seed: int) -> None:
    assert shared_seed(seed) in SEARCH
    seeds = measurement_seeds(seed, 50)
    assert len(set(seeds)) == 50
    assert all(each in MEASUREMENT for each in seeds)
    assert seeds[0] == (seed if seed < 2**30 else 0)
