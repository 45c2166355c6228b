"""The JSON Schema of trials and studies, for editors that complete and check YAML."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from groupdir.config.base import Strict
from groupdir.config.benchmark import BenchmarkConfig
from groupdir.config.search import SearchConfig
from groupdir.config.trial import TrialConfig
from groupdir.registry import TABLES, Kind, resolve_config

REFERENCE = "#/$defs/"
NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}

ROWS = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "required": ["from"],
                "properties": {"from": {"type": "string"}, "set": {"type": "object"}},
                "additionalProperties": False,
            },
        ]
    },
}
AXES = {"type": "object", "additionalProperties": {"type": "array", "minItems": 1}}
GRID = {"anyOf": [AXES, {"type": "array", "items": AXES}]}


def schema_text() -> str:
    """The schema as text; see `build_schema`."""
    return json.dumps(build_schema(), indent=1)


def build_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a file that is a trial or, with `search`, a study, or with `rows` or `grid` a benchmark.

    A name that is not registered, as of a class of your own, is let through: the schema does not know its options.
    """
    classes = {(kind, name): resolve_config(kind, name) for kind, table in TABLES.items() for name in table}
    ours: list[type[Strict]] = [TrialConfig, SearchConfig, BenchmarkConfig]
    models: list[tuple[type[Strict], Any]] = [(model, "validation") for model in (*ours, *classes.values())]
    keys, top = models_json_schema(models)
    definitions = top["$defs"]
    trial = definitions.pop("TrialConfig")
    sections = {
        kind: _section({name: keys[(model, "validation")] for (of, name), model in classes.items() if of == kind})
        for kind in TABLES
    }
    for definition in (*definitions.values(), trial):
        _name_sections(definition, sections)
    search, benchmark = definitions.pop("SearchConfig"), definitions.pop("BenchmarkConfig")
    definitions["Open"] = _open_leaf()
    for definition in (*definitions.values(), trial):
        if definition is not definitions["Open"]:
            _open_properties(definition)
    definitions |= {"SearchConfig": search, "BenchmarkConfig": benchmark}
    for name in ("SamplerConfig", "SchedulerConfig", "ResourcesConfig"):
        _close_properties(definitions[name])
    trial["properties"] |= {"name": {"type": "string"}, "search": {"$ref": REFERENCE + "SearchConfig"}}
    trial["properties"] |= {"benchmark": {"$ref": REFERENCE + "BenchmarkConfig"}, "rows": ROWS, "grid": GRID}
    trial["required"] = ["data", "encoder"]
    trial["anyOf"] = [{"required": ["method"]}, {"required": ["rows"]}]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "groupdir trial or study"}
    return {**head, **trial, "title": head["title"], "$defs": definitions}


def _section(names: dict[str, Any]) -> dict[str, Any]:
    """A section whose name decides which of the definitions holds."""
    cases = [
        {"if": {"properties": {"name": {"const": name}}, "required": ["name"]}, "then": reference}
        for name, reference in names.items()
    ]
    name = {"anyOf": [{"enum": sorted(names)}, {"type": "string", "pattern": ":"}]}
    return {"type": "object", "required": ["name"], "properties": {"name": name}, "allOf": cases}


def _name_sections(definition: dict[str, Any], sections: dict[Kind, dict[str, Any]]) -> None:
    """Puts sections where a definition has a plug-in's; a loss may also be its name alone, and a part may be null."""
    for name, inner in definition.get("properties", {}).items():
        if name in sections and name in ("method", "data", "encoder"):
            definition["properties"][name] = sections[name]
        elif name in sections and "default" in inner:
            kinds: list[dict[str, Any]] = [sections[name], {"type": "null"}]
            if name == "loss":
                kinds.append({"type": "string"})
            definition["properties"][name] = {"anyOf": kinds, "default": inner["default"]}


def _open_leaf() -> dict[str, Any]:
    """A parameter that is left open."""
    case = {"by": {"type": "string"}, "cases": {"type": "object"}}
    kinds = [
        {"properties": {"choice": {"type": "array", "minItems": 1}}, "required": ["choice"]},
        {"properties": {"uniform": NUMBERS, "step": {"type": "number"}}, "required": ["uniform"]},
        {"properties": {"log_uniform": NUMBERS}, "required": ["log_uniform"]},
        {
            "properties": {"int_range": NUMBERS, "step": {"type": "integer"}, "log": {"type": "boolean"}},
            "required": ["int_range"],
        },
        {"properties": case, "required": ["by", "cases"]},
    ]
    return {
        "title": "An open parameter",
        "type": "object",
        "anyOf": [{**kind, "additionalProperties": False} for kind in kinds],
    }


def _open_properties(definition: dict[str, Any]) -> None:
    for name, inner in definition.get("properties", {}).items():
        if name != "name":
            definition["properties"][name] = {"anyOf": [inner, {"$ref": REFERENCE + "Open"}]}


def _close_properties(definition: dict[str, Any]) -> None:
    for name, inner in definition.get("properties", {}).items():
        if name != "name":
            definition["properties"][name] = inner["anyOf"][0]
