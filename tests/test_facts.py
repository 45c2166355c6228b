"""Each fact stands in one place: the sources are parsed, and a second place of a fact fails.

A rule names a fact, the files that may state it, and what a statement of it looks like. To add one, add a line to
RULES. Its `bad` snippet shows that the rule can fail. Docstrings and help texts are documents, not second places.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from groupdir.files import study_files
from groupdir.files.study_files import EPOCH_FIELDS, EPOCH_KEY, TRIAL_FIELDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("groupdir", "launch", "analysis")
DOCUMENTS = ("help", "description")  # keyword arguments whose texts are for people

Finder = Callable[[ast.Module], Iterator[ast.AST]]


@dataclass(frozen=True)
class Rule:
    """A fact that may be stated in some files only.

    Attributes:
        fact: What it is, for the message.
        home: The files and folders that may state it, from the checkout's root; the first is where it belongs.
        finds: Yields the nodes of a file that state it.
        bad: A second statement of it.
    """

    fact: str
    home: tuple[str, ...]
    finds: Finder
    bad: str

    def broken(self, file: str, tree: ast.Module) -> list[str]:
        """Return where a file breaks the rule."""
        if any(file == home or file.startswith(f"{home}/") for home in self.home):
            return []
        return [
            f"{file}:{getattr(node, 'lineno', 0)}: {self.fact}: take it from {self.home[0]}"
            for node in self.finds(tree)
        ]


@cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return every node of a file."""
    return tuple(ast.walk(tree))


@cache
def texts(tree: ast.Module) -> tuple[ast.Constant, ...]:
    """Return the texts of a file, those inside f-strings too, without documents."""
    return tuple(_texts(tree))


def _texts(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not isinstance(tree, ast.Expr):
                yield node
        elif not (isinstance(node, ast.keyword) and node.arg in DOCUMENTS):
            yield from _texts(node)


def text(pattern: str) -> Finder:
    """Find texts that match a pattern anywhere."""

    def find(tree: ast.Module) -> Iterator[ast.AST]:
        return (node for node in texts(tree) if re.search(pattern, str(node.value)))

    return find


def path_part(name: str) -> Finder:
    """Find a name as a part of a path: an ordinary word is no file's name elsewhere."""

    def find(tree: ast.Module) -> Iterator[ast.AST]:
        for node in nodes(tree):
            parts: list[ast.expr] = []
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                parts = [node.left, node.right]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Path":
                parts = node.args
            yield from (part for part in parts if isinstance(part, ast.Constant) and part.value == name)

    return find


def call(*names: str, arguments: int | None = None) -> Finder:
    """Find calls by the end of their dotted name, such as "replay" or "Store.open", with a number of arguments."""

    def find(tree: ast.Module) -> Iterator[ast.AST]:
        for node in nodes(tree):
            if isinstance(node, ast.Call) and arguments in (None, len(node.args) + len(node.keywords)):
                last = getattr(node.func, "attr", getattr(node.func, "id", ""))
                owner = getattr(getattr(node.func, "value", None), "id", "")
                if last in names or f"{owner}.{last}" in names:
                    yield node

    return find


def listing(names: Collection[str], least: int) -> Finder:
    """Find lists, tuples and sets of texts that are all among some names."""

    def find(tree: ast.Module) -> Iterator[ast.AST]:
        for node in nodes(tree):
            if isinstance(node, ast.List | ast.Tuple | ast.Set):
                items = [item.value for item in node.elts if isinstance(item, ast.Constant)]
                if least <= len(items) == len(node.elts) and all(item in names for item in items):
                    yield node

    return find


def compared(entry: str) -> Finder:
    """Find comparisons with an entry of a mapping."""

    def find(tree: ast.Module) -> Iterator[ast.AST]:
        for node in nodes(tree):
            if isinstance(node, ast.Compare) and any(getattr(part, "value", None) == entry for part in ast.walk(node)):
                yield node

    return find


HOME = "groupdir/files/study_files.py"
WRITERS = (
    "groupdir/files/write_whole.py",
    "groupdir/files/sealed.py",
    "groupdir/files/abandoned.py",
)
PARQUET_READERS = ("pq.read_table", "pq.ParquetFile", "pd.read_parquet", "to_pandas")
PARQUET = ("groupdir/files/parquet.py", "analysis/frame.py")
READERS = ("groupdir/study", "launch/study/study.py", "launch/study/restore.py")


def name_rule(name: str) -> Rule:
    """Return the rule for a name in study_files.py: a word without a dot counts as a part of a path only."""
    if name.isalpha():
        return Rule(f"the name {name!r}", (HOME,), path_part(name), f"file = folder / {name!r}")
    pattern = rf"(?<![\w.-]){re.escape(name)}" if name[0].isalnum() else re.escape(name)
    return Rule(
        f"the name {name!r}", (HOME,), text(pattern + (r"(?!\w)" if name[-1].isalnum() else "")), f"file = {name!r}"
    )


NAMES = {value for key, value in vars(study_files).items() if key.isupper() and isinstance(value, str)}
RULES = [
    *map(name_rule, sorted(NAMES)),
    Rule("the fields of an epoch", (HOME,), listing(EPOCH_FIELDS, 2), "a = ('stage', 'seconds')"),
    Rule("the key of an epoch", (HOME,), listing(EPOCH_KEY, 3), "a = ['trial', 'seed', 'epoch']"),
    Rule("the columns of a trial", (HOME,), listing(TRIAL_FIELDS, 3), "a = {'trial', 'seed', 'digest'}"),
    Rule("how a file is replaced", WRITERS, call("replace", arguments=1), "partial.replace(path)"),
    Rule("how a file is renamed", WRITERS, call("rename", "os.replace", "shutil.move"), "os.replace(a, b)"),
    Rule("how a partial file is named", WRITERS, call("mkstemp", "NamedTemporaryFile"), "tempfile.mkstemp()"),
    Rule("how a study is read", READERS, call("replay", "Store.open"), "state = replay(Store.events())"),
    Rule("how Parquet is read", PARQUET, call(*PARQUET_READERS), "pq.read_table(path)"),
    Rule("which stage is which", ("groupdir/config/stage.py",), compared("pretrain"), "row['stage'] == 'pretrain'"),
    Rule("which text is markup", ("groupdir/command_line/console.py",), call("Console"), "Console().print()"),
    Rule("why a decision was taken", ("groupdir/study/events.py",), compared("reason"), "'stop' in payload['reason']"),
]  # fmt: skip


@cache
def sources() -> dict[str, ast.Module]:
    """Return the parsed files of the three packages."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.fact)
def test_a_fact_stands_in_one_place(rule: Rule) -> None:
    assert not [line for file, tree in sources().items() for line in rule.broken(file, tree)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.fact)
def test_a_second_place_fails(rule: Rule) -> None:
    bad = ast.parse(rule.bad)
    assert rule.broken("launch/search.py", bad)
    assert all((ROOT / home).exists() for home in rule.home)
    assert not rule.broken(rule.home[0], bad), "where it belongs, it is no second place"


def test_the_names_of_a_study_are_all_watched() -> None:
    assert {"study.yaml", "study.sqlite", "study.lock", "front.parquet", "tensorboard", ".part", "param:"} <= NAMES


@pytest.mark.parametrize(
    "good",
    [
        '"""Reads study.sqlite."""',
        'def f():\n    """Reads study.sqlite."""',
        'A = 1\n"""Of study.sqlite."""',
        'Option(help="Such as study.sqlite")',
        'text.replace("a", "b")',
        'config["tensorboard"]',
        '"my_study.sqlite"',
        "('stage', 'method')",
    ],
)
def test_what_is_no_second_place(good: str) -> None:
    assert not [line for rule in RULES for line in rule.broken("launch/search.py", ast.parse(good))]


@pytest.mark.parametrize(
    "bad", ['f"{folder}/study.sqlite"', 'f"{a}.part"', 'Rule(name="study.sqlite")', 'x / "stages"', 'Path("results")']
)
def test_names_inside_other_texts_are_seen(bad: str) -> None:
    assert [line for rule in RULES for line in rule.broken("launch/search.py", ast.parse(f"a = {bad}"))]
