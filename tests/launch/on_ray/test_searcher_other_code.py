"""A node that runs another groupdir ends the search at once: no trial is failed, and a resume goes on."""

import re
from pathlib import Path

import pytest

from groupdir.study.state import replay
from groupdir.study.store import Store
from launch.on_ray import searcher as ray_searcher
from launch.search import resume, search

SPACE = """
name: tiny
data: {name: digits, train: 256}
encoder: {name: convnet}
method: {name: vanilla, loss: {choice: [mse, l1]}}
train: {epochs: 1}
search: {trials: 2, objectives: {val_mae_all: min}, max_failures: FAILURES, concurrency: 1, resources: {cpu: 1, gpu: 0}}
"""


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("failures", [0, 2])
def test_it_ends_the_search_and_loses_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failures: int
) -> None:
    space, folder = results / "tiny.yaml", results / "tiny"
    space.write_text(SPACE.replace("FAILURES", str(failures)), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(ray_searcher, "code_digest", lambda: "another")
        assert search(space, (), folder) == 1
    said = capsys.readouterr().out
    assert re.search(r"groupdir must have the code of the driver, got code \w+: .* update the checkout", said)
    assert f"groupdir resume {folder}" in said
    store = Store.open(folder / "study.sqlite", readonly=True)
    state = replay(store.events())
    store.close()
    assert {trial.status for trial in state.trials.values()} == {"running"}
    assert state.epochs == 0
    if failures:
        assert resume(folder) == 0
