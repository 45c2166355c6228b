"""Base classes of all configurations, and the annotation of sections that name a plug-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from groupdir.config.yamlvalues import shortened
from groupdir.errors import ConfigError, described
from groupdir.registry import DEFAULT_NAMES, NAME_KEYS, Kind, resolve_config

# Key that marks a property of a JSON Schema as the name of a plug-in. `groupdir.config.schema` replaces it.
MARK = "x-plugin"


_NUMBERS = (int, float, int | None, float | None)


class Strict(BaseModel):
    """Base of every configuration. It is frozen, refuses unknown keys and validates defaults too."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _a_number_is_no_flag(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is expected. pydantic takes them for 1 and 0."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in _NUMBERS:
            raise ValueError(f"must be a number, got {str(value).lower()}")
        return value


class PluginConfig(Strict):
    """Section whose `name` decides which class reads it."""

    name: str


@dataclass(frozen=True)
class Plugin:
    """Annotation of a field that names a plug-in.

    In a YAML, the value is the name alone or a mapping of the name and the options. A field
    `Annotated[SerializeAsAny[LossConfig], Plugin("regression_loss")]` then holds an instance of the options class that
    belongs to the name.

    Attributes:
        kind: Kind of plug-in, which is a table of the registry.
    """

    kind: Kind

    @property
    def key(self) -> str:
        """Key of the option that holds the name."""
        return NAME_KEYS.get(self.kind, "name")

    @property
    def default(self) -> str | None:
        """Name of the plug-in when a mapping gives none; None if a name is required."""
        return DEFAULT_NAMES.get(self.kind)

    def options(self, value: Any, base: type[BaseModel] = BaseModel) -> Any:
        """Validate the value of a section and return the options of the plug-in that the value names.

        Args:
            value: Value of the section.
            base: Class that the options must inherit from.

        Raises:
            ValueError: If the value names no known plug-in, or its options are of another kind or raise another error.
            ValidationError: If the options of the plug-in have wrong keys or values.
        """
        if isinstance(value, BaseModel):
            return value
        section = {self.key: value} if isinstance(value, str) else value
        if not isinstance(section, Mapping):
            raise ValueError(f"must be a name, or a mapping with a {self.key}, got {shortened(value)}")
        name = section.get(self.key, self.default)
        if not isinstance(name, str):
            raise ValueError(
                f"must have a `{self.key}` that is a string" + ("" if name is None else f", got {shortened(name)}")
            )
        try:
            options = resolve_config(self.kind, name)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if not issubclass(options, base):
            raise ValueError(f"{name} must have a `Config` that inherits from {base.__name__}, got {options!r}")
        try:
            return options.model_validate({**section, self.key: name})
        except ValueError:
            raise
        except Exception as error:
            if ":" not in name:
                raise
            raise ValueError(f"{name} must raise ValueError for wrong options, got {described(error)}") from error

    def model(self, value: Any) -> type[BaseModel] | None:
        """Return the options class of the plug-in that a value names, or None if the value names no known plug-in."""
        name = value if isinstance(value, str) else None
        if isinstance(value, Mapping):
            name = value.get(self.key, self.default)
        try:
            return resolve_config(self.kind, name) if isinstance(name, str) else None
        except ConfigError:
            return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Make pydantic convert the value with `options` before it checks the type."""

        def options(value: Any) -> Any:
            return self.options(value, source)

        return core_schema.no_info_before_validator_function(options, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Mark the property of the JSON Schema with the kind of plug-in."""
        return {MARK: self.kind}


def odd(size: int) -> int:
    """Validate that the size of a kernel is odd, because an even kernel has no middle. Return the size."""
    if size % 2 == 0:
        raise ValueError(f"must be odd, got {size}")
    return size
