"""The checkout is found from the package, and an installation without one says so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from groupdir.command_line.checkout import find_checkout
from tests.checkout import ROOT


def groupdir(*words: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "groupdir", *words]
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_checkout_is_this_one() -> None:
    assert find_checkout() == ROOT


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds groupdir alone, as a wheel leaves it in site-packages."""
    shutil.copytree(ROOT / "groupdir", tmp_path / "site/groupdir", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "site"


def test_without_a_checkout_its_verbs_say_what_they_need(installed: Path, tmp_path: Path) -> None:
    shown = groupdir("-h", cwd=tmp_path, path=installed)
    assert shown.returncode == 0, shown.stderr
    assert "train" in shown.stdout
    assert "slurm-script" not in shown.stdout
    refused = groupdir("search", "digits.yaml", cwd=tmp_path, path=installed)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "groupdir search: this installation has no such verb" in refused.stderr
    assert "clone the project" in refused.stderr
    assert groupdir("list", cwd=tmp_path, path=installed).returncode == 0


def test_verbs_of_the_checkout_work_from_any_folder(tmp_path: Path) -> None:
    """The only thing on the path is groupdir itself, as after an editable install; files are relative to the caller."""
    link = tmp_path / "site"
    link.mkdir()
    (link / "groupdir").symlink_to(ROOT / "groupdir")
    here = tmp_path / "here"
    here.mkdir()
    for words, says in (
        (["select", "none", "--shot", "few"], "none: does not exist: name the folder of a study"),
        (["search", "none.yaml", "--dry-run"], "none.yaml: cannot be read"),
        (["watch", "none"], "none"),
    ):
        done = groupdir(*words, cwd=here, path=link)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    shown = groupdir("list", cwd=here, path=link)
    assert f"presets in {ROOT / 'search_spaces/baselines'}" in shown.stdout
