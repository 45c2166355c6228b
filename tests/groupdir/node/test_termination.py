"""SIGTERM in a worker: ignored if its driver has blocked it, but not in the processes that the worker starts."""

import signal
import subprocess
import sys

BODY = """
import multiprocessing, os, signal, subprocess, sys, time
from groupdir.node.termination import leave_termination_to_driver
if sys.argv[1] == "blocked":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)  # it came before the trial began
leave_termination_to_driver()
fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
fork.start()
fork.terminate()
fork.join(20)
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
other.terminate()
print("children", fork.exitcode, other.wait(20), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("still here", flush=True)
"""


def run(mask: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BODY, mask], capture_output=True, text=True, check=False)


def test_a_worker_outlives_sigterm_if_the_driver_has_blocked_it() -> None:
    done = run("blocked")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "SIGTERM is ignored: the driver ends this process, and SIGKILL does"
    assert f"children {-signal.SIGTERM} {-signal.SIGTERM}" in lines
    assert lines[-1] == "still here"


def test_a_worker_of_a_cluster_ends() -> None:
    done = run("free")
    assert done.returncode == -signal.SIGTERM
    assert "still here" not in done.stdout
