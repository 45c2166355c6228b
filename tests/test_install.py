"""The Makefile and install.py with a fake Python and a fake pip: what is installed, and what a failure leaves."""

import contextlib
import importlib.util
import os
import pty
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

Usage = namedtuple("Usage", "total used free")
PYTHON = """#!/bin/bash
if [ "$*" = "-m venv --clear .venv" ]; then
    rm -rf .venv; mkdir -p .venv/bin .venv/lib/python3.11/site-packages; cp venv_python .venv/bin/python
    echo "venv" >> calls
else
    exec {real} "$@"
fi
"""
VENV_PYTHON = """#!/bin/bash
case "$1 $2 $3" in
    "-m pip --version") ;;
    "-m pip install") echo "pip ${{@: -3:1}}" >> calls; exec bash pip.sh ;;
    "-m compileall -q") echo "compileall" >> calls; exit 1 ;;
    *) exec {real} "$@" ;;
esac
"""
COLLECT = """
for k in $(seq 50); do echo "Requirement already satisfied: x$k"; done
echo "Collecting torch==2.14"
echo "  Downloading torch-2.14-py3-none-any.whl (820.1 MB)"
echo "Collecting b"
"""
UNPACK = """
echo "Installing collected packages: torch, b, groupdir"
mkdir -p .venv/lib/python3.11/site-packages/{torch-2.14,b-1,groupdir-0}.dist-info
"""


@dataclass
class Checkout:
    """A folder with the Makefile, install.py, and the fakes."""

    folder: Path

    def make(self, *words: str, python: str = "") -> subprocess.CompletedProcess[str]:
        python = python or f"/no/such/python {self.folder}/python3.11"
        command = ["make", "--no-print-directory", f"PYTHON={python}", *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def made(self, *words: str) -> list[str]:
        """What a make that succeeds calls."""
        (self.folder / "calls").write_text("", encoding="utf-8")
        done = self.make(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    def pip(self, script: str) -> None:
        (self.folder / "pip.sh").write_text(script, encoding="utf-8")


RUN, ALL = ".venv/.installed", "install"
FRESH = ["venv", "pip .", "compileall"]
FRESH_ALL = ["venv", "pip .[dev]", "compileall"]


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Checkout:
    for name in ("Makefile", "install.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path / name)
    for name, text in (("python3.11", PYTHON), ("venv_python", VENV_PYTHON)):
        (tmp_path / name).write_text(text.format(real=sys.executable), encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "pip.sh").write_text(COLLECT + UNPACK, encoding="utf-8")
    return Checkout(tmp_path)


def test_quickstart_installs_what_runs_it_and_tests_add_the_rest(checkout: Checkout) -> None:
    assert "--extra" not in checkout.make("-n", "quickstart").stdout
    assert checkout.made(RUN) == FRESH
    assert checkout.made(RUN) == []
    for target in ("test", "test-fast", "test-long", "test-cluster", "lint"):
        assert "--extra dev" in checkout.make("-n", target).stdout, target
    assert checkout.made(ALL) == ["pip .[dev]", "compileall"], "into the same .venv"
    assert checkout.made(ALL, RUN) == []


def test_install_gives_both(checkout: Checkout) -> None:
    assert checkout.made("install") == FRESH_ALL
    assert checkout.made(RUN) == []


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_an_edit_installs_again_even_one_made_during_the_install(checkout: Checkout, file: str) -> None:
    checkout.pip(f"sleep 0.1; touch {file}" + COLLECT + UNPACK)
    assert checkout.made(RUN) == FRESH
    checkout.pip(COLLECT + UNPACK)
    assert checkout.made(ALL) == ["pip .[dev]", "compileall"]
    assert checkout.made(ALL, RUN) == []
    (checkout.folder / file).touch()
    assert checkout.made(RUN) == ["pip .", "compileall"]
    assert checkout.made(ALL) == ["pip .[dev]", "compileall"], "the tools may have changed too"


@pytest.mark.parametrize("end", ["exit 3", "kill -9 $PPID; sleep 1"])
@pytest.mark.parametrize("target", [RUN, ALL])
def test_an_install_cut_off_while_it_unpacks_starts_from_an_empty_environment(
    checkout: Checkout, target: str, end: str
) -> None:
    assert checkout.made(RUN) == FRESH
    (checkout.folder / "pyproject.toml").touch()
    checkout.pip(COLLECT + UNPACK + "sleep 0.5;" + end)
    assert checkout.make(target).returncode != 0
    checkout.pip(COLLECT + UNPACK)
    assert checkout.made(RUN) == FRESH, "the old stamp must not hide it"
    assert checkout.made(RUN) == []


def test_a_failure_before_pip_unpacks_leaves_the_environment(checkout: Checkout) -> None:
    assert checkout.made(RUN) == FRESH
    checkout.pip(COLLECT + "echo 'ERROR: no matching distribution'; exit 1")
    done = checkout.make("install")
    assert done.returncode != 0
    assert checkout.made(RUN) == [], "what was installed still runs"
    lines = done.stderr.splitlines()
    assert "ERROR: no matching distribution" in lines
    assert f"install: pip ended with status 1; its whole output is in {checkout.folder}/.venv/install.log" in lines
    assert len(lines) < 20, "the last lines, not all 50"
    assert len((checkout.folder / ".venv/install.log").read_text(encoding="utf-8").splitlines()) == 54


def test_a_broken_environment_is_made_again(checkout: Checkout) -> None:
    assert checkout.made("install") == FRESH_ALL
    (checkout.folder / "pyproject.toml").touch()
    (checkout.folder / ".venv/bin/python").unlink()
    assert checkout.made("install") == FRESH_ALL


def test_a_python_that_is_too_old_is_passed_over(checkout: Checkout) -> None:
    old = checkout.folder / "old"
    old.write_text("#!/bin/bash\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = checkout.make("install", python=str(old))
    assert done.returncode != 0
    assert f"Python 3.11 or newer with its venv module is needed; tried: {old}." in done.stderr
    assert "make PYTHON=/path/to/python3.11" in done.stderr
    assert checkout.make("install", python=f"{old} {checkout.folder}/python3.11").returncode == 0


def test_outside_a_terminal_each_step_is_one_line(checkout: Checkout) -> None:
    checkout.pip(COLLECT + UNPACK + "sleep 0.5")
    done = checkout.make(RUN)
    lines = done.stdout.splitlines()
    assert "3 GB to download, 7 GB on disk; 4.3 GB of it are the CUDA libraries" in lines[1]
    steps = [line.split()[1] for line in lines if line[:1].isdigit()]
    assert steps in (["Collecting:", "Unpacking:", "Compiling"], ["Unpacking:", "Compiling"])
    assert lines[-1].startswith("Installed in 0:0")
    assert len(lines) <= 7


def test_in_a_terminal_one_line_is_renewed(checkout: Checkout) -> None:
    checkout.pip(COLLECT + "sleep 0.6" + UNPACK + "sleep 0.6")
    terminal, end = pty.openpty()
    command = ["make", "--no-print-directory", f"PYTHON={checkout.folder}/python3.11", RUN]
    environment = {**os.environ, "COLUMNS": "90", "LINES": "24"}
    with subprocess.Popen(command, cwd=checkout.folder, stdout=end, stderr=end, env=environment) as process:
        os.close(end)
        output = b""
        with contextlib.suppress(OSError):  # Linux says the end this way
            while read := os.read(terminal, 4096):
                output += read
    os.close(terminal)
    assert process.returncode == 0, output.decode()
    lines = output.decode().replace("\r\n", "\n").split("\n")
    assert len(lines) <= 6, lines
    (renewed,) = [line for line in lines if "\r" in line]
    assert "Collecting: 2 packages, 820 MB downloaded" in renewed
    assert "Unpacking: 3 of 3 packages" in renewed


# install.py alone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def installer(root: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("install", root / "install.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["install"] = module  # dataclasses look it up
    specification.loader.exec_module(module)
    return module


def test_a_large_package_is_named_while_pip_downloads_it(installer: ModuleType, tmp_path: Path) -> None:
    progress = installer.Progress(tmp_path)
    assert progress.text() == "0:00  Collecting: 0 packages"
    progress.read("Collecting nvidia-cublas (from torch)")
    progress.read("  Downloading https://files.example/a1-2/nvidia_cublas-13.1-py3-none-any.whl (420.0 MB)")
    assert progress.text() == "0:00  Collecting: 1 packages, 420 MB downloaded, nvidia_cublas (420 MB)"
    progress.read("Collecting six")
    progress.read("  Downloading six-1.17-py3-none-any.whl (11 kB)")
    assert progress.text() == "0:00  Collecting: 2 packages, 420 MB downloaded"


@pytest.mark.parametrize(
    ("free", "has_torch", "missing", "tight"),
    [
        (9e9, False, "the install needs 10.3 GB free on this disk while it runs, got 9.0 GB: free some space", False),
        (12e9, False, "", True),
        (50e9, False, "", False),
        (2e9, True, "", False),
        (0.2e9, True, "the install needs 1.0 GB free", False),
    ],
)
def test_a_full_disk_is_said_before(
    installer: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    has_torch: bool,
    missing: str,
    tight: bool,
) -> None:
    monkeypatch.setattr(installer.tempfile, "gettempdir", lambda: str(tmp_path))
    usage: Any = Usage(0, 0, free)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda folder: usage)
    (tmp_path / ".venv").mkdir()
    text, without_cache = installer.disk_space(tmp_path / ".venv", has_torch)
    assert missing in text
    assert bool(text) == bool(missing)
    assert without_cache == tight


# .ci/run -------------------------------------------------------------------------------------------------------------


def test_ci_runs_every_test_that_needs_no_gpu_and_no_slurm(root: Path) -> None:
    steps = re.findall(r"^step ([a-z-]+)", (root / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"install", "lint", "docs", "test", "test-long", "test-cluster"} == set(steps)
    assert steps[0] == "install"
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert not [step for step in steps if not re.search(rf"^{step}:", makefile, re.MULTILINE)]
