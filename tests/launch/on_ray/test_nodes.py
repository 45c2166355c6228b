"""Where trials run, and which nodes get none: told by name, asked again, and taken back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from launch.on_ray.nodes import EVERY, Answer, Node, Nodes


class Cluster:
    """Nodes by id, what each says of the storage, and a clock."""

    def __init__(self) -> None:
        self.names = {"a1": "w1 (10.0.0.1)", "b2": "w2 (10.0.0.2)"}
        self.says: dict[str, str | None] = {}
        self.asked: list[str] = []
        self.printed: list[str] = []
        self.now = 50.0
        self.nodes = Nodes(
            self.check, self.printed.append, lambda: self.names, lambda trial: trial.node, lambda: self.now
        )

    def check(self, node: str) -> Answer:
        self.asked.append(node)
        return lambda: self.says[node]

    def begin(self, number: int, node: str) -> tuple[Node | None, Node]:
        trial: Any = SimpleNamespace(node=node)
        return self.nodes.begin(number, trial)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_trial_that_moves_has_a_node_before_and_one_now(cluster: Cluster) -> None:
    w1, w2 = Node("a1", "w1 (10.0.0.1)"), Node("b2", "w2 (10.0.0.2)")
    assert cluster.begin(3, "a1") == (None, w1)
    assert cluster.nodes.of(3) == w1
    assert cluster.begin(3, "b2") == (w1, w2)
    cluster.nodes.end(3)
    assert cluster.begin(3, "a1") == (None, w1), "it had ended, and is promoted"


def test_the_name_of_a_node_outlives_the_node_and_one_that_joins_gets_one(cluster: Cluster) -> None:
    cluster.begin(0, "a1")
    cluster.names = {"c3": "w3 (10.0.0.3)"}
    assert cluster.begin(0, "c3")[1].name == "w3 (10.0.0.3)"
    assert cluster.begin(1, "a1")[1].name == "w1 (10.0.0.1)"
    assert cluster.begin(2, "")[1].name == "an unknown node"


def test_a_refused_node_is_asked_now_and_then_and_taken_back(cluster: Cluster) -> None:
    nodes = cluster.nodes
    w1 = cluster.begin(0, "a1")[1]
    nodes.refuse(w1, "node w1: cannot use the storage")
    nodes.refuse(w1, "node w1: cannot use the storage")
    assert cluster.printed == [
        "node w1: cannot use the storage. w1 (10.0.0.1) gets no trial until it can use the storage again"
    ], "once for all trials there"
    assert nodes.refused == ("a1",)
    assert nodes.changed()
    assert not nodes.changed()
    assert not cluster.asked
    cluster.now += EVERY
    cluster.says = {"a1": None}  # its file system hangs
    assert not any(nodes.changed() for _ in range(5))
    assert cluster.asked == ["a1"], "one question at a time"
    cluster.says = {"a1": "/mnt/.storage is not there"}
    assert not any(nodes.changed() for _ in range(5))
    cluster.now += EVERY
    cluster.says = {"a1": ""}
    assert nodes.changed()
    assert nodes.refused == ()
    assert cluster.printed[-1] == "w1 (10.0.0.1) can use the storage again and gets trials"


def test_a_node_that_is_refused_again_and_again_is_asked_less_and_less(cluster: Cluster) -> None:
    """It says that all is well, and no trial can use the storage there: it must not take one trial after the other."""
    w1, cluster.says, waited = cluster.begin(0, "a1")[1], {"a1": ""}, []
    for _ in range(9):
        cluster.nodes.refuse(w1, "why")
        start = cluster.now
        while cluster.nodes.refused:
            cluster.now += 1.0
            cluster.nodes.changed()
        waited.append(cluster.now - start)
    assert waited == [5, 10, 20, 40, 80, 160, 320, 600, 600]


def test_a_refused_node_that_leaves_is_forgotten(cluster: Cluster) -> None:
    cluster.nodes.refuse(cluster.begin(0, "a1")[1], "why")
    del cluster.names["a1"]
    cluster.now += EVERY
    assert cluster.nodes.changed()
    assert cluster.nodes.refused == ()
    assert not cluster.asked


def test_trials_wait_where_no_node_is_left(cluster: Cluster) -> None:
    for number, node in enumerate(cluster.names):
        cluster.nodes.refuse(cluster.begin(number, node)[1], "why")
    assert cluster.printed[-1] == "no node can use the storage: all trials wait until one can"


def test_a_trial_of_which_no_node_is_known_refuses_none(cluster: Cluster) -> None:
    cluster.nodes.refuse(cluster.nodes.of(7), "why")
    assert cluster.nodes.refused == ()
