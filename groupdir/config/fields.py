"""Lookup of the fields of a configuration by address, also inside sections that name a plug-in."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from groupdir.config.base import Plugin
from groupdir.config.yamlvalues import Address


def model_at(model: type[BaseModel], data: Any, address: Address) -> type[BaseModel] | None:
    """Return the model of the section at an address, or None if the address is not a section.

    Args:
        model: Model of the whole content.
        data: Content. The names of plug-ins in it decide which models their sections have.
        address: Keys from the top.
    """
    current: type[BaseModel] | None = model
    for part in address:
        data = data.get(part) if isinstance(data, Mapping) else None
        field = current.model_fields.get(str(part)) if current else None
        if field is None:
            return None
        mark = plugin_of(field)
        current = _model_in(field.annotation) if mark is None else mark.model(data)
    return current


def plugin_at(model: type[BaseModel], data: Any, address: Address) -> Plugin | None:
    """Return the plug-in annotation of the section at an address, or None if the section does not name a plug-in."""
    owner = model_at(model, data, address[:-1]) if address else None
    field = owner.model_fields.get(str(address[-1])) if owner else None
    return None if field is None else plugin_of(field)


def plugin_of(field: FieldInfo) -> Plugin | None:
    """Return the plug-in annotation of a field, also of an optional field, or None if the field has none."""
    marks = [*field.metadata, *(item for inner in _parts(field.annotation) for item in _metadata(inner))]
    return next((item for item in marks if isinstance(item, Plugin)), None)


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation alone."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as `X | None`."""
    for part in _parts(annotation):
        inner = typing.get_args(part)[0] if _metadata(part) else part
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None
