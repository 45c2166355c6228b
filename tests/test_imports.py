"""The parser of imports: what it resolves, what it skips, and the circles of a made-up graph."""

from pathlib import Path

import pytest

from tests.imports import Import, all_imports, circles, file_arrows, imports_of, modules, room, room_arrows, rooms

KNOWN = ("a", "a.b", "a.c", "a.c.d")


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("import a.b", ["a.b"]),
        ("import a.b as x, a.c", ["a.b", "a.c"]),
        ("from a import b", ["a.b"]),
        ("from a.b import function", ["a.b"]),
        ("from a.b import f, g", ["a.b"]),
        ("from a import b, version", ["a.b", "a"]),
        ("from ray import tune", ["ray.tune"]),
        ("import importlib\nimportlib.import_module('a.c')", ["importlib", "a.c"]),
        ("__import__(name)", []),
    ],
)
def test_targets(source: str, targets: list[str]) -> None:
    assert [item.target for item in imports_of(source, "a.c.d", KNOWN)] == targets


def test_imports_in_functions_and_for_types_are_known_as_late() -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a.b\ndef f():\n    import a.c\n"
    assert imports_of(source, "x")[1:] == [Import("x", "a.b", 3, False), Import("x", "a.c", 5, False)]


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(ValueError, match="x:2: imports must be absolute"):
        imports_of("\nfrom . import b", "x")


def test_rooms_and_arrows_of_a_tree(tmp_path: Path) -> None:
    for name, text in {
        "a/__init__.py": "",
        "a/low.py": "from a import __name__",
        "a/high/__init__.py": "",
        "a/high/one.py": "from a.high.two import x\nfrom a import low",
        "a/high/two.py": "import a.low",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    names = modules(tmp_path, ["a"])
    imports = all_imports(tmp_path, ["a"])
    assert list(names) == ["a", "a.high", "a.high.one", "a.high.two", "a.low"]
    assert room("a.high.one") == "a.high"
    assert rooms(names) == ["a.high", "a.low"]
    assert room_arrows(imports, rooms(names)) == {("a.high", "a.low")}
    assert len(file_arrows(imports, names)) == 4  # a.low -> a, one -> two, one -> low, two -> low


def test_circles() -> None:
    arrows = {("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "f"), ("f", "e"), ("g", "a")}
    assert circles("abcdefg", arrows) == [["a", "b", "c"], ["e", "f"]]
    assert circles("abc", {("a", "b"), ("b", "c"), ("a", "c")}) == []
