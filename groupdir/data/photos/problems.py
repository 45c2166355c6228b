"""Messages about the pictures of a data set that cannot be used, or that decoding had to simplify."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from groupdir.data.base import SplitName
from groupdir.data.manifest import Rows
from groupdir.data.photos.cache import Cached

SHOWN = 20
"""Largest number of pictures that a list in a message has for each split. The others are only counted."""

Opened = tuple[SplitName, Rows, Cached]
"""A split, its rows and its decoded pictures."""


def broken_text(caches: Sequence[Opened]) -> str:
    """Return a message that counts the broken pictures of each split and lists them with their rows and reasons."""
    total = sum(len(rows.files) for _, rows, _ in caches)
    counts = {split: len(cached.broken) for split, _, cached in caches if cached.broken}
    listed = ", ".join(f"{split} {count}" for split, count in counts.items())
    lines = [f"{caches[0][1].manifest}: {sum(counts.values())} of {total} pictures cannot be used ({listed}):"]
    for split, rows, cached in caches:
        if cached.broken:
            reasons = [f"  row {rows.numbers[i]} ({split}): {rows.files[i]}: {why}" for i, why in cached.broken]
            lines.append(first_lines(reasons))
    return "\n".join(lines)


def remark_texts(caches: Sequence[Opened]) -> Iterator[str]:
    """Yield a message for each remark of decoding, with the number of its pictures and the first of them."""
    total = sum(cached.shape[0] for _, _, cached in caches)
    counts: dict[str, int] = defaultdict(int)
    example: dict[str, str] = {}
    for _, rows, cached in caches:
        for remark, count, first in cached.remarks:
            counts[remark] += count
            example.setdefault(remark, f"row {rows.numbers[first]}: {rows.files[first]}")
    for remark, count in counts.items():
        yield f"{caches[0][1].manifest}: {count} of {total} pictures {remark} (such as {example[remark]})"


def first_lines(lines: Sequence[str]) -> str:
    """Return the first lines of a list, and the number of the others."""
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])
