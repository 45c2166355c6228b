"""Nested search: few outer configurations, such as encoders, each with many inner ones, such as heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groupdir.config.search import NestedConfig


def outer_parameters(nested: NestedConfig | None, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the outer parameters that the next trial takes from an earlier trial, or nothing if it suggests new ones.

    Trials come in rounds of `at_once * inner`. Each of the first `at_once` trials of a round has new outer parameters,
    so that as many workers have different first stages to train. The other trials take these parameters in turn.

    Args:
        nested: Options of the nested search, None for a search that is not nested.
        earlier: Parameters of all trials so far, by number.
    """
    if nested is None:
        return {}
    place = len(earlier) % (nested.at_once * nested.inner)
    if place < nested.at_once:
        return {}
    leader = earlier[len(earlier) - place + place % nested.at_once]
    return {name: value for name, value in leader.items() if name.partition("|")[0] in nested.outer}
