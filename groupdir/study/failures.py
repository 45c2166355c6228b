"""Failed trials of a study in words: one line for each message, with the numbers of its trials."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
LONGEST = 300
"""Longest message, in characters. A longer one is cut at its end."""
SHOWN = 8
"""Largest number of failed trials of one message that are named."""


def failure_lines(failed: Iterable[tuple[int, str]]) -> list[str]:
    """Return one line for each message, the most frequent first.

    Messages that differ only in their numbers, such as the epoch, count as one. The first of them is shown.

    Args:
        failed: Number and message of each failed trial.

    >>> failure_lines([(3, "epoch 4: the loss is nan"), (5, "no space left"), (9, "epoch 7: the loss is nan")])
    ['2 failed (trials 3, 9): epoch 4: the loss is nan', '1 failed (trial 5): no space left']
    """
    groups: dict[str, list[tuple[int, str]]] = {}
    for number, message in failed:
        groups.setdefault(_NUMBER.sub("0", message), []).append((number, message))
    lines = []
    for members in sorted(groups.values(), key=len, reverse=True):
        numbers = ", ".join(str(number) for number, _ in members[:SHOWN])
        more = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
        text = " ".join(members[0][1].split()) or "without a message"
        text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        lines.append(f"{len(members)} failed (trial{'s' * (len(members) > 1)} {numbers}{more}): {text}")
    return lines
