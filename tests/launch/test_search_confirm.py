"""`groupdir confirm` refuses what cannot be confirmed, each with one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groupdir.config.confirmation import ConfirmationConfig
from groupdir.config.space import StudyConfig
from groupdir.errors import DataError, GroupdirError
from groupdir.study.read import read_study
from launch.control.confirmation import begin_round
from launch.interrupt import Interrupt
from launch.screen.summary import summary
from launch.screen.watch import glance, standing, watch
from launch.search import confirm
from launch.study.study import Study
from tests.epoch_report import report
from tests.launch.conftest import CONTENT

Suggest = Callable[[Study], int]
Train = Callable[..., None]


def test_a_search_must_have_ended(study: Study, suggest: Suggest, train: Train) -> None:
    train(study, suggest(study), [3.0, 2.0, 1.0, 1.0], "finished")
    train(study, suggest(study), [4.0])
    study.close()
    with pytest.raises(DataError, match=r"1 of 12 trials of the search have ended.*groupdir resume .*small"):
        confirm(study.folder)
    Study.open(study.folder).close()  # the lock is free again


def test_something_must_have_finished(study: Study, suggest: Suggest, train: Train) -> None:
    for _ in range(12):
        train(study, suggest(study), [3.0], "failed")
    study.close()
    with pytest.raises(DataError, match="no trial of the search has finished, so there is nothing to confirm"):
        confirm(study.folder)
    assert read_study(study.folder).state.round is None


def test_no_round_begins_without_the_data(results: Path, suggest: Suggest, train: Train) -> None:
    """The round of the refused call would be continued instead of the next call's."""
    told = StudyConfig.from_dict({**CONTENT, "data": {"name": "agedb", "root": str(results / "gone")}})
    study = Study.create(results / "small", told)
    for _ in range(12):
        train(study, suggest(study), [3.0, 2.0, 1.0, 1.0], "finished")
    study.close()
    with pytest.raises(GroupdirError, match="gone"):
        confirm(study.folder)
    assert read_study(study.folder).state.round is None


def test_the_folder_must_be_a_study(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the folder of a study"):
        confirm(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "fev"], "unknown rule 'fev': did you mean 'few'"),
        (["--trainings", "0"], "--trainings"),
    ],
)
def test_wrong_options(root: Path, arguments: list[str], message: str) -> None:
    words = [sys.executable, "-m", "launch", "confirm", "results/none", *arguments]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_round_without_trainings_left_to_run_ends_at_once(study: Study, suggest: Suggest, train: Train) -> None:
    """A round that is used up is not continued: the event log has no running confirmation."""
    for _ in range(12):
        train(study, suggest(study), [3.0, 2.0, 1.0, 1.0], "finished")
    payload = {"trainings": 0, "rules": ["few"], "stop": 0.9, "most_seeds": 8}
    study.append("confirm", payload=payload)
    assert study.state.round is not None
    assert study.state.round.remaining(0) == 0
    study.close()
    assert read_study(study.folder).state.round == study.state.round


@pytest.fixture
def short(results: Path) -> Iterator[Study]:
    """An empty study of three trials that ends early if its trials do not differ, without ablations."""
    search = {**CONTENT["search"], "trials": 3, "ablations": {}, "convergence": {"trials": 1, "tolerance": 0.5}}
    made = Study.create(results / "short", StudyConfig.from_dict({**CONTENT, "search": search}))
    yield made
    made.close()


@pytest.mark.parametrize(("rules", "rule"), [(["all"], "all"), (["many", "few"], "few"), (["knee", "all"], "knee")])
def test_the_next_command_chooses_by_a_rule_that_was_confirmed(
    short: Study, suggest: Suggest, train: Train, rules: list[str], rule: str
) -> None:
    for _ in range(3):
        train(short, suggest(short), [3.0, 2.0, 1.0, 1.0], "finished")
    assert summary(short, Interrupt(None)).endswith("--shot few")
    begin_round(short, ConfirmationConfig(rules=tuple(rules)), trainings=0)
    assert summary(short, Interrupt(None)).endswith(f"--shot {rule}")


def test_a_study_that_ended_early_has_no_trial_left(
    short: Study, suggest: Suggest, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three trials ran: the search has converged. Every command says so."""
    short.append("driver", payload={"action": "start", "pid": 1})
    train(short, suggest(short), [3.0, 2.0, 1.0, 1.0], "finished")
    open_ones = summary(short, Interrupt(None))
    assert "3 trials: 1 finished, 2 waiting; " in open_ones.replace("\n", "; ")
    assert "trials are left; continue with:\n  groupdir resume " in open_ones
    train(short, suggest(short), [3.0, 2.0, 1.0, 1.0], "finished")
    short.append("driver", payload={"action": "end", "pid": 1})
    short.close()
    glance([short.folder])
    assert capsys.readouterr().out.startswith("small: 2 trials: 2 finished; 0:00:0")
    assert watch(short.folder) == 0
    shown = capsys.readouterr().out.splitlines()
    assert (shown[0], shown[-1]) == ("2 trials: 2 finished", f"  groupdir select {short.folder} --shot few")
    content = standing(short.folder)
    assert (content["trials"], content["finished"], content["waiting"]) == (2, 2, 0)


def test_the_next_command_names_a_rule_that_can_choose(short: Study, suggest: Suggest) -> None:
    """No validation sample has a few-shot label, as where the metric is NaN."""
    metrics = {"val_mae_all": 3.0, "val_mae_many": 3.0, "val_mae_median": 3.0, "val_mae_few": float("nan")}
    for _ in range(3):
        trial = suggest(short)
        seed, payload = short.state.trials[trial].seed, {**report(1), "last": True, "metrics": metrics}
        short.append("epoch", trial=trial, seed=seed, epoch=1, payload=payload)
        short.append("finished", trial=trial)
    assert summary(short, Interrupt(None)).endswith("--shot many")


def test_failures_are_listed_with_their_messages(
    short: Study, suggest: Suggest, train: Train, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    for _ in range(3):
        train(short, suggest(short), [3.0], "failed")
    lines = summary(short, Interrupt(None)).splitlines()
    assert "3 failed (trials 0, 1, 2): loss is nan" in lines
    assert lines[-1] == "no trial finished: see the failures above"
    short.close()
    glance([short.folder])
    assert "  3 failed (trials 0, 1, 2): loss is nan" in capsys.readouterr().out.splitlines()
    page = (root / "docs/json_output.md").read_text(encoding="utf-8").partition("## groupdir status --json")[2]
    assert all(f"`{key}`" in page for key in standing(short.folder))
    assert standing(short.folder)["failures"][2] == {"trial": 2, "message": "loss is nan"}


def test_a_row_of_a_benchmark_is_continued_by_the_benchmark(short: Study, suggest: Suggest, train: Train) -> None:
    train(short, suggest(short), [3.0], "")
    stopped = Interrupt(None)
    stopped.asked = True
    text = summary(short, stopped, again="groupdir benchmark 'my table.yaml'")
    assert text.endswith("interrupted; continue with:\n  groupdir benchmark 'my table.yaml'")
    (short.folder.parent / "benchmark.yaml").write_text("name: table\n", encoding="utf-8")
    assert "continue with:\n  the `groupdir benchmark` command that started it" in summary(short, stopped)
