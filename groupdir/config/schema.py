"""JSON Schema of trials, studies and benchmarks, for editors that complete and check YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from groupdir.config.base import MARK, Plugin, Strict
from groupdir.config.benchmark import BenchmarkConfig
from groupdir.config.search import SearchConfig
from groupdir.config.trial import TrialConfig
from groupdir.registry import DEFAULT_NAMES, TABLES, resolve_config

REFERENCE = "#/$defs/"
SECTION = "section_"  # prefix of the definition of a section that names a plug-in; the kind follows
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
    """Return the JSON Schema as text; see `build_schema`."""
    return json.dumps(build_schema(), indent=1)


def build_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a trial, a study (with `search`) or a benchmark (with `rows` or `grid`).

    A name of the form "module:Class" is accepted with any options, because the schema cannot know the user's classes.
    """
    classes = {(kind, name): resolve_config(kind, name) for kind, table in TABLES.items() for name in table}
    ours: list[type[Strict]] = [TrialConfig, SearchConfig, BenchmarkConfig]
    models: list[tuple[type[Strict], Any]] = [(model, "validation") for model in (*ours, *classes.values())]
    keys, top = models_json_schema(models)
    definitions = top["$defs"]
    trial = definitions.pop("TrialConfig")
    for definition in (*definitions.values(), trial):
        for name, inner in definition.get("properties", {}).items():
            definition["properties"][name] = _with_sections(inner)
    definitions |= {
        SECTION + kind: _section(Plugin(kind), {name: keys[(classes[kind, name], "validation")] for name in table})
        for kind, table in TABLES.items()
    }
    for kind, name in DEFAULT_NAMES.items():
        options = definitions[classes[kind, name].__name__]
        options["required"] = [key for key in options.get("required", []) if key != Plugin(kind).key]
    search, benchmark = definitions.pop("SearchConfig"), definitions.pop("BenchmarkConfig")
    definitions["Open"] = _open_parameter()
    for definition in (*definitions.values(), trial):
        if definition is not definitions["Open"]:
            _open_properties(definition)
    definitions |= {"SearchConfig": search, "BenchmarkConfig": benchmark}
    search_models = [model.__name__ for (kind, _), model in classes.items() if kind in ("scheduler", "sampler")]
    for name in (*search_models, "ResourcesConfig"):
        _close_properties(definitions[name])
    trial["properties"] |= {"name": {"type": "string"}, "search": {"$ref": REFERENCE + "SearchConfig"}}
    trial["properties"] |= {"benchmark": {"$ref": REFERENCE + "BenchmarkConfig"}, "rows": ROWS, "grid": GRID}
    trial["required"] = ["data", "encoder"]
    trial["anyOf"] = [{"required": ["method"]}, {"required": ["rows"]}]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "groupdir trial or study"}
    return {**head, **trial, "title": head["title"], "$defs": definitions}


def _section(mark: Plugin, names: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a section whose name decides which definition applies. With an open name none applies."""
    cases = []
    for name, reference in names.items():
        required = [] if name == mark.default else [mark.key]
        cases.append({"if": {"properties": {mark.key: {"const": name}}, "required": required}, "then": reference})
    known = {"anyOf": [*_known(names), {"$ref": REFERENCE + "Open"}]}
    mapping = {
        "type": "object",
        "required": [] if mark.default else [mark.key],
        "properties": {mark.key: known},
        "allOf": cases,
    }
    return {"anyOf": [*_known(names), mapping]}


def _known(names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the schemas of a name: of a registered plug-in, or of a user's class ("module:Class")."""
    return [{"enum": sorted(names)}, {"type": "string", "pattern": ":"}]


def _with_sections(inner: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a property, with a reference to the section of its kind if the property names a plug-in."""
    if MARK in inner:
        rest = {key: value for key, value in inner.items() if key != MARK}
        return {"$ref": REFERENCE + SECTION + inner[MARK], **rest}
    return inner | {"anyOf": [_with_sections(part) for part in inner["anyOf"]]} if "anyOf" in inner else inner


def _open_parameter() -> dict[str, Any]:
    """Return the schema of an open parameter."""
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
