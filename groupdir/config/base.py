"""The ground of every configuration: frozen, unknown keys refused, and a section whose name decides who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from groupdir.errors import ConfigError
from groupdir.registry import Kind, resolve_config


class Strict(BaseModel):
    """Base of every configuration: frozen, unknown keys refused, defaults checked too."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class PluginConfig(Strict):
    """A section whose `name` decides which class reads it."""

    name: str


def plugin(kind: Kind, value: Any) -> Any:
    """The configuration that a section with a `name` means, by the class of that name; for validators.

    Raises:
        ValueError: It is no mapping with a name, or the name is unknown; pydantic's own for its keys and values.
    """
    if isinstance(value, PluginConfig):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping with a name, got {value!r}")
    name = value.get("name")
    if not isinstance(name, str):
        raise ValueError("must have a `name` that is a text" + ("" if name is None else f", got {name!r}"))
    try:
        config = resolve_config(kind, name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return config.model_validate(dict(value))


def odd(size: int) -> int:
    """Refuses an even kernel, which has no middle; for validators."""
    if size % 2 == 0:
        raise ValueError(f"must be odd, got {size}")
    return size
