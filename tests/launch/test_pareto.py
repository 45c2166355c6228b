"""Fronts and tie-breaks against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launch.pareto import as_costs, crowding_order, epsilon_net_order, fronts, rank
from launch.schedulers.rung import Rung
from tests.launch.oracle import beats, layers

DIRECTIONS = {2: ["min", "max"], 3: ["min", "min", "max"], 4: ["max", "min", "max", "min"]}


@st.composite
def rungs(draw: st.DrawFn) -> tuple[list[list[float]], list[str]]:
    """Few distinct values, so that there are ties and copies; now and then a failure."""
    objectives = draw(st.integers(2, 4))
    value = st.one_of(st.integers(0, 6).map(float), st.sampled_from([math.nan, math.inf, 0.5]))
    vector = st.lists(value, min_size=objectives, max_size=objectives)
    return draw(st.lists(vector, min_size=1, max_size=30)), DIRECTIONS[objectives]


@given(rungs())
@settings(max_examples=100, deadline=None)
def test_fronts_are_the_definition(case: tuple[list[list[float]], list[str]]) -> None:
    vectors, directions = case
    assert fronts(as_costs(vectors, directions)).tolist() == layers(vectors, directions)


@given(rungs())
@settings(max_examples=100, deadline=None)
def test_a_rung_that_grows_has_the_fronts_of_a_new_sort(case: tuple[list[list[float]], list[str]]) -> None:
    vectors, directions = case
    rung = Rung(directions)
    for trial, vector in enumerate(vectors):
        rung.add(trial, vector)
        assert [rung.front(i) for i in range(trial + 1)] == layers(vectors[: trial + 1], directions)


@pytest.mark.parametrize("tie_break", ["crowding", "epsilon_net"])
@given(case=rungs())
@settings(max_examples=50, deadline=None)
def test_ranks_are_a_permutation_that_keeps_to_the_fronts(
    tie_break: str, case: tuple[list[list[float]], list[str]]
) -> None:
    vectors, directions = case
    places = rank(vectors, directions, tie_break)  # type: ignore[arg-type]
    assert sorted(places.tolist()) == list(range(len(vectors)))
    in_order = [layers(vectors, directions)[i] for i in np.argsort(places)]
    assert in_order == sorted(in_order)


@pytest.mark.parametrize("tie_break", ["crowding", "epsilon_net"])
@given(case=rungs(), share=st.floats(0.1, 1.0))
@settings(max_examples=50, deadline=None)
def test_the_top_of_a_rung_is_that_of_the_ranks(
    tie_break: str, case: tuple[list[list[float]], list[str]], share: float
) -> None:
    vectors, directions = case
    rung = Rung(directions, tie_break)  # type: ignore[arg-type]
    for trial, vector in enumerate(vectors):
        rung.add(trial, vector)
    count = max(1, int(share * len(vectors)))
    places = rank(vectors, directions, tie_break)  # type: ignore[arg-type]
    expected = [i for i in range(len(vectors)) if places[i] < count and not rung.failed(i)]
    assert rung.top(count) == expected
    assert [i for i in range(len(vectors)) if rung.is_top(i, count)] == expected


def test_crowding_by_hand() -> None:
    """Ends first; between them the one whose neighbours are farther apart; a copy of it last."""
    costs = np.array([[0.0, 10.0], [1.0, 8.0], [5.0, 4.0], [5.0, 4.0], [10.0, 0.0]])
    assert crowding_order(costs).tolist() == [0, 4, 2, 1, 3]


def test_epsilon_net_by_hand() -> None:
    """The middle is nearest to the corner; then the ends, of which the first counts; then what is farthest from all."""
    costs = np.array([[0.0, 10.0], [1.0, 8.0], [4.0, 4.0], [10.0, 0.0], [4.0, 4.0]])
    assert epsilon_net_order(costs).tolist() == [2, 0, 3, 1, 4]


def test_an_epsilon_makes_noise_no_reason() -> None:
    close = [[1.00, 1.0], [1.04, 1.0], [1.2, 1.0]]
    assert fronts(as_costs(close, ["min", "min"])).tolist() == [0, 1, 2]
    assert fronts(as_costs(close, ["min", "min"]), 0.1).tolist() == [0, 0, 1]
    assert rank(close, ["min", "min"], epsilon=[0.1, 0.0]).tolist()[2] == 2


@given(rungs())
@settings(max_examples=100, deadline=None)
def test_with_an_epsilon_nobody_is_ahead_of_one_that_dominates_it(case: tuple[list[list[float]], list[str]]) -> None:
    """Dominance by more than noise may go round in a circle; who is not on one is behind all that dominate it."""
    vectors, directions = case
    epsilon = 1.0
    index = fronts(as_costs(vectors, directions), epsilon)
    size = len(vectors)
    reach = beats(vectors, directions, epsilon)
    for k in range(size):
        reach |= np.outer(reach[:, k], reach[k])
    for i in range(size):
        for j in range(size):
            if reach[i, j]:
                assert index[i] == index[j] if reach[j, i] else index[i] < index[j]


@pytest.mark.parametrize(
    ("vectors", "directions", "message"),
    [
        ([[1.0, 2.0]], ["min"], r"must be \(N, 1\)"),
        ([[1.0]], ["low"], "min or max"),
    ],
)
def test_mistakes_are_said(vectors: list[list[float]], directions: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank(vectors, directions)


def test_other_mistakes_are_said() -> None:
    with pytest.raises(ValueError, match="tie_break must be one of"):
        rank([[1.0]], ["min"], "coin")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="epsilon must be finite"):
        rank([[1.0]], ["min"], epsilon=-1.0)
    rung = Rung(["min"])
    rung.add("a", [1.0])
    with pytest.raises(ValueError, match="trial a is a member of this rung already"):
        rung.add("a", [2.0])
