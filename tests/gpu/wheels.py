"""Carry the packages that a machine lacks to it: fetch their wheels where there is a network, unpack them where not.

    python tests/gpu/wheels.py FOLDER [--ray] [--python-version 3.12] [--platform NAME ...] [further options of pip]
    python3 tests/gpu/wheels.py --install FOLDER TARGET

The first form downloads the wheels of `PLAIN`, and with --ray those of `RAY` too, in the versions of constraints.txt.
Ray's wheel is repacked without the parts that a search does not use, from 79 MB to some 30. The second form unpacks a
folder of such files and prints the line that makes Python find them. It needs only the standard library.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"

# Assumed to be there: torch, torchvision, numpy, scipy, scikit-learn, pandas, pyarrow, pillow, pyyaml, rich, typer,
# requests, tensorboard, matplotlib, psutil, msgpack, pytest, pytest-timeout, pytest-xdist, hypothesis and their needs.
PLAIN = ("annotated-types", "pydantic", "pydantic-core", "typing-inspection")
"""Packages of all parts but `search`."""

RAY = (
    "ray", "jsonschema", "jsonschema-specifications", "referencing", "rpds-py", "tensorboardx",
    "optuna", "colorlog",
    "moocore", "cffi", "pycparser", "platformdirs",
)  # fmt: skip
"""Further packages of the part `search`: Ray, Optuna and moocore, each with its needs."""

NOT_USED = ("ray/dashboard/client", "ray/jars", "ray/llm", "ray/rllib", "ray/serve", "ray/workflow")
"""Folders of Ray's wheel that a search does not use: the dashboard's pages, Java, and Ray's other libraries."""

PLATFORMS = tuple(f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014", "1"))


def requirements(names: Sequence[str], constraints: Path = CONSTRAINTS) -> list[str]:
    """Return packages with their versions, as `name==version`.

    Raises:
        KeyError: If the constraints do not list a package.
    """
    lines = (line.split("==") for line in constraints.read_text(encoding="utf-8").splitlines() if "==" in line)
    versions = {name.strip().lower(): version.strip() for name, version in lines}
    return [f"{name}=={versions[name]}" for name in names]


def fetch(names: Sequence[str], folder: Path, python: str, platforms: Sequence[str], more: Sequence[str]) -> None:
    """Download wheels, and repack Ray's."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version", python]
    command += ["--implementation", "cp", *(f"--platform={name}" for name in platforms), "--dest", str(folder)]
    subprocess.run([*command, *more, *requirements(names)], check=True)
    for wheel in folder.glob("ray-*.whl"):
        repack(wheel)
        wheel.unlink()


def repack(wheel: Path) -> Path:
    """Write a wheel without the folders of `NOT_USED` as a .tar.xz, and return its path."""
    packed = wheel.with_suffix(".tar.xz")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(packed, "w:xz") as tar:
        with zipfile.ZipFile(wheel) as file:
            for item in file.infolist():
                if not item.filename.startswith(tuple(f"{name}/" for name in NOT_USED)):
                    path = Path(file.extract(item, folder))
                    path.chmod(item.external_attr >> 16 & 0o777 or 0o755)  # Ray's programs must be executable
        tar.add(folder, arcname=".")
    return packed


def install(folder: Path, target: Path) -> list[Path]:
    """Unpack the wheels and repacked wheels of a folder, and return them.

    Raises:
        FileNotFoundError: If the folder has none.
    """
    packed = sorted([*folder.glob("*.whl"), *folder.glob("*.tar.xz")])
    if not packed:
        raise FileNotFoundError(f"{folder}: must hold .whl or .tar.xz files, got none: fetch them (--help)")
    for path in packed:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                unpack(wheel, target)
        else:
            with tarfile.open(path) as tar:
                tar.extractall(target, filter="data")
    return packed


def unpack(wheel: zipfile.ZipFile, target: Path) -> None:
    """Unpack a wheel. Of its folder NAME.data, only the modules are kept, and not scripts or documents."""
    for item in wheel.infolist():
        kept = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", item.filename)
        if not kept.partition("/")[0].endswith(".data"):
            item.filename = kept
            wheel.extract(item, target)


def main(arguments: list[str] | None = None) -> None:
    """Fetch or install, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the wheels")
    parser.add_argument("target", type=Path, nargs="?", help="folder to unpack them into, with --install")
    parser.add_argument("--install", action="store_true", help="unpack instead of fetching")
    parser.add_argument("--ray", action="store_true", help="fetch the packages of the part `search` too")
    parser.add_argument("--python-version", default="3.12")
    parser.add_argument("--platform", nargs="+", default=PLATFORMS, help="platforms of the wheels, as pip names them")
    options, more = parser.parse_known_args(arguments)
    if options.install != (options.target is not None) or (options.install and more):
        parser.error("give FOLDER and TARGET with --install, and only FOLDER and options of pip without it")
    if options.install:
        packed = install(options.folder, options.target)
        print(f"unpacked {len(packed)} packages; now type: export PYTHONPATH={options.target.resolve()}")
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    fetch(PLAIN + (RAY if options.ray else ()), options.folder, options.python_version, options.platform, more)
    size = sum(path.stat().st_size for path in options.folder.iterdir())
    print(f"{len(list(options.folder.iterdir()))} files, {size / 2**20:.0f} MiB, in {options.folder}")


if __name__ == "__main__":
    main()
