"""How programs end: exit codes for mistakes, Ctrl-C and a closed pipe; JSON; the version."""

import json
import signal
import subprocess
import sys
import time

import pytest
import typer
from typer.testing import CliRunner

from groupdir import __version__
from groupdir.command_line.program import Panel, new_program, print_json
from groupdir.errors import DataError
from tests.checkout import ROOT

SLEEPS = """
import time, typer
from groupdir.command_line.program import new_program, run
app = new_program("A program that sleeps.")

@app.command()
def sleep():
    print("asleep", flush=True)
    time.sleep(60)

@app.command()
def other(): ...

run(app, "sleeper")
"""


@pytest.mark.parametrize("module", ["groupdir", "groupdir.cli", "launch", "analysis"])
def test_the_version(module: str) -> None:
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"groupdir {__version__}\n"


def test_a_mistake_is_its_text_and_2_and_a_number_is_the_exit_code() -> None:
    app = new_program("Test.")

    @app.command()
    def fail() -> None:
        raise DataError("x.csv: is empty")

    @app.command()
    def unfinished() -> int:
        return 1

    failed = CliRunner().invoke(app, ["fail"])
    assert (failed.exit_code, failed.stdout, failed.stderr) == (2, "", "x.csv: is empty\n")
    assert CliRunner().invoke(app, ["unfinished"]).exit_code == 1
    assert CliRunner().invoke(app, ["no-such-verb"]).exit_code == 2


def test_panels_come_in_their_order() -> None:
    app = new_program("Test.")
    for name, panel in (("late", Panel.CLUSTER), ("early", Panel.RUN), ("loose", None)):
        app.command(name, rich_help_panel=panel)(lambda: None)
    group = typer.main.get_command(app)
    assert group.list_commands(typer.Context(group)) == ["early", "late", "loose"]  # type: ignore[attr-defined]


def test_ctrl_c_is_130() -> None:
    # A shell that starts this in the background has made SIGINT ignored, which a child would inherit.
    awake = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    with subprocess.Popen(
        [sys.executable, "-c", awake + SLEEPS, "sleep"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "asleep\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read()


def test_a_closed_pipe_ends_quietly() -> None:
    """A reader that closes at once, as `head` does, before the program's output is flushed."""
    with subprocess.Popen(
        [sys.executable, "-m", "groupdir", "list"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == ""


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1.5, float("nan")], "b": (float("inf"), "ä")})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "b": [None, "ä"]}


def test_json_is_all_there_is_on_stdout() -> None:
    command = [sys.executable, "-m", "groupdir", "list", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    content = json.loads(done.stdout)
    assert {"name": "mlp"}.items() <= content["encoder"][1].items()
    assert content["presets"][0]["file"].startswith("search_spaces/baselines/")


def test_a_warning_of_this_project_comes_without_a_line_of_code() -> None:
    script = """
import typer, warnings
from groupdir.command_line.program import new_program, run
app = new_program("A program that warns.")

@app.command()
def warn():
    package = __import__("groupdir").__file__
    warnings.warn_explicit("2 pictures are skipped", UserWarning, package, 1)
    warnings.warn_explicit("not ours", UserWarning, "/elsewhere/torch.py", 2)

run(app, "x")
"""
    done = subprocess.run([sys.executable, "-c", script, "warn"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "warning: 2 pictures are skipped\n/elsewhere/torch.py:2: UserWarning: not ours\n"
