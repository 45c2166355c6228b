"""Fronts with an epsilon that grow by one member against a new sort of all members."""

import numpy as np
import pytest

from launch.pareto import Costs, as_costs, dominates, epsilon_of, fronts, order_by
from launch.schedulers.noisy_fronts import NoisyFronts
from launch.schedulers.rung import Rung


def random_rung(rng: np.random.Generator, most: int) -> tuple[Costs, Costs]:
    """Costs and an epsilon: spread or correlated, on a grid or not, with and without circles."""
    objectives, members = int(rng.integers(1, 5)), int(rng.integers(2, most))
    costs = rng.random((members, objectives))
    if rng.random() < 0.4:
        costs = np.round(costs * 8) / 8
    if rng.random() < 0.3:
        costs = costs + 2 * rng.random((members, 1))
    each = rng.choice([0.02, 0.125, 0.25, 0.3, 0.5], objectives)
    return costs, each if rng.random() < 0.5 else np.full(objectives, each[0])


def grown(costs: Costs, epsilon: Costs) -> NoisyFronts:
    noisy = NoisyFronts()
    for n, cost in enumerate(costs):
        noisy.add(dominates(cost, costs[:n], epsilon), dominates(costs[:n], cost, epsilon))
    return noisy


def slow_decision(costs: Costs, epsilon: Costs, tie_break: str, count: int) -> bool:
    """Whether the last member is among the best `count`, from a new sort of all members."""
    if not np.isfinite(costs[-1]).all():
        return False
    index = fronts(costs, epsilon)
    places = count - int((index < index[-1]).sum())
    same = np.flatnonzero(index == index[-1])
    order = order_by(tie_break)(costs[same])  # type: ignore[arg-type]
    return places > 0 and len(costs) - 1 in same[order[:places]]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_decisions_are_those_of_a_new_sort(seed: int) -> None:
    """1,000 random rungs for each seed. Members of some rungs have failed."""
    rng = np.random.default_rng(seed)
    for number in range(1_000):
        costs, epsilon = random_rung(rng, 16)
        if number % 5 == 0:
            costs[rng.random(len(costs)) < 0.2] = np.inf
        tie_break, count = ("crowding", "epsilon_net")[number % 2], max(1, len(costs) // 3)
        rung = Rung(["min"] * costs.shape[1], tie_break, epsilon.tolist())  # type: ignore[arg-type]
        for trial, cost in enumerate(costs):
            rung.add(trial, cost.tolist())
        expected = fronts(costs, epsilon)
        assert [rung.front(trial) for trial in range(len(costs))] == expected.tolist()
        assert rung.is_top(len(costs) - 1, count) == slow_decision(costs, epsilon, tie_break, count)


@pytest.mark.parametrize("tie_break", ["crowding", "epsilon_net"])
def test_decisions_in_three_objectives_with_circles_are_those_of_a_new_sort(tie_break: str) -> None:
    """60 rungs whose members nearly all form one circle, so that the tie-break decides about every newcomer.

    Half of the costs are on a grid, where members have copies and equal distances.
    """
    rng = np.random.default_rng(7)
    decisions, circles = [], 0
    for number in range(60):
        costs, epsilon = rng.random((40, 3)), np.full(3, (0.2, 0.25, 0.3)[number % 3])
        costs = np.round(costs * 6) / 6 if number % 2 else costs
        rung = Rung(["min"] * 3, tie_break, epsilon.tolist())  # type: ignore[arg-type]
        for trial, cost in enumerate(costs):
            rung.add(trial, cost.tolist())
            if trial >= 20:
                decisions.append(rung.is_top(trial, trial // 3))
                assert decisions[-1] == slow_decision(costs[: trial + 1], epsilon, tie_break, trial // 3)
        circles += len({rung.front(trial) for trial in range(40)}) < 20
    assert 100 < sum(decisions) < len(decisions) - 100
    assert circles > 30


def test_circles_are_merged_and_their_members_share_a_front() -> None:
    """Many members between few epsilons: nearly all form one circle in three objectives, and none does in two."""
    rng = np.random.default_rng(0)
    costs = rng.random((160, 3))
    for size in (20, 60, 110, 160):
        noisy = grown(costs[:size], np.full(3, 0.25))
        assert noisy.front[:size].tolist() == fronts(costs[:size], np.full(3, 0.25)).tolist()
    assert len(set(noisy._component[:160].tolist())) < 80
    assert len(set(grown(costs[:, :2], np.full(2, 0.25))._component[:160].tolist())) == 160


def test_members_of_a_circle_and_those_behind_them_move_to_better_fronts() -> None:
    """The first two and the last member form a circle. Before the last one, fronts are 0, 1, and 2 for the third."""
    costs = np.array([[0.0, 0.0, 0.0], [1.2, -1.0, -1.0], [2.3, -1.9, -1.9], [0.5, 0.1, -2.0]])
    epsilon = np.ones(3)
    assert grown(costs[:3], epsilon).front[:3].tolist() == [0, 1, 2]
    assert grown(costs, epsilon).front[:4].tolist() == fronts(costs, epsilon).tolist() == [0, 0, 1, 0]


def test_thousands_of_arrivals_of_one_objective() -> None:
    """Fronts of one objective with an epsilon are chains, so a newcomer in front moves many members."""
    values = np.random.default_rng(1).random((400, 1))
    epsilon = epsilon_of(0.01, 1)
    noisy = grown(as_costs(values, ["min"]), epsilon)
    assert noisy.front[:400].tolist() == fronts(values, epsilon).tolist()
