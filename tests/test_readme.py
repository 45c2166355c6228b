"""README.md tells the truth: its Python runs, its commands exist, its tree and links point at what is there."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.checkout import ROOT

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?P<inline>[^)\s]+)[^)]*\)|(?:src|href)=\"(?P<html>[^\"]+)\"")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
# Words of the shell and tools that belong to no checkout; anything else in a bash block must be known below.
SHELL = {"cd", "git", "source", "export", "open", "xdg-open", "ls", "cat", "echo", "mkdir", "aws"}
LANGUAGES = {"python", "bash", "yaml", "text", "mermaid", "bibtex", ""}
# The tables of commands: program -> where its typer app is.
APPS = {"groupdir": "groupdir.cli", "launch": "launch.__main__", "analysis": "analysis.__main__"}
SUFFIXES = {".yaml", ".py", ".md", ".txt", ".toml", ".sbatch", ".png", ".svg"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line of the README on which it begins."""

    language: str
    text: str
    line: int


def blocks_of(readme: str) -> list[Block]:
    return [
        Block(found["language"], found["text"], readme[: found.start()].count("\n") + 1)
        for found in FENCE.finditer(readme)
    ]


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    path = root / "README.md"
    assert path.is_file(), "README.md is missing"
    return path.read_text(encoding="utf-8")


# Commands ------------------------------------------------------------------------------------------------------------


def commands_of(block: str) -> Iterator[list[str]]:
    """The words of every command: continued lines joined, comments and prompts dropped, `&&`, `|`, `;` split."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        command: list[str] = []
        for word in [*words, ";"]:
            if word in {"&&", "||", "|", ";", "&"}:
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def make_targets(root: Path) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def typer_command(program: str) -> Any:
    module = importlib.import_module(APPS[program])
    app = next(value for value in vars(module).values() if isinstance(value, typer.Typer))
    return typer.main.get_command(app)


def app_complaint(program: str, words: list[str]) -> str | None:
    """What is wrong with `program VERB --option ...`, or None; verbs may be nested."""
    command = typer_command(program)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            if words[:1] == ["--help"]:
                return None
            return f"{program} knows {sorted(command.commands)}, got {words[:1]}"
        command, words = command.commands[words[0]], words[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{program} {command.name} has no {unknown}; it has {sorted(known)}" if unknown else None


def path_complaint(words: list[str], root: Path) -> str | None:
    """A word that looks like a file of the checkout must be one; results/ is what commands make."""
    tops = {path.name for path in root.iterdir()} - {"results"}
    for word in words:
        value = word.rpartition("=")[2] if word.startswith("-") else word
        path = Path(value)
        ours = path.parts[:1] and path.parts[0] in tops and len(path.parts) > 1
        named = path.suffix in SUFFIXES and path.parts[0] != "results" and not path.is_absolute()
        if (ours or named) and not value.startswith(("~", ".venv")) and not (root / path).exists():
            return f"{value} is not in the checkout"
    return None


def program_complaint(words: list[str], root: Path) -> str | None:
    """What is wrong with the program that a command calls, or None."""
    program, rest = words[0].rpartition("/")[2], words[1:]
    if program == "make":
        unknown = [
            word for word in rest if "=" not in word and not word.startswith("-") and word not in make_targets(root)
        ]
        return f"the Makefile has no {unknown}" if unknown else None
    if program in {"python", "python3", "python3.11"} and rest[:1] == ["-m"]:
        if rest[1] in APPS:
            return app_complaint(rest[1], rest[2:])
        return None if importlib.util.find_spec(rest[1]) else f"there is no module {rest[1]}"
    if program in {"python", "python3", "python3.11"}:
        return None if rest and (root / rest[0]).is_file() else f"python is to run {rest[:1]}, which is no file"
    if program == "groupdir":
        return app_complaint("groupdir", rest)
    if program == "ray":
        from ray.scripts.scripts import cli

        return None if rest and rest[0] in cli.commands else f"ray has no command {rest[:1]}"
    if program in SHELL or importlib.util.find_spec(program.replace("-", "_")) or (root / words[0]).is_file():
        return None
    return f"nobody knows the program {words[0]!r}"


def command_complaint(words: list[str], root: Path) -> str | None:
    """What is wrong with one command, or None."""
    while words and re.fullmatch(r"[A-Z_][A-Z0-9_]*=.*", words[0]):
        words = words[1:]  # an environment variable
    if not words:
        return None
    return program_complaint(words, root) or path_complaint(words[1:], root)


def test_every_command_exists(readme: str, root: Path) -> None:
    blocks = [block for block in blocks_of(readme) if block.language == "bash"]
    assert blocks, "README.md has no bash block"
    wrong = [
        f"README.md:{block.line}: `{shlex.join(words)}`: {text}"
        for block in blocks
        for words in commands_of(block.text)
        if (text := command_complaint(words, root))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_block_names_a_language_that_is_checked(readme: str) -> None:
    wrong = [
        f"README.md:{block.line}: {block.language}" for block in blocks_of(readme) if block.language not in LANGUAGES
    ]
    assert not wrong, f"known are {sorted(LANGUAGES)}: a block in another language is checked by nobody: {wrong}"
    assert readme.count("```") == 2 * len(blocks_of(readme)), "a fence is not closed"


# Python --------------------------------------------------------------------------------------------------------------


def python_blocks(root: Path) -> list[Block]:
    path = root / "README.md"
    readme = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [block for block in blocks_of(readme) if block.language == "python"]


def test_there_is_python_and_it_compiles(root: Path) -> None:
    blocks = python_blocks(root)
    assert blocks, "README.md has no python block"
    for block in blocks:
        compile("\n" * block.line + block.text, "README.md", "exec")


@pytest.mark.slow
@pytest.mark.parametrize("block", python_blocks(ROOT), ids=lambda block: f"line{block.line}")
def test_python_runs(block: Block, root: Path, tmp_path: Path) -> None:
    """In an empty folder, with the checkout's search spaces in it, as if copied into a file of one's own."""
    (tmp_path / "search_spaces").symlink_to(root / "search_spaces")
    script = tmp_path / "readme_block.py"
    script.write_text("\n" * block.line + block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"README.md:{block.line}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}"


# Tree and links ------------------------------------------------------------------------------------------------------


def tree_paths(text: str) -> list[str]:
    """The paths of a tree drawn by indentation or with box characters; a folder's name ends in a slash."""
    paths: list[str] = []
    folders: list[tuple[int, str]] = []
    deepest: int | None = None
    for line in text.splitlines():
        plain = re.sub(r"[│├└─|`]", " ", line)
        depth = len(plain) - len(plain.lstrip())
        if not plain.strip() or (deepest is not None and depth > deepest):
            continue  # empty, or the second line of a description
        name = plain.split(maxsplit=1)[0]
        folders = [(at, folder) for at, folder in folders if at < depth]
        paths.append((folders[-1][1] if folders else "") + name)
        deepest = depth + (4 if name.endswith("/") else 0)
        if name.endswith("/"):
            folders.append((depth, paths[-1]))
    return paths


def test_the_tree_is_the_checkout(readme: str, root: Path) -> None:
    trees = [block for block in blocks_of(readme) if block.language in {"", "text"} and "groupdir/" in block.text]
    trees = [block for block in trees if {"groupdir/", "launch/", "analysis/"} <= set(tree_paths(block.text))]
    assert len(trees) == 1, "README.md must show one tree, with groupdir/, launch/ and analysis/ at its top"
    missing = [path for path in tree_paths(trees[0].text) if not (root / path).exists()]
    assert not missing, f"README.md:{trees[0].line}: the tree shows what is not there: {missing}"


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def link_complaints(readme: str, root: Path) -> list[str]:
    prose = FENCE.sub("", readme)
    wrong = []
    for found in LINK.finditer(prose):
        target = found["inline"] or found["html"]
        if re.match(r"[a-z]+:", target):
            continue  # the web: not asked from a test
        path, _, anchor = target.partition("#")
        if path and not (root / path).exists():
            wrong.append(f"{target}: no such file")
        if anchor and not path and anchor not in {slug(heading) for heading in HEADING.findall(prose)}:
            wrong.append(f"{target}: no such heading")
    return wrong


def test_every_link_leads_somewhere(readme: str, root: Path) -> None:
    assert not link_complaints(readme, root)


# The checks themselves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "make quikstart",
        "python -m lunch search x",
        ".venv/bin/python -m no_such_module",
        "python tests/bench/no_such.py",
        "pytest tests/no_such_test.py",
        "OMP_NUM_THREADS=1 nosuchprogram --help",
        "ls search_spaces/no_such.yaml && make test",
    ],
)
def test_a_wrong_command_is_found(command: str, root: Path) -> None:
    assert [text for words in commands_of(command) if (text := command_complaint(words, root))]


@pytest.mark.parametrize("program", sorted(APPS))
def test_a_wrong_verb_or_option_is_found(program: str) -> None:
    assert app_complaint(program, ["no-such-verb"])
    verb = next(iter(typer_command(program).commands))
    assert app_complaint(program, [verb, "--no-such-option"])
    assert app_complaint(program, [verb, "--help"]) is None


def test_commands_are_split_at_their_ends() -> None:
    block = "$ make test  # all\npython -m pip \\\n  install x && ls | cat\n\n# nothing\n"
    assert list(commands_of(block)) == [["make", "test"], ["python", "-m", "pip", "install", "x"], ["ls"], ["cat"]]


def test_trees_are_read_both_ways() -> None:
    plain = (
        "groupdir/    what a\n             worker imports\n  losses/\n    focal.py   one idea\n  cli.py\nMakefile  x\n"
    )
    boxes = "├── groupdir/\n│   ├── losses/\n│   │   └── focal.py  one\n│   └── cli.py\n└── Makefile\n"
    expected = ["groupdir/", "groupdir/losses/", "groupdir/losses/focal.py", "groupdir/cli.py", "Makefile"]
    assert tree_paths(plain) == expected
    assert tree_paths(boxes) == expected


def test_a_broken_link_is_found(root: Path) -> None:
    text = '# A heading: `x`\n[a](no_such.md) [b](#a-heading-x) ![c](Makefile) [d](#none) <img src="none.png">'
    assert len(link_complaints(text, root)) == 3
