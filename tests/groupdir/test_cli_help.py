"""The help of every verb: -h, each default, no text lost to markup, no verb missing; what simple verbs load."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from analysis.__main__ import app as analysis_app
from groupdir.cli import app
from groupdir.command_line.program import Panel, new_program
from launch.__main__ import app as launch_app
from tests.test_layers import loaded

HEAVY = {"torch", "ray", "optuna", "pandas"}


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield a program's commands, groups included, with the words that call them."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


def shown(program: typer.Typer, *words: str) -> str:
    """Return a help text without its frames, on one line."""
    done = CliRunner().invoke(program, [*words, "-h"], env={"COLUMNS": "160", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return flat(re.sub(r"[│╭╮╰╯─]", " ", done.stdout))


def flat(text: str) -> str:
    return " ".join(text.split())


def help_complaints(program: typer.Typer) -> list[str]:
    """Return what the help of a program does not show."""
    wrong = []
    for path, command in walk(typer.main.get_command(program)):
        text, context = shown(program, *path), typer.Context(command)
        if flat(command.help or "") not in text:
            wrong.append(f"{path}: its text is not shown as written: {command.help!r}")
        for parameter in command.params:
            name = f"{' '.join(path)}: {parameter.opts[0]}"
            if not parameter.help or flat(parameter.help) not in text:
                wrong.append(f"{name}: its text is not shown as written: {parameter.help!r}")
            on_or_off = getattr(parameter, "is_flag", False) and not parameter.secondary_opts and not parameter.default
            if parameter.required or on_or_off:
                continue
            (_, record) = parameter.get_help_record(context)
            default = re.search(r"\[default: [^\];]+", flat(record))  # a range may follow
            if default is None:
                wrong.append(f"{name}: has no default in its help: give it show_default")
            elif default[0] not in text:
                wrong.append(f"{name}: {default[0]} is not shown")
    return wrong


@pytest.mark.parametrize("program", [app, launch_app, analysis_app], ids=["groupdir", "launch", "analysis"])
def test_help_shows_every_text_and_every_default(program: typer.Typer) -> None:
    assert not (wrong := help_complaints(program)), "\n".join(wrong)


def test_a_lost_default_and_an_eaten_bracket_are_reported() -> None:
    program = new_program("Test.")

    @program.command()
    def first(folder: Annotated[str | None, typer.Option(help="Folder.")] = None) -> None:
        """Do something."""

    @program.command()
    def second(folder: Annotated[str, typer.Option(help="Folder of the study [bold].")] = "x") -> None:
        """Do something."""

    first_complaint, second_complaint = help_complaints(program)
    assert "first: --folder: has no default" in first_complaint
    assert "second: --folder: its text is not shown as written" in second_complaint


def test_one_door_has_every_verb_with_the_same_help() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for program in (launch_app, analysis_app):
        for path, command in walk(typer.main.get_command(program)):
            if not path:
                continue
            ours = verbs[path[0]] if len(path) == 1 else verbs[path[0]].commands[path[1]]
            assert ours.help == command.help
            usage = re.compile(r"^Usage: .*?(?=\[OPTIONS\])")
            assert usage.sub("", shown(app, *path)) == usage.sub("", shown(program, *path))


def test_verbs_stand_in_panels_and_train_comes_first() -> None:
    group = typer.main.get_command(app)
    names = group.list_commands(typer.Context(group))  # type: ignore[attr-defined]
    assert names[:2] == ["train", "search"]
    assert all(group.get_command(typer.Context(group), name).rich_help_panel in list(Panel) for name in names)  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", ["search", "resume", "benchmark", "train", "simulate"])
def test_verbs_with_progress_can_be_quiet(verb: str) -> None:
    assert "--quiet" in shown(app, verb)


@pytest.mark.parametrize("verb", ["list", "select", "compare", "benchmark-table", "status"])
def test_verbs_whose_output_a_program_reads_have_json(verb: str, root: Path) -> None:
    assert "--json" in shown(app, verb)
    assert f"## groupdir {verb} --json" in (root / "docs/json_output.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["check", "search_spaces/digits.yaml"],
        ["search", "search_spaces/digits.yaml", "--dry-run"],
    ],
    ids=["list", "check", "dry_run"],
)
def test_verbs_that_only_read_a_yaml_load_nothing_heavy(root: Path, words: list[str]) -> None:
    assert not loaded(root, "-m", "groupdir", *words) & HEAVY
