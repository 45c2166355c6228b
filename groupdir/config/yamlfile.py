"""YAML files with the line number of every value, so that messages can point to the line of a mistake."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupdir.config.yamlvalues import MOST_CHARACTERS, Address, read_values
from groupdir.errors import ConfigError, Mistake
from groupdir.files.sealed import text_is_intact


def dotted(address: Address) -> str:
    """Return an address as dotted text: ("search", "objectives", 1) gives `search.objectives.1`."""
    return ".".join(str(part) for part in address)


@dataclass(frozen=True)
class Document:
    """Parsed YAML file.

    Attributes:
        name: Name of the file in messages.
        data: Content as plain mappings, lists and scalars. All keys are texts.
        lines: Address of each value -> line of its key (of the item itself in a list), counted from 1.
    """

    name: str
    data: dict[str, Any]
    lines: dict[Address, int]

    @classmethod
    def read(cls, path: str | Path) -> Document:
        """Read and parse a file.

        A file that groupdir wrote may be edited by hand. A warning says that it no longer matches its checksum, because
        a damaged disk or copy looks the same.

        Raises:
            ConfigError: If the file cannot be read, or `read_values` refuses its content.
        """
        try:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(MOST_CHARACTERS + 1)
        except (OSError, ValueError) as error:  # a path with a NUL is a ValueError, as is a text that is not UTF-8
            reason = error.strerror if isinstance(error, OSError) else str(error)
            reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason
            raise ConfigError(f"{path}: cannot be read: {reason}") from error
        if not text_is_intact(text):
            warnings.warn(
                f"{path}: was edited after it was written, because it does not match the checksum on its last line; if "
                "nobody edited it, it is damaged: write it again",
                stacklevel=2,
            )
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str = "<yaml>") -> Document:
        """Parse YAML text. `name` is the name of the file in messages. Errors are those of `read_values`."""
        data, lines = read_values(text, name)
        return cls(name, data, lines)

    def line(self, address: Address) -> int | None:
        """Return the line of a value. For a missing value, return the line of the nearest enclosing mapping or list."""
        while address and address not in self.lines:
            address = address[:-1]
        return self.lines.get(address)

    def mistake(self, address: Address, message: str) -> Mistake:
        """Return a mistake at an address of this file."""
        return Mistake(dotted(address), message, self.name, self.line(address))
