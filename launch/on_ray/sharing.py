"""Fair shares of a cluster on which several searches run at once.

Each driver posts on a board in the cluster what part of the cluster it uses and what part it wants, and reads what the
other drivers post. From the same posts all drivers compute the same shares, so that no process decides for them.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Protocol

EVERY = 2.0
"""Seconds between two posts of a driver."""
STALE = 30.0
"""Seconds without a new post after which a driver counts as dead."""
TURN = 15.0
"""Seconds for which a search leaves a freed slot to another search that has none."""
PATIENCE = 300
"""Posts after which a search without a slot no longer gives way to searches that have waited longer."""
_TINY = 1e-9


@dataclass(frozen=True)
class Post:
    """Post of a driver about its search.

    Attributes:
        study: Name of the study.
        priority: Weight of the search: one with 2 gets twice the share of one with 1.
        wants: Part of the cluster that the search could use now, from 0 to 1.
        running: Number of its trials that run.
        slots: Number of its trials that fit on the whole cluster.
        idle: Number of posts since the search last ran a trial.
        beat: Number of the post.
    """

    study: str
    priority: float
    wants: float
    running: int
    slots: int
    idle: int = 0
    beat: int = 0


class Board(Protocol):
    """Place in the cluster where all drivers read what each posts. A post disappears with the cluster."""

    def put(self, key: str, text: str) -> None:
        """Replace the post of a key."""
        ...

    def all(self) -> Mapping[str, str]:
        """Return the posts by key."""
        ...

    def remove(self, key: str) -> None:
        """Remove the post of a key."""
        ...


def fair_shares(posts: Mapping[str, Post]) -> dict[str, float]:
    """Return the part of the cluster that each search gets: what it wants, or else its weighted share of the rest.

    >>> a, b = Post("a", 1.0, 1.0, 0, 8), Post("b", 1.0, 0.25, 0, 8)
    >>> fair_shares({"a": a, "b": b})
    {'b': 0.25, 'a': 0.75}
    """
    shares: dict[str, float] = {}
    rest, remaining = 1.0, dict(posts)
    while remaining:
        weight = sum(post.priority for post in remaining.values())
        modest = [key for key, post in remaining.items() if post.wants <= rest * post.priority / weight + _TINY]
        if not modest:
            return shares | {key: rest * post.priority / weight for key, post in remaining.items()}
        for key in modest:
            shares[key] = remaining.pop(key).wants
        rest = max(0.0, 1.0 - sum(shares.values()))
    return shares


class Sharing:
    """Part of a cluster that one search may use, among all searches on the cluster.

    Args:
        key: Key of this driver on the board.
        study: Name of its study.
        priority: Weight of its search.
        board: Board of the cluster.
        say: Function that prints a line.
        now: Clock, in seconds.
    """

    def __init__(
        self,
        key: str,
        study: str,
        priority: float,
        board: Board,
        say: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._board, self._say, self._now = key, board, say, now
        self._mine = Post(study, priority, 1.0, 0, 1)
        self._others: dict[str, Post] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        self._next, self._hold = -math.inf, -math.inf
        self._named: frozenset[str] = frozenset()

    def limit(self, slots: int, live: int, running: int, wants_more: bool) -> int | None:
        """Return how many trials of this search may be live at once, or None if no other search is on the cluster.

        Args:
            slots: Number of its trials that fit on the whole cluster.
            live: Number of its trials that run or wait for a place.
            running: Number of its trials that run.
            wants_more: Whether the search has further trials to start now.
        """
        wants = 1.0 if wants_more else min(1.0, live / max(1, slots))
        self._mine = replace(self._mine, wants=wants, running=running, slots=slots)
        if self._now() >= self._next:
            self._exchange()
        if not self._others:
            return None
        fair = self._share() * slots
        if (self._now() < self._hold and self._starved()) or (fair < 1 and not running and self._is_behind()):
            return 0
        return max(1, math.ceil(fair - _TINY))

    def leaves_slot(self, live: int) -> bool:
        """Return whether the slot of a trial that ends now must be free for another search.

        Args:
            live: Number of live trials of this search, that trial included.
        """
        leaves = live > math.floor(self._share() * self._mine.slots + _TINY) and bool(self._starved())
        if leaves:
            self._hold = self._now() + TURN
        return leaves

    def end(self) -> None:
        """Leave the cluster to the other searches."""
        self._board.remove(self._key)

    def _share(self) -> float:
        """Return the part that this search would get if it wanted the whole cluster, as it may at any moment."""
        return fair_shares({self._key: replace(self._mine, wants=1.0), **self._others})[self._key]

    def _starved(self) -> list[Post]:
        """Return the other searches that run fewer trials than the whole slots of their share, or none at all."""
        shares = fair_shares({self._key: self._mine, **self._others})
        return [
            post
            for key, post in self._others.items()
            if post.wants > 0 and post.running < max(1, math.floor(shares[key] * post.slots + _TINY))
        ]

    def _is_behind(self) -> bool:
        """Return whether another search without a slot has waited longer, so that it goes first."""
        if self._mine.idle > PATIENCE:
            return False  # its trials may request resources that no node has
        waiting = [(post.idle, key) for key, post in self._others.items() if post.wants > 0 and not post.running]
        return max(waiting, default=(-1, "")) > (self._mine.idle, self._key)

    def _exchange(self) -> None:
        """Post what this search uses, and read what the others do."""
        now = self._now()
        self._next = now + EVERY
        idle = 0 if self._mine.running else self._mine.idle + 1
        self._mine = replace(self._mine, idle=idle, beat=self._mine.beat + 1)
        self._board.put(self._key, json.dumps(asdict(self._mine)))
        posts = {key: text for key, text in self._board.all().items() if key != self._key}
        for key, text in posts.items():
            if key not in self._seen or self._seen[key][0] != text:
                self._seen[key] = (text, now)
        living = {key: text for key, text in posts.items() if now - self._seen[key][1] < STALE}
        self._others = {key: Post(**json.loads(text)) for key, text in living.items()}
        self._tell()

    def _tell(self) -> None:
        """Print the searches with which the cluster is shared, when they change."""
        if frozenset(self._others) == self._named:
            return
        self._named = frozenset(self._others)
        if not self._others:
            self._say("no other search is on the cluster any more: all slots are for this one")
            return
        others = ", ".join(f"{post.study} ({post.running} running)" for post in self._others.values())
        most = max(1, math.ceil(self._share() * self._mine.slots - _TINY))
        self._say(
            f"the cluster is shared with {others}: this search gets about {most} of {self._mine.slots} slots, as "
            "running trials end (search.priority changes the shares)"
        )
