"""A real search whose processes all get a signal, as systemd sends it, or whose Ray dies under it."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from groupdir.study.state import replay
from groupdir.study.store import Store
from tests.launch.test_search import SPACE, check_resumed, command, descendants, end, rows_in, run_until


def send(number: signal.Signals, pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def check_open(folder: Path) -> None:
    """The driver has written its end, and no trial has failed by it."""
    events = list(Store.open(folder / "study.sqlite", readonly=True).events())
    assert (events[-1].kind, events[-1].payload["action"]) == ("driver", "end")
    assert not replay(events).count("failed")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_signal_to_every_process_and_the_death_of_ray_lose_nothing(results: Path, root: Path) -> None:
    """First SIGTERM to the driver, to Ray's processes and to the workers at once, later SIGKILL to Ray's scheduler."""
    space, folder = results / "tiny.yaml", results / "tiny"
    store = folder / "study.sqlite"
    space.write_text(SPACE + "  max_failures: 0\n", encoding="utf-8")
    driver = run_until(command("search", str(space), "--out", str(folder)), root, store, 3)
    children = descendants(driver.pid)
    send(signal.SIGTERM, children | {driver.pid})
    said, _ = driver.communicate(timeout=200)
    assert driver.returncode == 130, said
    assert said.endswith(f"interrupted; continue with:\n  groupdir resume {folder}\n")
    check_open(folder)
    end(children)
    seen = rows_in(store)

    driver = run_until(command("resume", str(folder)), root, store, len(seen) + 2)
    children = descendants(driver.pid)
    raylets = {pid for pid in children if b"raylet/raylet\0" in Path(f"/proc/{pid}/cmdline").read_bytes()}
    assert raylets
    send(signal.SIGKILL, raylets)
    said, _ = driver.communicate(timeout=60)
    assert driver.returncode == 1, said
    assert "Ray on this machine has died: its process raylet has ended, and nothing that was recorded is lost" in said
    assert said.endswith(f"continue with:\n  groupdir resume {folder}\n")
    check_open(folder)
    end(children)
    seen = rows_in(store)

    check_resumed(command("resume", str(folder)), root, folder, seen)
