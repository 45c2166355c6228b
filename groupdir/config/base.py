"""The ground of every configuration: frozen, unknown keys refused, and sections that name a plug-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from groupdir.errors import ConfigError
from groupdir.registry import DEFAULT_NAMES, NAME_KEYS, Kind, resolve_config

MARK = "x-plugin"  # of a property of a JSON Schema that names a plug-in; `groupdir.config.schema` replaces it


class Strict(BaseModel):
    """Base of every configuration: frozen, unknown keys refused, defaults checked too."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class PluginConfig(Strict):
    """A section whose `name` decides which class reads it."""

    name: str


@dataclass(frozen=True)
class Plugin:
    """Annotation of a field that names a plug-in: by the name alone, or by a mapping of its name and options.

    A field `Annotated[SerializeAsAny[LossConfig], Plugin("regression_loss")]` becomes the options of the named class.

    Attributes:
        kind: Table of the registry.
    """

    kind: Kind

    @property
    def key(self) -> str:
        """Option that holds the name."""
        return NAME_KEYS.get(self.kind, "name")

    @property
    def default(self) -> str | None:
        """Name that a mapping without one stands for; None where a name is required."""
        return DEFAULT_NAMES.get(self.kind)

    def options(self, value: Any) -> Any:
        """Return the options that a value stands for, read by the class of its name.

        Raises:
            ValueError: The value names no plug-in; pydantic's own error for its keys and values.
        """
        if isinstance(value, BaseModel):
            return value
        section = {self.key: value} if isinstance(value, str) else value
        if not isinstance(section, Mapping):
            raise ValueError(f"must be a name, or a mapping with a {self.key}, got {value!r}")
        name = section.get(self.key, self.default)
        if not isinstance(name, str):
            raise ValueError(f"must have a `{self.key}` that is a text" + ("" if name is None else f", got {name!r}"))
        try:
            options = resolve_config(self.kind, name)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return options.model_validate({**section, self.key: name})

    def model(self, value: Any) -> type[BaseModel] | None:
        """Return the class of the options that a value stands for, or None where it names no plug-in."""
        name = value if isinstance(value, str) else None
        if isinstance(value, Mapping):
            name = value.get(self.key, self.default)
        try:
            return resolve_config(self.kind, name) if isinstance(name, str) else None
        except ConfigError:
            return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read a value by `options` before it checks its type."""
        return core_schema.no_info_before_validator_function(self.options, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Mark the property in a JSON Schema."""
        return {MARK: self.kind}


def odd(size: int) -> int:
    """Refuses an even kernel, which has no middle; for validators."""
    if size % 2 == 0:
        raise ValueError(f"must be odd, got {size}")
    return size
