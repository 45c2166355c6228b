"""Several searches on one cluster: each gets its share, from what all of them post, with a clock of the test's own."""

from __future__ import annotations

import pytest

from groupdir.config.search import SearchConfig
from launch.on_ray.capacity import Coming
from launch.on_ray.sharing import EVERY, STALE, TURN, Post, Sharing, fair_shares
from launch.on_ray.slots import Slots


class Board:
    def __init__(self) -> None:
        self.posts: dict[str, str] = {}

    def put(self, key: str, text: str) -> None:
        self.posts[key] = text

    def all(self) -> dict[str, str]:
        return dict(self.posts)

    def remove(self, key: str) -> None:
        self.posts.pop(key, None)


class Cluster:
    """A cluster with some slots of one CPU, on which searches take places in the order in which they ask."""

    def __init__(self, slots: int) -> None:
        self.size, self.now, self.board = slots, 0.0, Board()
        self.searches: dict[str, Search] = {}

    def search(self, name: str, trials: int = 1000, priority: float = 1.0) -> Search:
        self.searches[name] = Search(self, name, trials, priority)
        return self.searches[name]

    @property
    def free(self) -> int:
        return self.size - sum(len(search.running) for search in self.searches.values())

    def settle(self, steps: int = 3) -> None:
        """A few seconds in which nothing ends."""
        for _ in range(steps):
            self.now += EVERY
            for search in self.searches.values():
                search.step()
                search.place()

    def counts(self) -> dict[str, int]:
        return {name: len(search.running) for name, search in self.searches.items()}


class Search:
    """A driver: it queues trials as its slots allow, and keeps the process of a trial that ends for the next one."""

    def __init__(self, cluster: Cluster, name: str, trials: int, priority: float) -> None:
        self.cluster, self.left, self.said = cluster, trials, list[str]()
        self.sharing = Sharing(name, name, priority, cluster.board, self.said.append, lambda: cluster.now)
        config = SearchConfig.model_validate({"resources": {"cpu": 1, "gpu": 0}, "priority": priority})
        self.slots = Slots(config, lambda: [{"CPU": float(cluster.size)}], Coming(), sharing=self.sharing)
        self.waiting, self.running = list[int](), list[int]()
        self.began = 0

    def step(self) -> None:
        while self.slots.take(self.began) is not None:
            self.slots.has_more(self.left > 0)
            if not self.left:
                self.slots.give_back(self.began)
                return
            self.waiting.append(self.began)
            self.began, self.left = self.began + 1, self.left - 1

    def place(self) -> None:
        while self.waiting and self.cluster.free > 0:
            self._begin(self.waiting.pop(0))

    def _begin(self, trial: int) -> None:
        self.running.append(trial)
        self.slots.started(trial)

    def end_one(self) -> None:
        """A trial ends; its process takes the next trial at once, unless the slot is another's."""
        trial = self.running.pop(0)
        leaves = self.slots.leaves_slot()
        self.slots.give_back(trial)
        self.step()
        if self.waiting and not leaves:
            self._begin(self.waiting.pop(0))


def test_one_search_has_all() -> None:
    cluster = Cluster(3)
    only = cluster.search("a")
    cluster.settle()
    assert cluster.counts() == {"a": 3}
    assert not only.said


def test_a_second_search_gets_its_share_as_trials_end() -> None:
    """It used to get nothing until the first one had no trial left."""
    cluster = Cluster(4)
    first = cluster.search("a")
    cluster.settle()
    second = cluster.search("b")
    cluster.settle()
    assert cluster.counts() == {"a": 4, "b": 0}, "running trials are not ended"
    (line,) = second.said
    assert line.startswith("the cluster is shared with a (4 running): this search gets about 2 of 4 slots, as running")
    for _ in range(2):
        first.end_one()
        cluster.settle()
    assert cluster.counts() == {"a": 2, "b": 2}
    for search in (first, second, first, second):
        search.end_one()
        cluster.settle()
        assert cluster.counts() == {"a": 2, "b": 2}, "each keeps its processes then"


def test_a_search_with_little_to_do_leaves_the_rest() -> None:
    cluster = Cluster(4)
    cluster.search("a", trials=1)
    second = cluster.search("b")
    cluster.settle(5)
    assert cluster.counts() == {"a": 1, "b": 3}
    first = cluster.searches.pop("a")
    first.sharing.end()
    cluster.settle(5)
    assert cluster.counts() == {"b": 4}
    assert second.said[-1] == "no other search is on the cluster any more: all slots are for this one"


def test_priority() -> None:
    cluster = Cluster(6)
    cluster.search("a", priority=2.0)
    cluster.search("b")
    cluster.settle()
    for _ in range(6):
        for search in cluster.searches.values():
            if search.running:
                search.end_one()
        cluster.settle()
    assert cluster.counts() == {"a": 4, "b": 2}


def test_more_searches_than_slots_take_turns() -> None:
    cluster = Cluster(1)
    for name in "abc":
        cluster.search(name)
    began = dict.fromkeys("abc", 0)
    for _ in range(12):
        cluster.settle()
        (running,) = [search for search in cluster.searches.values() if search.running]
        began[next(name for name, search in cluster.searches.items() if search is running)] += 1
        running.end_one()
        cluster.now += TURN / 3
    assert set(began.values()) == {4}


def test_a_dead_driver_holds_nothing() -> None:
    cluster = Cluster(2)
    cluster.board.put("dead", '{"study": "d", "priority": 1.0, "wants": 1.0, "running": 0, "slots": 2, "beat": 7}')
    search = cluster.search("a")
    cluster.settle()
    assert cluster.counts() == {"a": 1}
    cluster.now += STALE
    cluster.settle()
    assert cluster.counts() == {"a": 2}
    assert "no other search" in search.said[-1]


@pytest.mark.parametrize(
    ("wants", "priorities", "shares"),
    [
        ([1, 1], [1, 1], [0.5, 0.5]),
        ([1, 1, 1], [1, 1, 2], [0.25, 0.25, 0.5]),
        ([0.1, 1, 1], [1, 1, 1], [0.1, 0.45, 0.45]),
        ([0.1, 0.3, 1], [1, 1, 1], [0.1, 0.3, 0.6]),
        ([0, 1], [1, 1], [0, 1]),
        ([0.2, 0.2], [1, 1], [0.2, 0.2]),
        ([1], [3], [1]),
    ],
)
def test_shares(wants: list[float], priorities: list[float], shares: list[float]) -> None:
    posts = {str(n): Post("s", p, w, 0, 8) for n, (w, p) in enumerate(zip(wants, priorities, strict=True))}
    found = fair_shares(posts)
    assert [found[key] for key in posts] == pytest.approx(shares)
    assert sum(found.values()) <= 1 + 1e-9
