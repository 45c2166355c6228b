"""The command `groupdir` as tests call it: in a process of its own, or in the test's, which saves importing torch."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from groupdir.cli import main
from tests.checkout import ROOT


def in_new_process(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command as a person does, in the folder of the checkout or another one."""
    command = [sys.executable, "-m", "groupdir.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def groupdir(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, in the folder of the checkout; an exception that `main` lets through is raised."""
    output, errors = io.StringIO(), io.StringIO()
    status: int | str | None = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(ROOT):
        patch.setattr(sys, "argv", ["groupdir", *map(str, words)])
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                main()
            except SystemExit as end:
                status = end.code
    returncode = status if isinstance(status, int) else int(status is not None)
    return subprocess.CompletedProcess(list(words), returncode, output.getvalue(), errors.getvalue())
