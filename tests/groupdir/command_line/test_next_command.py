"""Printed commands can be pasted into a shell."""

import shlex
from pathlib import Path

from groupdir.command_line.next_command import next_command
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
                on_the_head = "ray status &&" in line or "window} python" in line
                text = line.replace("python -m launch.cluster.spot", "")
                if ("python -m launch" in text or "python -m analysis" in text) and not on_the_head:
                    wrong += [] if name in programs else [f"{name}:{number}: {line.strip()}"]
    assert not wrong, "\n".join(wrong)
