"""Groups of rows that belong together, such as the pictures of a person, from a column of the list."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from groupdir.data.base import SplitName
from groupdir.data.cell_values import is_missing
from groupdir.data.cells import Cells


def read_groups(cells: Cells, name: str) -> tuple[str, ...]:
    """Return the group of each row.

    Raises:
        DataError: If there is no such column, or a row has no group. The message lists these rows.
    """
    cells.need([name], "; or name another one in data.group")
    column = cells.columns[name]
    cells.refuse(
        (number, f"{name} is missing: rows of one group must be in one split, so fill it in or remove the row")
        for number, cell in zip(cells.numbers, column, strict=True)
        if is_missing(cell)
    )
    return tuple(str(cell).strip() for cell in column)


def warn_of_broken_groups(path: Path, name: str, groups: Sequence[str], splits: Sequence[SplitName]) -> None:
    """Warn if given splits put rows of one group into several splits, with the share of val and test that is affected.

    Args:
        path: File of the list.
        name: Column of the groups.
        groups: N groups.
        splits: N splits.
    """
    of_split: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        of_split.setdefault(split, set()).add(group)
    several = [group for group in set(groups) if sum(group in members for members in of_split.values()) > 1]
    if not several:
        return
    train = of_split.get("train", set())
    shares = []
    for split in ("val", "test"):
        rows = [group for group, of_row in zip(groups, splits, strict=True) if of_row == split]
        affected = sum(group in train for group in rows)
        shares += [f"{affected} of {len(rows)} {split} rows"] if affected else []
    rows_text = f": {' and '.join(shares)} share one with training" if shares else ""
    warnings.warn(
        f"{path}: {len(several)} of {len(set(groups))} values of {name!r} are in several splits (such as "
        f"{min(several)!r}){rows_text}. Errors on such rows are lower than on a new {name}; to split by groups, set "
        "data.split to null",
        stacklevel=2,
    )
