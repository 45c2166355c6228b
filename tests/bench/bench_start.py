"""Processor seconds (user and system) that the verbs which only read take, next to Python alone and to torch's import.

    python tests/bench/bench_start.py [--quick]

Every command runs several times; the median is printed with the lowest and the highest. The first run of a command only
fills the caches and is not counted.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import typer

ROOT = Path(__file__).resolve().parents[2]
SPACE = str(ROOT / "search_spaces/digits.yaml")
LIMIT = 1.0  # seconds that the verbs of groupdir may take
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import torch'": ["-c", "import torch"],
    "groupdir --version": ["-m", "groupdir", "--version"],
    "groupdir -h": ["-m", "groupdir", "-h"],
    "groupdir list": ["-m", "groupdir", "list"],
    "groupdir check digits.yaml": ["-m", "groupdir", "check", SPACE],
    "groupdir search digits.yaml --dry-run": ["-m", "groupdir", "search", SPACE, "--dry-run"],
}


def processor_seconds(arguments: list[str], folder: str) -> float:
    """Return the user and system time of one Python process; its output is dropped."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print one line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs of each command instead of 10")
    runs = 3 if parser.parse_args().quick else 10
    print(f"Python {platform.python_version()}, typer {typer.__version__}, {os.cpu_count()} cores, n = {runs}")
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in COMMANDS.items():
            processor_seconds(arguments, folder)
            seconds = [processor_seconds(arguments, folder) for _ in range(runs)]
            print(f"{name:40s} {median(seconds):6.2f} s  [{min(seconds):.2f}, {max(seconds):.2f}]", flush=True)
            if name.startswith("groupdir") and median(seconds) > LIMIT:
                slow.append(name)
    if slow:
        print(f"above {LIMIT:g} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
