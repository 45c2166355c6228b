"""Non-dominated fronts with an epsilon, updated for each newcomer instead of computed again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


class NoisyFronts:
    """Fronts of a growing set whose dominance is neither transitive nor free of circles.

    Members of a circle form one component. The front of a component is one more than the highest front of the
    components that dominate it. The fronts are always those of `launch.pareto.fronts`, which sorts all members.

    A newcomer changes only the fronts of the members that it dominates directly or through others. Sets of members are
    Python integers with one bit for each member, because a union or an intersection of thousands of members then takes
    less than a microsecond. All sets together take N^2 / 4 bytes for N members.

    Attributes:
        front: Index of each member's front, in the order of arrival.
    """

    def __init__(self) -> None:
        self.front: Indices = np.zeros(16, dtype=np.int64)
        self._count = 0
        self._component: Indices = np.zeros(16, dtype=np.int64)
        self._members: list[int] = []  # for each component a set, and so on
        self._wins: list[int] = []  # set of the members that it dominates
        self._losses: list[int] = []  # set of the members that dominate it
        self._level: list[int] = []
        self._levels: list[int] = []  # set of the members on each front

    def add(self, dominated: npt.NDArray[np.bool_], dominating: npt.NDArray[np.bool_]) -> None:
        """Add a newcomer.

        Args:
            dominated: Flags `(N,)` of the N members so far, True where the newcomer dominates.
            dominating: Flags `(N,)`, True where the member dominates the newcomer.
        """
        new, bit = self._count, 1 << self._count
        self._count += 1
        if new == len(self.front):
            self.front = np.concatenate([self.front, np.zeros_like(self.front)])
            self._component = np.concatenate([self._component, np.zeros_like(self._component)])
        for component in _distinct(self._component[:new][dominating]):
            self._wins[component] |= bit
        for component in _distinct(self._component[:new][dominated]):
            self._losses[component] |= bit
        self._component[new] = len(self._members)
        self._members.append(bit)
        self._wins.append(_as_set(dominated))
        self._losses.append(_as_set(dominating))
        level = self._lowest(self._losses[-1])
        self._level.append(level)
        self._put(len(self._members) - 1, level)
        circle = self._circle(level)
        if circle:
            self._merge(circle)
        else:
            self._push(len(self._members) - 1)

    def _parts(self, members: int) -> Iterator[int]:
        """Yield the components of a set of members."""
        while members:
            component = int(self._component[(members & -members).bit_length() - 1])
            yield component
            members &= ~self._members[component]

    def _lowest(self, losses: int) -> int:
        """Return the lowest front that a component with these losses can be on."""
        for level in range(len(self._levels) - 1, -1, -1):
            if self._levels[level] & losses:
                return level + 1
        return 0

    def _put(self, component: int, level: int) -> None:
        """Put a component on a front."""
        members = self._members[component]
        if level == len(self._levels):
            self._levels.append(0)
        self._levels[level] |= members
        self._level[component] = level
        if members & (members - 1):
            self.front[_as_indices(members, self._count)] = level
        else:
            self.front[members.bit_length() - 1] = level

    def _move(self, component: int, level: int) -> None:
        self._levels[self._level[component]] &= ~self._members[component]
        self._put(component, level)

    def _circle(self, level: int) -> list[int]:
        """Return the components that form a circle with the newcomer on a front, without the newcomer.

        A path from the newcomer to a member that dominates it leads over ever higher fronts, all below its own.
        """
        below = 0
        for members in self._levels[:level]:
            below |= members
        reached = self._closure(self._wins[-1] & below, self._wins, below)
        return list(self._parts(self._closure(self._losses[-1] & reached, self._losses, reached)))

    def _closure(self, start: int, edges: list[int], inside: int) -> int:
        """Return the members that can be reached from a set along edges, within a set."""
        reached, ahead = 0, start
        while ahead:
            component = int(self._component[(ahead & -ahead).bit_length() - 1])
            reached |= self._members[component]
            ahead = (ahead | (edges[component] & inside)) & ~reached
        return reached

    def _push(self, component: int) -> None:
        """Move the components that a component dominates, and those that they dominate, to higher fronts if needed."""
        level, upto = self._level[component], 0
        for members in self._levels[: level + 1]:
            upto |= members
        pending = self._wins[component] & upto
        while pending:
            level += 1
            ready = [part for part in self._parts(pending) if not self._losses[part] & pending]
            beaten = 0
            for part in ready:
                self._move(part, level)
                pending &= ~self._members[part]
                beaten |= self._wins[part]
            upto |= self._levels[level]
            pending |= beaten & upto

    def _merge(self, circle: list[int]) -> None:
        """Merge the newcomer and the components of a circle into one, then correct all fronts that follow from it."""
        target = max(circle, key=lambda part: self._members[part].bit_count())
        before = [self._level[part] for part in circle]
        for part in [*circle, len(self._members) - 1]:
            self._levels[self._level[part]] &= ~self._members[part]
            if part == target:
                continue
            self._component[_as_indices(self._members[part], self._count)] = target
            self._members[target] |= self._members[part]
            self._wins[target] |= self._wins[part]
            self._losses[target] |= self._losses[part]
        self._wins[target] &= ~self._members[target]
        self._losses[target] &= ~self._members[target]
        self._put(target, self._lowest(self._losses[target]))
        self._correct(self._affected(target, min(before), max(before)))
        while not self._levels[-1]:
            self._levels.pop()

    def _affected(self, component: int, before: int, after: int) -> int:
        """Return the members whose front may be wrong because a component moved from between two fronts to its own.

        Args:
            component: The component.
            before: Lowest front of any of its members before.
            after: Highest front of any of its members before.
        """
        level = self._level[component]
        near = 0
        for members in self._levels[: level + 1]:
            near |= members
        if after > level:  # those that it alone kept from a better front
            for members in self._levels[max(before, level) + 1 : after + 2]:
                near |= members
        return self._wins[component] & near

    def _correct(self, wrong: int) -> None:
        """Put components on their right fronts, from the lowest front on, until all are right."""
        while wrong:
            level = next(level for level, members in enumerate(self._levels) if members & wrong)
            for part in list(self._parts(wrong & self._levels[level])):
                wrong &= ~self._members[part]
                right = self._lowest(self._losses[part])
                if right != level:
                    self._move(part, right)
                    wrong |= self._affected(part, level, level)


def _distinct(components: Indices) -> list[int]:
    """Return the distinct components. Thousands of members may be in a few of them."""
    distinct: list[int] = np.flatnonzero(np.bincount(components)).tolist()
    return distinct


def _as_set(flags: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _as_indices(members: int, count: int) -> Indices:
    raw = np.frombuffer(members.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(raw, bitorder="little"))
