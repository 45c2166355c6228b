"""YAML files with the line number of every value, so that messages can point to the line of a mistake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from groupdir.errors import ConfigError, Mistake

Address = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number, as YAML 1.2 does; PyYAML's 1.1 rule makes it a string."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


def dotted(address: Address) -> str:
    """Return an address as dotted text: ("search", "objectives", 1) gives `search.objectives.1`."""
    return ".".join(str(part) for part in address)


@dataclass(frozen=True)
class Document:
    """Parsed YAML file.

    Attributes:
        name: Name of the file in messages.
        data: Content as plain mappings, lists and scalars.
        lines: Address of each value -> line of its key (of the item itself in a list), counted from 1.
    """

    name: str
    data: dict[str, Any]
    lines: dict[Address, int]

    @classmethod
    def read(cls, path: str | Path) -> Document:
        """Read and parse a file.

        Raises:
            ConfigError: If the file cannot be read, is not valid YAML, repeats a key in a mapping, or is not a
                mapping at its top level.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(f"{path}: cannot be read: {reason}") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str = "<yaml>") -> Document:
        """Parse YAML text. `name` is the name of the file in messages. Errors are those of `read`."""
        try:
            root = yaml.compose(text, Loader=_Loader)
            data = yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            raise ConfigError([Mistake("", f"is not valid YAML: {error.problem}", name, line)]) from error
        except yaml.YAMLError as error:
            raise ConfigError([Mistake("", f"is not valid YAML: {error}", name)]) from error
        if not isinstance(data, dict):
            raise ConfigError(
                [Mistake("", f"must hold a mapping at its top level, got {type(data).__name__}", name, 1)]
            )
        lines: dict[Address, int] = {}
        repeated: list[Mistake] = []
        if root is not None:
            _walk(root, (), lines, repeated, name)
        if repeated:
            raise ConfigError(repeated)
        return cls(name, data, lines)

    def line(self, address: Address) -> int | None:
        """Return the line of a value. For a missing value, return the line of the nearest enclosing mapping or list."""
        while address and address not in self.lines:
            address = address[:-1]
        return self.lines.get(address)

    def mistake(self, address: Address, message: str) -> Mistake:
        """Return a mistake at an address of this file."""
        return Mistake(dotted(address), message, self.name, self.line(address))


def _walk(node: yaml.Node, address: Address, lines: dict[Address, int], repeated: list[Mistake], name: str) -> None:
    """Add the lines of a node and of all values in it to `lines`, and its repeated keys to `repeated`."""
    lines.setdefault(address, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[Any] = set()
        for key, value in node.value:
            inner = (*address, key.value)
            if key.value in seen:
                repeated.append(
                    Mistake(dotted(inner), "is given twice: remove one of them", name, key.start_mark.line + 1)
                )
            seen.add(key.value)
            lines[inner] = key.start_mark.line + 1
            _walk(value, inner, lines, repeated, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*address, index), lines, repeated, name)
