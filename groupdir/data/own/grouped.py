"""Splits that keep groups of rows together, such as the pictures of a person, and are balanced over the label bins."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from groupdir.data.base import SplitName
from groupdir.errors import DataError

_SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
_PASSES = 10  # most passes that move single groups; of 567 persons of AgeDB-DIR, 52 move in the first and 7 in the last
_DIGITS = 9  # costs that agree to so many decimals are equal, whatever the order in which a machine adds them

Floats = npt.NDArray[np.float64]


def grouped_split(
    counts: Mapping[str, Mapping[int, int]], most: int, lot: Callable[[str], bytes]
) -> dict[str, SplitName]:
    """Assign whole groups to train, val and test.

    The goal of val, and of test, in a bin of n rows is min(n // 3, most) rows, and the goal of train is the rest. The
    cost of an assignment is the sum of (rows - goal)^2 / goal over the bins of the three splits. Groups are assigned in
    order of size up to a factor of two, where a row of a rare bin counts more, and in order of their lots among groups
    of one size. Each goes to the split where it lowers the cost most. Then single groups are moved while that lowers
    the cost.

    scikit-learn's `StratifiedGroupKFold` makes folds with the label distribution of all rows. Here val and test have
    another distribution than train. With the persons of AgeDB-DIR as groups, val and test differ from their 2,140 goals
    by 131 to 164 rows (4 seeds), and two of its 8 folds by 769 and 761.

    Args:
        counts: Group -> bin -> number of rows.
        most: Largest goal of val in a bin, and of test.
        lot: Function that gives the sort key of a group among groups of one size.

    Returns:
        Group -> split. It does not depend on the order of the groups.

    Raises:
        DataError: If there are fewer than three groups.
    """
    if len(counts) < len(_SPLITS):
        raise DataError(f"a split by groups needs at least 3 groups, got {len(counts)}")
    bins = {label_bin: index for index, label_bin in enumerate(sorted({b for group in counts.values() for b in group}))}
    sizes = np.zeros(len(bins))
    rows_of: dict[str, tuple[npt.NDArray[np.int64], Floats]] = {}
    for group, of_bin in counts.items():
        where = sorted(of_bin)
        rows_of[group] = np.array([bins[b] for b in where]), np.array([float(of_bin[b]) for b in where])
        sizes[rows_of[group][0]] += rows_of[group][1]
    plan = _Plan(sizes, most)
    share = {group: round(float((count / sizes[where]).sum()), _DIGITS) for group, (where, count) in rows_of.items()}
    order = sorted(counts, key=lambda group: (-math.floor(math.log2(share[group])), lot(group)))
    of_group = {group: plan.add(*rows_of[group]) for group in order}
    for _ in range(_PASSES):
        before = dict(of_group)
        for group in order:
            plan.remove(of_group[group], *rows_of[group])
            of_group[group] = plan.add(*rows_of[group])
        if of_group == before:
            break
    for split in range(len(_SPLITS)):
        if split not in of_group.values():
            groups_in = Counter(of_group.values())
            taken = [group for group in order if groups_in[of_group[group]] > 1]
            cheapest = min(taken, key=lambda group: plan.cost_of_move(of_group[group], split, *rows_of[group]))
            plan.move(of_group[cheapest], split, *rows_of[cheapest])
            of_group[cheapest] = split
    return {group: _SPLITS[split] for group, split in of_group.items()}


class _Plan:
    """Rows that each split has in each bin, and what another group would change.

    Args:
        sizes: Rows (B,) of each bin.
        most: Largest goal of val in a bin, and of test.
    """

    def __init__(self, sizes: Floats, most: int) -> None:
        each = np.minimum(sizes // 3, most)
        self.goal = np.stack([sizes - 2 * each, each, each])
        self.rows = np.zeros_like(self.goal)
        self.weight = 1 / np.maximum(self.goal, 1)

    def add(self, bins: npt.NDArray[np.int64], count: Floats) -> int:
        """Add a group to the split where this lowers the cost most, and return the index of that split."""
        split = int(np.argmin(self._costs(bins, count)))
        self.rows[split, bins] += count
        return split

    def remove(self, split: int, bins: npt.NDArray[np.int64], count: Floats) -> None:
        """Remove a group from its split."""
        self.rows[split, bins] -= count

    def move(self, old: int, new: int, bins: npt.NDArray[np.int64], count: Floats) -> None:
        """Move a group to a given split."""
        self.remove(old, bins, count)
        self.rows[new, bins] += count

    def cost_of_move(self, old: int, new: int, bins: npt.NDArray[np.int64], count: Floats) -> float:
        """Return the change of the cost if a group moves."""
        self.remove(old, bins, count)
        costs = self._costs(bins, count)
        self.rows[old, bins] += count
        return float(costs[new] - costs[old])

    def _costs(self, bins: npt.NDArray[np.int64], count: Floats) -> Floats:
        """Return the change of the cost (3,) if a group is added to each split."""
        distance = self.rows[:, bins] - self.goal[:, bins]
        change: Floats = (count * (count + 2 * distance) * self.weight[:, bins]).sum(axis=1).round(_DIGITS)
        return change
