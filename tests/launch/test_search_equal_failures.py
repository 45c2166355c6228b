"""A real search whose trials all fail alike, which a resume continues once the cause is removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groupdir.study.state import replay
from groupdir.study.store import Store

METHOD = '''
"""Method that needs a file, as soon as a worker trains it."""
import os
from pathlib import Path
from groupdir.methods.vanilla import Vanilla

class NeedsFile(Vanilla):
    def fit_losses(self, z, batch):
        if "RAY_RAYLET_PID" in os.environ:
            Path(os.environ["NEEDED"]).read_text()
        return super().fit_losses(z, batch)
'''
SPACE = """
name: needs
data: {name: digits}
encoder: {name: convnet}
method: {name: "needs_file:NeedsFile"}
optim: {lr: {log_uniform: [0.0005, 0.01]}}
train: {epochs: 2, device: cpu}
search:
  trials: 3
  concurrency: 1
  max_failures: 0
  max_equal_failures: 2
  sampler: {name: random}
  scheduler: {name: none}
  resources: {cpu: 0.5, gpu: 0}
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_resume_runs_the_failed_trials_again(results: Path, root: Path) -> None:
    (results / "needs_file.py").write_text(METHOD, encoding="utf-8")
    (results / "space.yaml").write_text(SPACE, encoding="utf-8")
    needed, folder = results / "needed.csv", results / "needs"
    paths = os.pathsep.join([str(root), str(results)])
    environment = {**os.environ, "PYTHONPATH": paths, "NEEDED": str(needed)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        words = (sys.executable, "-m", "launch", *words)
        return subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=False)

    first = run("search", str(results / "space.yaml"), "--out", str(folder))
    assert first.returncode == 1, first.stdout + first.stderr
    ended = "ended: 2 trials have failed with the same error and none has succeeded: FileNotFoundError: "
    does = "correct the cause; a resume runs the 2 that failed before their first epoch again and 1 new trial; "
    assert ended in first.stdout
    assert does + f"continue with:\n  groupdir resume {folder}" in first.stdout

    needed.touch()
    second = run("resume", str(folder))
    assert second.returncode == 0, second.stdout + second.stderr
    assert "run again, because they failed with the same error before any epoch: 0, 1" in second.stdout
    state = replay(Store.open(folder / "study.sqlite", readonly=True).events())
    assert [trial.status for trial in state.trials.values()] == ["finished"] * 3
    audited = run("audit", str(folder))
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "3 suggestions" in audited.stdout
