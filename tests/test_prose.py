"""Docstrings, messages and pages keep to plain English, as far as counting can tell (CONTRIBUTING.md, "Plain English").

Run this file as a program to print the counts: `python tests/test_prose.py`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("groupdir", "launch", "analysis")
# A docstring that begins with one of these makes its reader wait for the subject.
OPENINGS = ("What", "Whether", "How", "Where", "Who", "It", "That", "Those", "One")
PHRASES = re.compile(r"\b(gone on with|goes on|anew|mend(?:s|ed|ing)?)\b", re.IGNORECASE)
EMPTY_NAMES = {"found", "told", "there", "left", "words", "own", "of"}
PAGES = (
    "*.md",
    "docs/**/*.md",
    "search_spaces/**/*.yaml",
    "launch/**/*.yaml",
    "launch/**/*.sbatch",
    "Makefile",
    "*.yaml",
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def sources() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def docstrings(path: Path, source: str) -> Iterator[tuple[str, bool, str]]:
    """Yield place, publicity and text of each docstring of a file."""
    tree = ast.parse(source)
    if text := ast.get_docstring(tree):
        yield f"{path}:1", True, text
    yield from _inside(path, tree, public=True)


def _inside(path: Path, node: ast.AST, public: bool) -> Iterator[tuple[str, bool, str]]:
    for child in ast.iter_child_nodes(node):
        shown = public
        if isinstance(child, Definition):
            shown = public and not child.name.startswith("_")
            if text := ast.get_docstring(child):
                yield f"{path}:{child.lineno}", shown, text
            shown = shown and isinstance(child, ast.ClassDef)
        yield from _inside(path, child, shown)


def slow_openings(public_only: bool) -> tuple[list[str], int]:
    """Return the docstrings that begin with one of `OPENINGS`, and the number of all docstrings."""
    texts = [item for path, source in sources() for item in docstrings(path, source) if item[1] or not public_only]
    slow = [f"{place}: {text.splitlines()[0]}" for place, _, text in texts if re.split(r"\W", text)[0] in OPENINGS]
    return slow, len(texts)


def riddles() -> list[str]:
    """Return the lines of code and pages with one of `PHRASES`."""
    pages = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern)) if ".venv" not in path.parts]
    texts = list(sources()) + [(path.relative_to(ROOT), path.read_text(encoding="utf-8")) for path in pages]
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts
        for number, line in enumerate(text.splitlines(), 1)
        if PHRASES.search(line)
    ]


def empty_names() -> list[str]:
    """Return the variables whose names say nothing to a reader."""
    return [
        f"{path}:{node.lineno}: {node.id}"
        for path, source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in EMPTY_NAMES
    ]


@pytest.mark.parametrize("public_only", [True, False], ids=["public", "all"])
def test_docstrings_begin_with_a_verb_or_a_noun(public_only: bool) -> None:
    slow, count = slow_openings(public_only)
    assert count > 900, "no docstrings were read: is this the checkout?"
    assert len(slow) < count / 100, "\n".join(slow)


def test_pages_and_messages_hold_few_riddles() -> None:
    assert len(lines := riddles()) <= 5, "\n".join(lines)


def test_variables_have_telling_names() -> None:
    assert len(names := empty_names()) <= 15, "\n".join(names)


@pytest.mark.parametrize("text", ["It is lost.", "Whether it fits.", "One that went.", "What's left."])
def test_a_slow_opening_is_recognised(text: str) -> None:
    assert re.split(r"\W", text)[0] in OPENINGS


@pytest.mark.parametrize("text", ["a search goes on", "made anew", "MEND it", "it is gone on with"])
def test_a_riddle_is_recognised(text: str) -> None:
    assert PHRASES.search(text)


if __name__ == "__main__":
    for title, lines in (
        ("public docstrings with a slow opening", slow_openings(True)[0]),
        ("all docstrings with a slow opening", slow_openings(False)[0]),
        ("lines with a riddle", riddles()),
        ("variables with empty names", empty_names()),
    ):
        print(f"{title}: {len(lines)}", *(f"  {line}" for line in lines if "-v" in sys.argv), sep="\n")
    print(f"public docstrings: {slow_openings(True)[1]}, all docstrings: {slow_openings(False)[1]}")
