"""A search of two nested: few outer points, such as encoders, with many inner ones each, such as heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groupdir.config.search import NestedConfig


def outer_parameters(nested: NestedConfig | None, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the outer parameters of the next trial if an earlier trial decides them, else nothing.

    Trials come in rounds of `at_once * inner`. The first `at_once` of a round have outer points of their own, one each,
    so that as many workers have different first stages to train; the others follow in turn.

    Args:
        nested: How; None: one level.
        earlier: Parameters of all trials so far, by number.
    """
    if nested is None:
        return {}
    place = len(earlier) % (nested.at_once * nested.inner)
    if place < nested.at_once:
        return {}
    leader = earlier[len(earlier) - place + place % nested.at_once]
    return {name: value for name, value in leader.items() if name.partition("|")[0] in nested.outer}
