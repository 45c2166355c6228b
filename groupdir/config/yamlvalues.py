"""Values of a YAML text: plain mappings, lists, texts and numbers with their lines, within fixed limits.

YAML can describe more than a configuration needs: objects, dates, mappings that contain themselves, and texts of a few
lines that stand for billions of values. Everything of this kind is refused with its line.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator
from typing import Any

import yaml

from groupdir.errors import ConfigError, Mistake
from groupdir.names import KEYS_REFUSED, without_keys

Address = tuple[str | int, ...]

MOST_CHARACTERS = 250_000
"""Largest length of a YAML text. The longest file of a project with thousands of columns has a tenth of it."""

MOST_VALUES = 10_000
"""Largest number of values of a YAML text. A value counts wherever an alias repeats it."""

MOST_LEVELS = 32
"""Largest number of mappings and lists inside each other."""

MOST_INTEGER = 2**63 - 1
"""Largest whole number, which SQLite and Parquet can still hold."""

MOST_TEXT = 10_000
"""Largest length of a text in a configuration."""

_PREFIX = "tag:yaml.org,2002:"
_KINDS = {_PREFIX + kind for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
_SCALARS = {
    "null": "null",
    "bool": "true or false",
    "int": f"a whole number of at most {MOST_INTEGER}",
    "float": "a number",
    "str": "a text",
}
_MERGE = _PREFIX + "merge"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """SafeLoader whose numbers are those of YAML 1.2, and that stops at the first level or value beyond a limit.

    YAML 1.2 reads 1e-3 as a number, which is a text in PyYAML's YAML 1.1. Dates, 0123 and 1:30 are texts. YAML 1.1
    reads 0123 as 83 and 1:30 as 90.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in pairs if tag.rpartition(":")[2] in ("bool", "null", "merge")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, unless it exceeds a limit."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._nodes += 1
        if self._levels > MOST_LEVELS:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=mark)
        if self._nodes > 2 * MOST_VALUES:  # keys are nodes too
            raise yaml.MarkedYAMLError(problem=_TOO_MANY, problem_mark=mark)
        self._levels += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._levels -= 1


_Loader.add_implicit_resolver(
    _PREFIX + "int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    _PREFIX + "float",
    re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
        r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes every text which `_Loader` or a reader of YAML 1.1 would take for another type."""


for _first, _pairs in _Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _pairs:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])

_TOO_DEEP = f"must have at most {MOST_LEVELS} mappings and lists inside each other"
_TOO_MANY = f"must have at most {MOST_VALUES:,} values"


def dump_yaml(data: Any) -> str:
    r"""Return plain data as YAML text, from which `read_values` reads the same data.

    >>> dump_yaml({"name": "1e3"})
    "name: '1e3'\n"
    """
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def read_values(text: str, name: str) -> tuple[dict[str, Any], dict[Address, int]]:
    """Parse a YAML text whose root is a mapping.

    Args:
        text: YAML text.
        name: Name of the file in messages.

    Returns:
        Data of plain values whose keys are all texts, and the line of each address, counted from 1.

    Raises:
        ConfigError: If the text is not valid YAML, exceeds a limit, has another root, repeats a key, or has a value
            that is not a mapping, a list, a text, a number, true, false or null.
    """
    if len(text) > MOST_CHARACTERS:
        problem = f"must have at most {MOST_CHARACTERS:,} characters, got {len(text):,}: is this a configuration?"
        raise ConfigError([Mistake("", problem, name)])
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        raise _wrong_character(text, error, name) from error
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError([Mistake("", f"is not valid YAML: {error.problem}", name, line)]) from error
    except yaml.reader.ReaderError as error:
        raise _wrong_character(text, error, name) from error
    except (ValueError, OverflowError) as error:  # PyYAML converts \U00110000 without a check
        line = loader.line + 1
        raise ConfigError([Mistake("", f"is not valid YAML: {error}", name, line)]) from error
    if not isinstance(root, yaml.MappingNode):
        kind = "nothing" if root is None else "a list" if isinstance(root, yaml.SequenceNode) else "one value"
        raise ConfigError([Mistake("", f"must hold a mapping at its top level, got {kind}", name, 1)])
    reader = _Reader(loader, name)
    data = reader.value(root, ())
    if reader.mistakes:
        raise ConfigError(list(dict.fromkeys(reader.mistakes)))
    assert isinstance(data, dict)
    return data, reader.lines


class _Reader:
    """Reader of the nodes of a text. It collects lines and mistakes.

    Args:
        loader: Loader that converts scalars.
        name: Name of the file in messages.
    """

    def __init__(self, loader: _Loader, name: str) -> None:
        self.lines: dict[Address, int] = {}
        self.mistakes: list[Mistake] = []
        self._loader = loader
        self._name = name
        self._open: set[int] = set()  # the mappings and lists around the present node
        self._values = 0

    def value(self, node: yaml.Node, address: Address) -> Any:
        """Return the plain value of a node, or None after a mistake.

        Raises:
            ConfigError: If the text has too many values or levels, because of aliases.
        """
        self.lines.setdefault(address, node.start_mark.line + 1)
        self._values += 1
        if id(node) in self._open:
            self._refuse(address, "must not contain itself: remove the alias", node)
            return None
        if self._values > MOST_VALUES or len(self._open) > MOST_LEVELS:
            problem = _TOO_MANY if self._values > MOST_VALUES else _TOO_DEEP
            raise ConfigError([Mistake("", f"{problem}, also where aliases repeat them", self._name, _line(node))])
        if node.tag not in _KINDS:
            kind = node.tag.removeprefix(_PREFIX)
            self._refuse(address, f"must be a mapping, a list, a text, a number or true or false, got !{kind}", node)
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, address)
        self._open.add(id(node))
        try:
            return self._mapping(node, address) if isinstance(node, yaml.MappingNode) else self._list(node, address)
        finally:
            self._open.remove(id(node))

    def _list(self, node: yaml.Node, address: Address) -> list[Any] | None:
        if not isinstance(node, yaml.SequenceNode) or node.tag != _PREFIX + "seq":
            self._refuse(address, f"must be a list, got the tag {node.tag}", node)
            return None
        return [self.value(item, (*address, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, address: Address) -> dict[str, Any] | None:
        if node.tag != _PREFIX + "map":
            self._refuse(address, f"must be a mapping, got the tag {node.tag}", node)
            return None
        content: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag == _MERGE:
                merged = self._merged(item, address) | merged
                continue
            name = self._key(key, address)
            if name is None:
                continue
            inner = (*address, name)
            if name in content:
                self._refuse(inner, "is given twice: remove one of them", key)
                continue
            self.lines[inner] = key.start_mark.line + 1
            content[name] = self.value(item, inner)
        return {**merged, **content}

    def _merged(self, node: yaml.Node, address: Address) -> dict[str, Any]:
        """Return the content that the key `<<` adds to a mapping, from one mapping or a list of mappings."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        content: dict[str, Any] = {}
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self._refuse((*address, "<<"), "must be a mapping, or a list of mappings", part)
                continue
            content = (self.value(part, address) or {}) | content
        return content

    def _key(self, node: yaml.Node, address: Address) -> str | None:
        """Return a key as text, such as "true" or "0.5", or None after a mistake."""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _KINDS:
            self._refuse(address, "must have keys that are texts or numbers", node)
            return None
        value = self._scalar(node, address)
        return value if isinstance(value, str) else "null" if value is None else str(value).lower()

    def _scalar(self, node: yaml.ScalarNode, address: Address) -> Any:
        must = _SCALARS.get(node.tag.removeprefix(_PREFIX))
        try:
            value = None if must is None else self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, KeyError, OverflowError):  # also whole numbers above 4,300 digits
            self._refuse(address, f"must be {must}, got {shortened(node.value)}", node)
            return None
        if must is None:
            self._refuse(address, f"must not have the tag {node.tag}, got {shortened(node.value)}", node)
            return None
        if text := wrong_scalar(value):
            self._refuse(address, text, node)
            return None
        return value

    def _refuse(self, address: Address, message: str, node: yaml.Node) -> None:
        self.mistakes.append(Mistake(".".join(map(str, address)), message, self._name, _line(node)))


def wrong_scalar(value: Any) -> str | None:
    """Return why a text or a number cannot be used in any configuration, or None if it can."""
    if isinstance(value, int) and abs(value) > MOST_INTEGER:
        return f"must be a whole number of at most {MOST_INTEGER}, got one of {abs(value).bit_length()} bits"
    if not isinstance(value, str):
        return None
    if len(value) > MOST_TEXT:
        return f"must be a text of at most {MOST_TEXT:,} characters, got {len(value):,}"
    if "://" in value and without_keys(value) != value:
        return KEYS_REFUSED.format(without_keys(value))
    if bad := _CONTROL.search(value):
        return f"must be printable text, got the character U+{ord(bad[0]):04X}: remove it"
    return None


def check_plain(data: Any) -> Iterator[tuple[Address, str]]:
    """Yield the address and the message of every value of parsed data that `read_values` would refuse.

    Use it for data that comes from another source than YAML, such as a checkpoint.
    """
    remaining: list[tuple[Any, Address]] = [(data, ())]
    values = 0
    while remaining:
        value, address = remaining.pop()
        values += 1
        if values > MOST_VALUES:
            yield (), _TOO_MANY
            return
        if len(address) > MOST_LEVELS:
            yield address[:3], _TOO_DEEP
        elif type(value) is dict:
            for key, inner in value.items():
                if type(key) is not str or wrong_scalar(key):
                    yield address, f"must have keys that are texts, got {shortened(key)}"
                else:
                    remaining.append((inner, (*address, key)))
        elif type(value) in (list, tuple):
            remaining += [(inner, (*address, index)) for index, inner in enumerate(value)]
        elif value is not None and type(value) not in (str, int, float, bool):
            yield address, f"must be a mapping, a list, a text or a number, got {type(value).__name__}"
        elif text := wrong_scalar(value):
            yield address, text


_REPR = reprlib.Repr()  # unlike repr, it ends for values that contain themselves
_REPR.maxlevel = 6
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = _REPR.maxset = 20
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 200


def shortened(value: Any, most: int = 200) -> str:
    """Return the representation of a value, cut in the middle if it is long.

    >>> shortened("a" * 1000, 13)
    "'aaaaa...aaaa'"
    """
    text = _REPR.repr(value)
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-(most // 2 - 1) :]}"


def _wrong_character(text: str, error: yaml.reader.ReaderError, name: str) -> ConfigError:
    """Return the error about a character that YAML forbids."""
    code = error.character if isinstance(error.character, int) else ord(error.character)
    problem = f"is not valid YAML: the character U+{code:04X} is not allowed: remove it"
    return ConfigError([Mistake("", problem, name, text.count("\n", 0, error.position) + 1)])


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
