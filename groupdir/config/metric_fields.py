"""Metrics in a YAML: names that a search may use, and objectives whose direction follows from the metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from groupdir.config.trial import MethodConfig
from groupdir.config.validation import raise_at
from groupdir.metrics import METRICS, Direction, direction, parse_metric, search_metrics, searchable
from groupdir.registry import did_you_mean

MOST_OBJECTIVES = 4


def _error(name: str) -> str:
    known = _errors()
    if name not in known:
        raise ValueError(f"unknown metric '{name}': {did_you_mean(name, known)}")
    return name


def _errors() -> list[str]:
    return [metric.name for metric in METRICS.values() if metric.compares == "values"]


def _directed(value: Any) -> Any:
    """Return a list of names as a mapping from each name to its direction; return a mapping as it is.

    Raises:
        ValidationError: An unknown name or one that is given twice, each at its place in the list.
        ValueError: Neither a list nor a mapping.
    """
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list):
        raise ValueError(f"must be a list of metrics or a mapping from metric to direction, got {value!r}")
    objectives: dict[str, Direction] = {}
    mistakes: dict[tuple[str | int, ...], tuple[str, Any]] = {}
    for index, name in enumerate(value):
        try:
            if not isinstance(name, str):
                raise ValueError(f"must be the name of a metric, got {name!r}")
            if name in objectives:
                raise ValueError(f"'{name}' is given twice: remove it once")
            objectives[name] = direction(searchable(name))
        except ValueError as error:
            mistakes[(index,)] = (str(error), name)
    raise_at("objectives", mistakes)
    return objectives


def _right_directions(value: dict[str, Direction]) -> dict[str, Direction]:
    """Return the objectives if each has the direction of its metric.

    Raises:
        ValidationError: With every objective that has the other direction.
    """
    mistakes: dict[tuple[str | int, ...], tuple[str, Any]] = {}
    for name, given in value.items():
        metric = parse_metric(name).metric
        if given != metric.direction:
            text = f"must be {metric.direction}, because the {metric.best} {metric.text} is best, got {given}"
            mistakes[(name,)] = (text, given)
    raise_at("objectives", mistakes)
    return value


class _NameSchema:
    """JSON Schema of a metric's name. It is built when it is asked for, so that it has every metric."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": search_metrics()}


class _ErrorSchema:
    """JSON Schema of the name of a metric that compares values."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": _errors()}


class _ObjectivesSchema:
    """JSON Schema of objectives: a list of names, or a mapping that allows each name its own direction alone."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        names = search_metrics()
        directions = {name: {"const": direction(name)} for name in names}
        most = {"minProperties": 1, "maxProperties": MOST_OBJECTIVES}
        listed = {"items": {"enum": names}, "uniqueItems": True, "minItems": 1, "maxItems": MOST_OBJECTIVES}
        return {
            "anyOf": [
                {"type": "object", "properties": directions, "additionalProperties": False, **most},
                {"type": "array", **listed},
            ]
        }


SearchMetric = Annotated[str, AfterValidator(searchable), _NameSchema()]
"""A metric of the validation set."""

ErrorMetric = Annotated[str, AfterValidator(_error), _ErrorSchema()]
"""A metric that compares values, without split and shot, such as "mae"."""

Objectives = Annotated[
    dict[SearchMetric, Direction], AfterValidator(_right_directions), BeforeValidator(_directed), _ObjectivesSchema()
]
"""What a search optimises: metric -> its direction, or in a YAML a list of metrics."""


def unmeasurable(metrics: Mapping[str, str], method: MethodConfig) -> dict[str, str]:
    """Return why a method cannot measure a metric, for each address whose metric it cannot measure.

    Args:
        metrics: Address -> metric, such as `SearchConfig.metrics`.
        method: The method's section.
    """
    if method.has_groups:
        return {}
    return {
        address: f"cannot be measured: method {method.name} predicts no groups, got {name}: choose another metric or a "
        "method with groups"
        for address, name in metrics.items()
        if parse_metric(name).metric.compares == "groups"
    }
