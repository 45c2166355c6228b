"""A driver whose disk is full, or whose folder is read-only: it says so, closes everything, and nothing is lost."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from groupdir.errors import DataError, FileWriteError
from launch.interrupt import Interrupt
from launch.screen.summary import summary
from launch.study.ending import finish
from launch.study.study import Study
from tests.launch.test_search import SPACE

Suggest = Callable[[Study], int]
Train = Callable[..., None]


def needs_mounts() -> None:
    """Skip a test where this user cannot mount."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root and `unshare`")


@pytest.mark.parametrize("moment", range(6))
def test_nothing_is_lost_on_a_full_disk(study: Study, suggest: Suggest, train: Train, moment: int) -> None:
    """SQLite itself reports the full disk: its file may not grow any further."""
    study.append("driver", payload={"action": "start", "pid": 1})
    ((pages,),) = study._store._connection.execute("PRAGMA page_count").fetchall()  # type: ignore[attr-defined]
    study._store._connection.execute(f"PRAGMA max_page_count = {pages + 3 * moment}")  # type: ignore[attr-defined]

    def fill() -> None:
        for _ in range(100):
            train(study, suggest(study), [3.0, 2.0, 1.5, 1.0], "finished")

    says = r"study\.sqlite: cannot be written: .* is full .* `groupdir resume"
    with pytest.raises(FileWriteError, match=says) as caught:
        fill()
    assert caught.value.disk_full
    with pytest.raises(FileWriteError):
        study.append("stopped", trial=0)
    before = repr(study.state.trials)
    said: list[str] = []
    finish(study, said.append, with_files=False)
    assert "nothing that was recorded is lost" in summary(study, Interrupt(None), None, caught.value)
    again = Study.open(study.folder)
    assert repr(again.state.trials) == before
    again.append("driver", payload={"action": "resume", "pid": 1})
    again.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_on_a_full_disk_is_resumed(tmp_path: Path, root: Path) -> None:
    """A search in 400 kB, which ends with code 1 and without a traceback, then a resume with more."""
    needs_mounts()
    (tmp_path / "small").mkdir()
    (tmp_path / "a.yaml").write_text(SPACE.split("  ablations")[0], encoding="utf-8")
    script = (
        'mount -t tmpfs -o size=400k none "$1/small" && cd "$2" && '
        '"$3" -m launch search "$1/a.yaml" --out "$1/small/a" --skip-doctor --quiet; echo "first $?"; '
        'mount -o remount,size=80m "$1/small" && "$3" -m launch resume "$1/small/a" --skip-doctor --quiet; '
        'echo "second $?"; "$3" -m launch audit "$1/small/a"; echo "third $?"'
    )
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), str(root), sys.executable]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    codes = [line for line in done.stdout.splitlines() if line.split(" ")[0] in ("first", "second", "third")]
    assert codes == ["first 1", "second 0", "third 0"], done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing that was recorded is lost" in done.stdout


FILL_LATER = """
import sqlite3, sys, time
from pathlib import Path
log, place = Path(sys.argv[1]), Path(sys.argv[2])
while True:
    time.sleep(0.2)
    try:
        log_of = sqlite3.connect(f"file:{log}?mode=ro", uri=True)
        ((rows,),) = log_of.execute("SELECT count(*) FROM events WHERE kind = 'epoch'")
    except sqlite3.Error:
        continue
    if rows >= 2:
        break
with open(place / "fill", "wb", buffering=0) as file:
    while True:
        file.write(bytes(4096))  # ends by the full disk
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_full_temporary_folder_of_ray_ends_a_search_and_a_resume_continues_it(tmp_path: Path, root: Path) -> None:
    """Full before the start, full after some epochs, and then empty."""
    needs_mounts()
    (tmp_path / "a.yaml").write_text(SPACE.split("  ablations")[0], encoding="utf-8")
    (tmp_path / "fill.py").write_text(FILL_LATER, encoding="utf-8")
    place = tempfile.mkdtemp(prefix="gd-", dir="/tmp")  # short, because it holds Unix sockets
    run = '"$3" -m launch {} --skip-doctor --quiet; echo "{} $?"; '
    script = (
        'mount -t tmpfs -o size=9m none "$4" && cd "$2" && export TMPDIR="$4"; head -c 2M /dev/zero > "$4/fill"; '
        + run.format('search "$1/a.yaml" --out "$1/a"', "first")
        + 'rm "$4/fill"; mount -o remount,size=60m "$4"; "$3" "$1/fill.py" "$1/a/study.sqlite" "$4" & '
        + run.format('resume "$1/a"', "second")
        + 'wait; rm "$4/fill"; '
        + run.format('resume "$1/a"', "third")
        + '"$3" -m launch audit "$1/a"; echo "fourth $?"'
    )
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), str(root), sys.executable, place]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    Path(place).rmdir()
    codes = [line for line in done.stdout.splitlines() if line.split(" ")[0] in ("first", "second", "third", "fourth")]
    assert codes == ["first 1", "second 1", "third 0", "fourth 0"], done.stdout + done.stderr
    assert f"{place}: the disk is full: Ray's temporary files need 8,388,608 bytes" in done.stderr
    says = rf"{place}/gd-\S+: .*(the disk is full|[Nn]o space)"
    assert re.search(says, done.stdout + done.stderr), done.stdout + done.stderr
    assert " failed" not in done.stdout


def test_all_that_reads_works_in_a_read_only_folder(
    study: Study, suggest: Suggest, train: Train, tmp_path: Path, root: Path
) -> None:
    """The folder is mounted read-only, as a killed driver leaves it and then closed; `resume` says why it cannot."""
    needs_mounts()
    from launch.study.export import write_tables

    study.append("driver", payload={"action": "start", "pid": 1})
    for _ in range(12):
        train(study, suggest(study), [3.0, 2.0, 1.5, 1.0], "finished")
    write_tables(study)
    (tmp_path / "mount").mkdir()
    (tmp_path / "work").mkdir()
    script = (
        'mount --bind "$1" "$2/mount" && mount -o remount,ro,bind "$2/mount" && cd "$2/work" && '
        'for verb in "select {} --shot few" "report {}" "watch {} --once" "audit {}" "resume {} --skip-doctor"; do '
        'set -- "$1" "$2" "$3"; $3 -m groupdir $(echo "$verb" | sed "s#{}#$2/mount#"); echo "code $?"; done'
    )
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(study.folder), str(tmp_path), sys.executable]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for _ in range(2):
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        codes = [line for line in done.stdout.splitlines() if line.startswith("code ")]
        assert codes[:4] == ["code 0"] * 3 + codes[3:4], done.stdout + done.stderr
        assert codes[4] == "code 2", done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "another machine" not in done.stderr + done.stdout
        assert "is read-only for this user" in done.stderr
        assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [
            "best_few.yaml", "front.parquet", "front.png", "report.html",
        ]  # fmt: skip
        study.close()


def test_a_broken_log_is_told_by_the_verbs_that_read_tables(
    study: Study, suggest: Suggest, train: Train, root: Path
) -> None:
    from launch.study.export import write_tables

    for _ in range(6):
        train(study, suggest(study), [3.0, 2.0, 1.5, 1.0], "finished")
    write_tables(study)
    study.close()
    (study.folder / "study.sqlite").write_bytes(b"no database" * 1000)
    for verb in (["select", "--shot", "few"], ["report"]):
        words = [sys.executable, "-m", "analysis", verb[0], str(study.folder), *verb[1:]]
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        assert "warning: " in done.stderr
        assert "study.sqlite: is not a study, or is broken" in done.stderr
    with pytest.raises(DataError, match="groupdir repair"):
        Study.open(study.folder)
