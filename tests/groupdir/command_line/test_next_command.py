"""Printed commands can be pasted into a shell."""

import re
import shlex
from pathlib import Path

from typer.main import get_command

from analysis.__main__ import app as analysis_app
from groupdir import cli
from groupdir.command_line.next_command import next_command
from launch.__main__ import app as launch_app
from tests.checkout import ROOT


def test_every_argument_stays_one_word() -> None:
    arguments = ["resume", Path("results/my study"), "--set", "name=a'b", "$(rm x)", 5]
    assert shlex.split(next_command(*arguments)) == ["groupdir", *map(str, arguments)]
    assert next_command("select", "results/digits", "--shot", "few") == "groupdir select results/digits --shot few"


def test_no_message_names_another_door() -> None:
    """`python -m launch` stays where a program calls it, as a list of words; people read `groupdir`."""
    programs = {"launch/__main__.py", "analysis/__main__.py"}  # they are those doors
    wrong = []
    for package in ("groupdir", "launch", "analysis"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                on_the_head = "ray status &&" in line or "{NODE} python" in line
                text = line.replace("python -m launch.cluster.spot", "")
                if ("python -m launch" in text or "python -m analysis" in text) and not on_the_head:
                    wrong += [] if name in programs else [f"{name}:{number}: {line.strip()}"]
    assert not wrong, "\n".join(wrong)


def test_no_message_builds_a_command_by_hand() -> None:
    """A value that is put into the text of a command is not quoted; `next_command` quotes it."""
    verbs = {name for app in (cli.app, launch_app, analysis_app) for name in get_command(app).commands}  # type: ignore[attr-defined]
    by_hand = re.compile(rf"""groupdir ({"|".join(sorted(verbs))}) [^`"']*\{{""")
    assert by_hand.search('f"run groupdir resume {folder}"')
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in ("groupdir", "launch", "analysis")
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if by_hand.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_name_that_begins_with_a_dash_is_no_option() -> None:
    assert next_command("resume", Path("-study")) == "groupdir resume ./-study"
    assert next_command("watch", Path("/tmp/-study"), "--once") == "groupdir watch /tmp/-study --once"
