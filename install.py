"""Install the pinned packages into a virtual environment, with one line of progress; the Makefile calls this script.

The script needs the standard library alone. All that pip prints goes into a log file, which is named if pip fails.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GB = 1e9
# Measured with constraints.txt on Linux. Wheels lie in the folder for temporary files until they are unpacked.
INSTALLED = 7 * GB
DOWNLOADED = 3.3 * GB
REINSTALLED = 0.5 * GB
LAST_LINES = 15


def main() -> int:
    """Install, and return an exit status: 0 when everything is installed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that pip ends too
    job = parsed()
    try:
        return job.run()
    except KeyboardInterrupt:
        print("install: interrupted; run the same make target again", file=sys.stderr)
        return 130


def parsed() -> "Install":
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--venv", type=Path, required=True, help="the environment, which must have pip")
    parser.add_argument("--extra", default="", help="an extra of pyproject.toml to install too")
    parser.add_argument("--marker", type=Path, required=True, help="file that exists during an install")
    parser.add_argument(
        "--stamp", type=Path, action="append", required=True, help="file to write when all is installed"
    )
    given = parser.parse_args()
    return Install(given.venv, given.extra, given.marker, given.stamp)


@dataclass
class Install:
    """One call of pip, and what it leaves.

    Attributes:
        venv: The environment.
        extra: An extra of pyproject.toml, or nothing.
        marker: File that exists while the environment may be half installed.
        stamps: Files to write at the end. They are as old as the install's beginning, so that a file edited meanwhile
            is newer.
    """

    venv: Path
    extra: str
    marker: Path
    stamps: Sequence[Path]

    def run(self) -> int:
        """Check the disk, install, write the stamps; return an exit status."""
        has_torch = any(self.venv.glob("lib/python*/site-packages/torch"))
        missing, tight = disk_space(self.venv, has_torch)
        if missing:
            print(f"install: {missing}", file=sys.stderr)
            return 1
        print(announcement(self.venv, self.log, has_torch), flush=True)
        progress = Progress(self.venv)
        screen = Screen()
        self.marker.touch()
        try:
            status = self._pip(["--no-cache-dir"] if tight else [], progress, screen)
        finally:
            screen.close()
            if not progress.total:
                self.marker.unlink()  # pip unpacked nothing: the environment is as before
        if status:
            self._explain(status)
            return 1
        self._stamp(progress)
        print(f"Installed in {progress.clock}", flush=True)
        return 0

    @property
    def log(self) -> Path:
        """File with the whole output of pip."""
        return self.venv / "install.log"

    def _pip(self, options: list[str], progress: "Progress", screen: "Screen") -> int:
        """Install and compile; return pip's exit status."""
        self.log.write_bytes(b"")
        python = str(self.venv / "bin/python")
        quiet = ["--disable-pip-version-check", "--no-input"]
        target = f".[{self.extra}]" if self.extra else "."
        # pip compiles on one core, which is half of its time: compileall takes all cores, and leaves out tests.
        command = [python, "-m", "pip", "install", *quiet, "--no-compile", *options, "-e", target]
        status = follow([*command, "-c", "constraints.txt"], self.log, progress.read, lambda: screen.show(progress))
        if status == 0:
            progress.compiling = True
            command = [python, "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", str(self.venv / "lib")]
            # Its status is 1 where a package holds a file for a newer Python, which is no fault.
            follow(command, self.log, lambda line: None, lambda: screen.show(progress))
        return status

    def _explain(self, status: int) -> None:
        """Show the last lines of the log, and name it."""
        print(
            *self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:],
            sep="\n",
            file=sys.stderr,
        )
        print(f"install: pip ended with status {status}; its whole output is in {self.log.resolve()}", file=sys.stderr)

    def _stamp(self, progress: "Progress") -> None:
        """Write the stamps, as old as the install's beginning, and take the marker away."""
        for stamp in self.stamps:
            stamp.touch()
            os.utime(stamp, (progress.began, progress.began))
        self.marker.unlink(missing_ok=True)


def disk_space(venv: Path, has_torch: bool) -> tuple[str, bool]:
    """Return what to tell a person whose disk is too small, or nothing, and whether pip must do without its cache."""
    installed, downloaded = (REINSTALLED, REINSTALLED) if has_torch else (INSTALLED, DOWNLOADED)
    temporary = Path(tempfile.gettempdir())
    needed = {venv: installed, temporary: downloaded}
    if venv.stat().st_dev == temporary.stat().st_dev:
        needed = {venv: installed + downloaded}
    for folder, size in needed.items():
        free = shutil.disk_usage(folder).free
        if free < size:
            way = "free some space" if folder == venv else "free some space, or name another folder in TMPDIR"
            text = f"{folder.resolve()}: the install needs {size / GB:.1f} GB free on this disk while it runs"
            return f"{text}, got {free / GB:.1f} GB: {way}", False
    return "", shutil.disk_usage(venv).free < needed[venv] + downloaded  # pip would keep a copy of what it downloads


def announcement(venv: Path, log: Path, has_torch: bool) -> str:
    """Return what is said before the install: how much is downloaded, and how long it takes."""
    if has_torch:
        return f"Bringing {venv} up to date with pyproject.toml and constraints.txt; pip's output is in {log}"
    return (
        f"Installing into {venv}: 3 GB to download, 7 GB on disk; 4.3 GB of it are the CUDA libraries that torch\n"
        f"requires (no GPU is needed). About 2 minutes on 2 cores, and the download. pip's output is in {log}"
    )


@dataclass
class Progress:
    """State of an install, read from the output of pip and from the packages in the environment.

    Attributes:
        venv: The environment.
        packages: Number of packages that pip has collected.
        megabytes: What it has downloaded, in MB.
        large: The package that pip is downloading, if it is large.
        total: Number of packages to unpack; 0 while pip collects them.
        compiling: Whether pip is done.
        began: When the install began.
    """

    venv: Path
    packages: int = 0
    megabytes: float = 0.0
    large: str = ""
    total: int = 0
    compiling: bool = False
    began: float = field(default_factory=time.time)
    _before: int = field(init=False)

    def __post_init__(self) -> None:
        self._before = self._installed()

    def _installed(self) -> int:
        return len(list(self.venv.glob("lib/python*/site-packages/*.dist-info")))

    def read(self, line: str) -> None:
        """Take a line of pip's output into account."""
        if line.startswith("Collecting "):
            self.packages += 1
            self.large = ""
        elif match := re.match(r" *Downloading (\S+) \(([\d.]+) ([kMG]?)B\)", line):
            size = float(match[2]) * {"": 1e-6, "k": 1e-3, "M": 1.0, "G": 1e3}[match[3]]
            name = match[1].rpartition("/")[2].partition("-")[0]
            self.megabytes += size
            self.large = f"{name} ({size:.0f} MB)" if size >= 20 else ""
        elif line.startswith("Installing collected packages: "):
            self.total = line.count(",") + 1

    @property
    def step(self) -> str:
        """Name of the present step."""
        if self.compiling:
            return "Compiling"
        return "Unpacking" if self.total else "Collecting"

    @property
    def clock(self) -> str:
        """Time since the beginning, in minutes and seconds."""
        minutes, seconds = divmod(int(time.time() - self.began), 60)
        return f"{minutes}:{seconds:02d}"

    def text(self) -> str:
        """Return the line of progress."""
        if self.compiling:
            return f"{self.clock}  Compiling Python files"
        if self.total:
            unpacked = min(max(self._installed() - self._before, 0), self.total)
            return f"{self.clock}  Unpacking: {unpacked} of {self.total} packages"
        parts = [f"{self.packages} packages"]
        parts += [f"{self.megabytes:.0f} MB downloaded"] * (self.megabytes >= 1)
        return f"{self.clock}  Collecting: {', '.join([*parts, self.large]).removesuffix(', ')}"


class Screen:
    """Line that is renewed in a terminal; elsewhere a line for each step."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._step = ""

    def show(self, progress: Progress) -> None:
        """Show the present state."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{progress.text()[:width]}\x1b[K", end="", flush=True)
        elif progress.step != self._step:
            self._step = progress.step
            print(progress.text(), flush=True)

    def close(self) -> None:
        """Clear the line."""
        if self._terminal:
            print("\r\x1b[K", end="", flush=True)


def follow(command: Sequence[str], log: Path, read: Callable[[str], None], show: Callable[[], None]) -> int:
    """Run a command, append its output to a log, hand on each line, and return its exit status."""
    begin = log.stat().st_size
    with running(command, log) as process, log.open(encoding="utf-8", errors="replace") as output:
        output.seek(begin)
        rest, ended = "", False
        while not ended:
            ended = process.poll() is not None  # asked before the last lines are read
            *lines, rest = (rest + output.read()).split("\n")
            for line in lines:
                read(line)
            show()
            if not ended:
                time.sleep(0.2)
        return process.returncode


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as long as the context lasts, and no longer."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
