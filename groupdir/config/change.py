"""Changes to the content of a configuration by address, for `--set`, ablations and rows of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from groupdir.config.base import Plugin
from groupdir.config.fields import model_at, plugin_at
from groupdir.config.yamlvalues import Address
from groupdir.errors import ConfigError, Mistake


def put(data: dict[str, Any], address: Sequence[str | int], value: Any) -> None:
    """Set the value at an address. Create missing mappings on the way, also in place of a section that is null."""
    for part in address[:-1]:
        inner = data.get(str(part))
        if not isinstance(inner, dict):
            inner = {}
            data[str(part)] = inner
        data = inner
    data[str(address[-1])] = value


def change_all(model: type[BaseModel], data: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set the values at some dotted addresses; see `change`. The order of the changes does not matter.

    Args:
        model: Model of the whole content.
        data: Content to change in place.
        changes: New values by dotted address.

    Raises:
        ConfigError: If two changes contradict each other, such as a section that is null and an option in it.
    """
    pairs = sorted(
        ((tuple(address.split(".")), value) for address, value in changes.items()), key=lambda pair: len(pair[0])
    )
    for address, value in pairs:
        change(model, data, address, value)
        for other, outer in pairs:
            if outer is None and other == address[: len(other)] and len(other) < len(address):
                text = f"must not be null, because {'.'.join(address)} is set too: drop one of them"
                raise ConfigError([Mistake(".".join(other), text)])
    for address, value in pairs:  # a later long form has removed an earlier short form: validation compares them
        holder = _at(data, address[:-1])
        if not isinstance(holder, Mapping) or address[-1] not in holder:
            put(data, address, value)


def change(model: type[BaseModel], data: dict[str, Any], address: Address, value: Any) -> None:
    """Set the value at an address and keep the content valid where possible.

    The content may be complete, such as the configuration that a trial wrote, so other values can conflict with the
    new one:

    - A plug-in that is given by its name alone, or by default, becomes a mapping, so that its option can be set.
    - A short form replaces its long form and vice versa, such as `method.beta` and `method.group_loss.beta`.
    - A new name of a plug-in removes the options that the new plug-in does not know and that have their default value.
      An unknown option with another value stays and is refused later, because it would be ignored.

    Args:
        model: Model of the whole content.
        data: Content to change in place.
        address: Keys from the top.
        value: New value.
    """
    for end in range(1, len(address)):
        mark, section = plugin_at(model, data, address[:end]), _at(data, address[:end])
        name = _default_name(model, data, address[:end]) if section is None else section
        if mark is not None and isinstance(name, str):
            put(data, address[:end], {mark.key: name})
    for end in range(len(address)):
        for short, long in getattr(model_at(model, data, address[:end]), "shorthands", {}).items():
            changed = address[end:]
            if changed == (short,):
                _remove(data, (*address[:end], *long))
            elif changed and long[: len(changed)] == changed:
                _remove(data, (*address[:end], short))
    section, option = address[:-1], str(address[-1])
    mark = plugin_at(model, data, section)
    if mark is not None and mark.key == option:
        _forget_defaults(mark, _at(data, section), value)
    put(data, address, value)


def _default_name(model: type[BaseModel], data: Any, address: Address) -> Any:
    """Return the name of the plug-in that is used when the section is missing, or None."""
    owner, mark = model_at(model, data, address[:-1]), plugin_at(model, data, address)
    if owner is None or mark is None:
        return None
    default = owner.model_fields[str(address[-1])].default
    return default if isinstance(default, str) else getattr(default, mark.key, mark.default)


def _forget_defaults(mark: Plugin, section: Any, name: Any) -> None:
    """Remove the options that have their default values and that the plug-in with the new name does not know.

    Args:
        mark: Annotation of the section.
        section: Section of the former plug-in, changed in place.
        name: Name of the new plug-in.
    """
    old, new = mark.model(section), mark.model(name)
    if old is None or new is None or not isinstance(section, dict):
        return
    try:
        defaults = mark.options({mark.key: section.get(mark.key, mark.default)}).model_dump(mode="json")
    except ValidationError:  # the former plug-in has options without a default
        return
    for option, default in defaults.items():
        if option not in new.model_fields and option in section and section[option] == default:
            del section[option]


def _at(data: Any, address: Address) -> Any:
    for part in address:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _remove(data: dict[str, Any], address: Address) -> None:
    holder = _at(data, address[:-1])
    if isinstance(holder, dict):
        holder.pop(str(address[-1]), None)
