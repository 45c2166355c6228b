"""Signals and processes of the Ray that a driver starts."""

import signal
import subprocess
import sys
from pathlib import Path

import ray

from launch.on_ray import private


def test_signals_are_left_to_the_driver() -> None:
    """Ray calls the replaced function in each process that it starts, and installs handlers in the driver."""
    from ray._private import utils

    text = (Path(ray.__file__).parent / "_private/services.py").read_text(encoding="utf-8")
    assert "utils.set_kill_on_parent_death_linux()" in text, "Ray starts its processes in another way"
    former, handler = utils.set_kill_on_parent_death_linux, signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        mine = signal.getsignal(signal.SIGTERM)
        with private.signals_left_to_driver() as started:
            assert utils.set_kill_on_parent_death_linux is not former
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            assert started() == []
            code = (
                "import os, signal; print(os.getpid(), sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))), "
                "os.getsid(0) == os.getpid())"
            )
            start = utils.set_kill_on_parent_death_linux
            words = [sys.executable, "-c", code]
            said = subprocess.run(words, preexec_fn=start, capture_output=True, text=True, check=False)
            pid, _, rest = said.stdout.partition(" ")
            assert started() == [int(pid)], said.stderr
        blocked = sorted((signal.SIGHUP, signal.SIGTERM))
        assert rest.strip() == f"{list(map(int, blocked))} True", said.stderr
        assert signal.getsignal(signal.SIGTERM) is mine
        assert utils.set_kill_on_parent_death_linux is former
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_without_a_ray_of_its_own_a_driver_has_no_processes_of_it() -> None:
    assert private.own_processes() == {}
