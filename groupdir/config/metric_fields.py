"""Types of metric names and objectives in a configuration. The direction of an objective follows from its metric."""

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
    """Convert a list of metrics to a mapping from metric to direction. Return a mapping unchanged.

    Raises:
        ValidationError: If names are unknown or repeated. Each mistake has its index in the list.
        ValueError: If the value is neither a list nor a mapping.
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
                raise ValueError(f"'{name}' is given twice: remove one of them")
            objectives[name] = direction(searchable(name))
        except ValueError as error:
            mistakes[(index,)] = (str(error), name)
    raise_at("objectives", mistakes)
    return objectives


def _right_directions(value: dict[str, Direction]) -> dict[str, Direction]:
    """Return the objectives after checking that each has the direction of its metric.

    Raises:
        ValidationError: If objectives have the wrong direction. The error lists all of them.
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
    """JSON Schema of the name of a metric. It is built on request, so that it lists every registered metric."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": search_metrics()}


class _ErrorSchema:
    """JSON Schema of the name of a metric that compares values."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": _errors()}


class _ObjectivesSchema:
    """JSON Schema of objectives: a list of metrics, or a mapping from each metric to its only valid direction."""

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
"""Name of a metric on the validation set."""

ErrorMetric = Annotated[str, AfterValidator(_error), _ErrorSchema()]
"""Name of a metric that compares values, without split and shot, such as "mae"."""

Objectives = Annotated[
    dict[SearchMetric, Direction], AfterValidator(_right_directions), BeforeValidator(_directed), _ObjectivesSchema()
]
"""Objectives of a search: a mapping from metric to direction, or in a YAML a list of metrics."""


def unmeasurable(metrics: Mapping[str, str], method: MethodConfig) -> dict[str, str]:
    """Return a message for each address whose metric the method cannot measure.

    Args:
        metrics: Metric by address, such as `SearchConfig.metrics`.
        method: Section of the method.
    """
    if method.has_groups:
        return {}
    return {
        address: f"cannot be measured: method {method.name} predicts no groups, got {name}: choose another metric or a "
        "method with groups"
        for address, name in metrics.items()
        if parse_metric(name).metric.compares == "groups"
    }
