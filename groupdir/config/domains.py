"""Domains of the open parameters of a search space."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groupdir.config.yamlvalues import shortened
from groupdir.registry import did_you_mean


@dataclass(frozen=True)
class Choice:
    """Domain of listed values. A value may be a scalar, null, a list or a mapping."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values at which a configuration must be valid: all of them."""
        return self.values


@dataclass(frozen=True)
class Uniform:
    """Domain of the numbers in [low, high], uniformly distributed. With a step: low, low + step, ..."""

    low: float
    high: float
    step: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value."""
        return self.low, self.high


@dataclass(frozen=True)
class LogUniform:
    """Domain of the numbers in [low, high], uniformly distributed on a log scale."""

    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value."""
        return self.low, self.high


@dataclass(frozen=True)
class IntRange:
    """Domain of the whole numbers low, low + step, ... up to high, uniformly distributed; optionally on a log scale."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def ends(self) -> tuple[int, int]:
        """Lowest and highest value that the steps reach."""
        return self.low, self.low + (self.high - self.low) // self.step * self.step


Domain = Choice | Uniform | LogUniform | IntRange
KEYS = {"choice": set(), "uniform": {"step"}, "log_uniform": set(), "int_range": {"step", "log"}}
MOST_CHOICES = 1_000
"""Largest number of values of a choice, each of which is validated."""


def domain_text(domain: Domain) -> str:
    """Return a domain as one line of text.

    >>> domain_text(Choice((5, None))), domain_text(LogUniform(0.25, 4)), domain_text(IntRange(1, 9, log=True))
    ('one of 5, null', 'log_uniform 0.25 to 4', 'int_range 1 to 9 on a log scale')
    """
    if isinstance(domain, Choice):
        return "one of " + ", ".join(json.dumps(value) for value in domain.values)
    kind = {Uniform: "uniform", LogUniform: "log_uniform", IntRange: "int_range"}[type(domain)]
    text = f"{kind} {domain.low:g} to {domain.high:g}"
    if isinstance(domain, IntRange) and domain.log:
        return f"{text} on a log scale"
    step = getattr(domain, "step", None)
    return text if step in (None, 1) else f"{text} by {step:g}"


def is_domain(value: Any) -> bool:
    """Return whether a YAML value is a domain."""
    return isinstance(value, Mapping) and any(key in KEYS for key in value)


def misspelt_domain(value: Any) -> str | None:
    """Return a hint for a mapping that is meant to be a domain but misspells its kind, else None.

    >>> misspelt_domain({"choise": [1, 2]})
    "unknown kind of domain 'choise': did you mean 'choice'? Known: choice, int_range, log_uniform, uniform"
    """
    if not isinstance(value, Mapping) or not value or is_domain(value):
        return None
    key = str(next(iter(value)))
    near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75)
    return f"unknown kind of domain '{key}': {did_you_mean(key, KEYS)}" if near else None


def parse_domain(value: Mapping[str, Any]) -> Domain:
    """Return the domain of a mapping such as `{log_uniform: [0.25, 4]}`.

    Raises:
        ValueError: If the mapping has two kinds of domain, an unknown option, ends that are not numbers, or an empty
            range.

    >>> parse_domain({"int_range": [1, 9], "step": 4})
    IntRange(low=1, high=9, step=4, log=False)
    """
    kinds = [key for key in value if key in KEYS]
    if len(kinds) != 1:
        raise ValueError(f"must have one kind of domain, got {' and '.join(kinds)}")
    kind, options = kinds[0], {key: inner for key, inner in value.items() if key != kinds[0]}
    if unknown := set(options) - KEYS[kind]:
        first = min(unknown)
        takes = did_you_mean(first, KEYS[kind]) if KEYS[kind] else f"{kind} takes no option"
        raise ValueError(f"{kind} has no option '{first}': {takes}")
    return _choice(value[kind]) if kind == "choice" else _range(kind, value[kind], options)


def _choice(values: Any) -> Choice:
    if not isinstance(values, list) or not values:
        raise ValueError(f"choice must be a list of at least one value, got {shortened(values)}")
    if len(values) > MOST_CHOICES:
        raise ValueError(f"choice must have at most {MOST_CHOICES:,} values, got {len(values):,}: use a range")
    if nested := next((item for item in values if is_domain(item)), None):
        raise ValueError(
            f"choice must hold fixed values, got the domain {shortened(nested)}: make it a separate parameter "
            "with `by:`"
        )
    seen: list[Any] = []
    for item in values:
        if item in seen:
            raise ValueError(f"choice holds {_both(seen[seen.index(item)], item)}: remove one of them")
        seen.append(item)
    return Choice(tuple(values))


def _both(first: Any, second: Any) -> str:
    """Return two equal values in words."""
    texts = [json.dumps(value)[:100] for value in (first, second)]
    return f"{texts[0]} twice" if texts[0] == texts[1] else f"{texts[0]} and {texts[1]}, which are equal"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _range(kind: str, ends: Any, options: dict[str, Any]) -> Domain:
    if not isinstance(ends, list) or len(ends) != 2 or not all(_number(end) for end in ends):
        raise ValueError(f"{kind} must be [low, high] of two finite numbers, got {shortened(ends)}")
    low, high = ends
    log = options.get("log", False)
    if not isinstance(log, bool):
        raise ValueError(f"{kind} must have a log that is true or false, got {shortened(log)}")
    if not math.isfinite(float(high) - float(low)):
        raise ValueError(f"{kind} must have a finite width, got [{low}, {high}]")
    if not low < high:
        raise ValueError(f"{kind} must have low < high, got [{low}, {high}]: to fix the value, write the number alone")
    step = options.get("step")
    if step is not None and not (_number(step) and step > 0):
        raise ValueError(f"{kind} must have a step > 0, got {shortened(step)}")
    if step is not None and step > high - low:
        raise ValueError(f"{kind} must have a step of at most high - low = {high - low:g}, got {step:g}")
    if (kind == "log_uniform" or log) and low <= 0:
        raise ValueError(f"{kind} on a log scale must have low > 0, got {low}")
    if kind == "log_uniform":
        return LogUniform(float(low), float(high))
    if kind == "uniform":
        return Uniform(float(low), float(high), None if step is None else float(step))
    if any(not isinstance(number, int) for number in (low, high, step or 1)):
        raise ValueError(f"int_range must have whole numbers, got {ends!r}" + (f" and step {step!r}" if step else ""))
    if log and step not in (None, 1):
        raise ValueError("int_range takes either log or a step, got both: remove one of them")
    return IntRange(low, high, step or 1, log)
