"""The wheel holds groupdir and nothing else, and what it holds is enough to import."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LEFT_OUT = (".*", "*.egg-info", "__pycache__", "build", "dist", "results")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """Built from a copy of the checkout, so that no build folder is left in it; setuptools is installed, no network."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(root, folder / "checkout", ignore=shutil.ignore_patterns(*LEFT_OUT))
    pip = (sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder / "dist", folder / "checkout", cwd=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_one_top_level_name(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"groupdir"}
    assert len(tops) == 2


def test_it_holds_every_module(wheel: Path, root: Path) -> None:
    source = {str(path.relative_to(root)) for path in (root / "groupdir").rglob("*.py")} | {"groupdir/py.typed"}
    held = {name for name in names(wheel) if name.startswith("groupdir/")}
    assert held == source, "a folder without __init__.py is left out; a stray file must not be shipped"


def test_it_brings_the_command_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "groupdir = groupdir.cli:main" in archive.read(entry).decode()
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_it_imports_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    target, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--no-index")
    run(*pip, "--target", target, wheel, cwd=empty)
    code = f"import sys; sys.path.insert(0, {str(target)!r}); import groupdir.labels; print(groupdir.labels.__file__)"
    where = run(sys.executable, "-I", "-c", code, cwd=empty).strip()
    assert Path(where).is_relative_to(target)
