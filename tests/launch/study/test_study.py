"""A study's folder, its state over a crash, and the scheduler's state rebuilt from it."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import ConfigError, DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.study_files import EPOCH_FIELDS
from launch.__main__ import app
from launch.control.audit import audit
from launch.control.stop_rules import converged
from launch.control.study_loop import StudyLoop
from launch.on_ray.failures import reason
from launch.sampling.history import measured
from launch.schedulers import make_scheduler
from launch.schedulers.asha import ASHA
from launch.schedulers.none import NoStopping
from launch.screen.choices import choice_lines
from launch.screen.live_table import LiveTable
from launch.screen.progress import Progress, status_text
from launch.search import refuse_taken
from launch.simulation.searches import with_search
from launch.study.checkpoints import keep
from launch.study.export import write_tables
from launch.study.study import Study
from tests.epoch_report import report
from tests.launch.conftest import CONTENT

Suggest = Callable[[Study], int]
Train = Callable[..., None]


def reopened(study: Study) -> Study:
    study.close()
    return Study.open(study.folder)


def test_the_folder_comes_as_a_whole_and_once(study: Study, results: Path) -> None:
    assert load_space(study.folder / "study.yaml").to_dict() == study.config.to_dict()
    assert [path.name for path in results.iterdir()] == ["small"], "nothing is left beside it"
    with pytest.raises(ConfigError, match=r"exists already.*groupdir resume"):
        Study.create(study.folder, study.config)
    (results / "other").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        Study.create(results / "other", study.config)


def test_one_driver_at_a_time(study: Study) -> None:
    with pytest.raises(DataError, match="another driver"):
        Study.open(study.folder)
    reopened(study).close()


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the folder of a study"):
        Study.open(tmp_path)


def test_the_state_is_that_of_the_store(study: Study, suggest: Suggest, train: Train) -> None:
    study.append("driver", payload={"action": "start", "pid": 1})
    train(study, suggest(study), [3.0, 2.0, 2.5], "finished")
    train(study, suggest(study), [4.0], "stopped")
    train(study, suggest(study), [4.0], "failed")
    before = study.state
    after = reopened(study)
    assert after.state == before
    trial = before.trials[0]
    assert (trial.status, trial.epoch, trial.seconds, trial.value("val_mae_few")) == ("finished", 3, 6.0, 5.0)
    assert before.trials[2].message == "loss is nan"
    assert after.state.finished("search") == [trial]
    after.close()


def test_time_is_counted_over_drivers_that_were_killed(study: Study) -> None:
    study.append("driver", payload={"action": "start", "pid": 1})
    killed_at = study.state.last_time
    study.append("driver", payload={"action": "resume", "pid": 2})
    study.append("driver", payload={"action": "end", "pid": 2})
    state = study.state
    assert state.elapsed(state.last_time + 99.0) <= state.last_time - killed_at + 1e-6
    assert state.runs == 2


def result(study: Study, trial: int, epoch: int, error: float, done: bool = False, first: int = 0) -> dict[str, object]:
    seed = study.state.trials[trial].seed
    row = {"trial": trial, "seed": seed, "epoch": epoch, "done": done, **report(epoch, first)}
    return row | {"val_mae_all": error, "training_iteration": 7, "time_total_s": 3.0}


def test_rungs_come_back_and_nobody_is_judged_twice(study: Study, suggest: Suggest) -> None:
    asha = ASHA("val_mae_all", "min", 1, 2)
    loop = StudyLoop(study, asha, "val_mae_all")
    for trial, error in enumerate([3.0, 2.0, 2.9, 1.0]):
        suggest(study)
        loop.report(trial, result(study, trial, 1, error))
    assert [t.stop_decided for t in study.state.of("search")] == [False, False, True, False]
    suggest(study)
    loop.record(4, result(study, 4, 1, 9.0))  # and here the driver dies, before the decision
    after = reopened(study)
    again = ASHA("val_mae_all", "min", 1, 2)
    loop = StudyLoop(after, again, "val_mae_all")
    assert [t.status for t in after.state.of("search")] == ["running", "running", "stopped", "running", "stopped"]
    assert not loop.record(0, result(after, 0, 1, 99.0)), "a repeated epoch changes nothing"
    assert loop.report(0, result(after, 0, 1, 99.0)) == "continue"
    asha.decide(4, 1, {"val_mae_all": 9.0})
    assert again._values == asha._values
    after.close()


def test_only_metrics_are_recorded(study: Study, suggest: Suggest) -> None:
    suggest(study)
    StudyLoop(study, NoStopping(), "val_mae_all").record(0, result(study, 0, 1, 3.0, done=True))
    row = dict(study.state.trials[0].rows[0])
    assert set(row) == {*EPOCH_FIELDS, "val_mae_all"}
    assert study.state.trials[0].complete


def test_a_finished_trial_keeps_its_checkpoint(study: Study, suggest: Suggest) -> None:
    trial = suggest(study)
    earlier, source = (study.folder / "ray" / run / "trial-0000" / "checkpoint_000000" for run in ("run-1", "run-2"))
    earlier.mkdir(parents=True)
    source.mkdir(parents=True)
    (source / "trial.pt").write_bytes(b"weights")
    study.append("checkpoint", trial=trial, epoch=4, payload={"path": str(source)})
    keep(study, trial)
    assert (study.folder / "checkpoints" / "0000" / "trial.pt").read_bytes() == b"weights"
    assert not source.exists()
    assert not earlier.exists(), "the checkpoint of an earlier driver"
    assert study.state.trials[trial].status == "finished"


def test_records_hold_every_trial_and_its_configuration(study: Study, suggest: Suggest, train: Train) -> None:
    train(study, suggest(study), [3.0, 2.0, 2.5], "finished")
    train(study, suggest(study), [4.0], "stopped")
    suggest(study)
    write_tables(study)
    table, footer = read_parquet(study.folder / "trials.parquet")
    rows = table.to_pylist()
    assert [row["status"] for row in rows] == ["finished", "stopped", "running"]
    assert (rows[0]["epoch"], rows[0]["epochs"], rows[0]["val_mae_few"]) == (2, 3, 5.0)
    assert footer["configs"]["1"] == study.state.trials[1].config
    assert StudyConfig.from_dict(footer["study"]).to_dict() == study.config.to_dict()
    temperatures = [row["param:method.temperature|cosine"] is None for row in rows]
    assert temperatures == ["method.temperature|cosine" not in t.params for t in study.state.of("search")]
    epochs = pq.read_table(study.folder / "epochs.parquet").to_pylist()
    assert [(row["trial"], row["epoch"]) for row in epochs] == [(0, 1), (0, 2), (0, 3), (1, 1)]


def test_before_any_keeps_to_the_constraints_no_search_has_converged(
    study: Study, suggest: Suggest, train: Train
) -> None:
    rule = {"trials": 2, "tolerance": 0.5}
    for _ in range(4):
        train(study, suggest(study), [2.0], "finished")
    assert "added 0.00%" in converged(with_search(study.config, {"convergence": rule}).search, study.state)
    bound = {"convergence": rule, "constraints": {"val_mae_few": "<= 4"}}
    assert converged(with_search(study.config, bound).search, study.state) == ""
    train(study, suggest(study), [1.0], "finished")
    assert converged(with_search(study.config, bound).search, study.state) == "", "the first that keeps is all there is"


def test_plain_lines_where_there_is_no_terminal(study: Study, suggest: Suggest, train: Train) -> None:
    console = Console(width=60, record=True, force_terminal=False, quiet=False)
    with Progress(study.config, console=console) as progress:
        study.watchers.append(progress.watch)
        train(study, suggest(study), [3.0], "finished")
        train(study, suggest(study), [3.0], "failed")
    lines = console.export_text().splitlines()
    assert lines[0].startswith("trial 0 finished at epoch 1: val mae many 4  val mae median 5  val mae few 6  [groups=")
    assert lines[1] == "trial 1 failed after epoch 1: loss is nan"


def test_the_table_shows_trials_best_and_times(study: Study, suggest: Suggest, train: Train) -> None:
    study.append("driver", payload={"action": "start", "pid": 1})
    train(study, suggest(study), [3.0], "finished")
    suggest(study)
    console = Console(width=140, record=True, force_terminal=False)
    choices = choice_lines(study.config, study.state)
    status = status_text(study.config, study.state, study.state.last_time + 60, 30.0)
    console.print(LiveTable(study.config, study.state, choices, [status]))
    text = console.export_text()
    assert "waiting" in text
    assert "best few: trial 0, 6.00, one seed" in text
    assert "12 trials: 1 finished, 11 waiting; 4 ablations: 4 waiting; 0:01:0" in text
    assert "about 0:00:30 left" in text


def test_unknown_names_are_refused_with_a_hint(study: Study) -> None:
    content = study.config.to_dict()
    content["search"]["scheduler"] = {"name": "ashaa"}
    content["search"]["sampler"] = {"name": "tpee"}
    with pytest.raises(ConfigError, match="did you mean 'asha'") as caught:
        StudyConfig.from_dict(content)
    assert len(caught.value.mistakes) == 2


def test_a_shared_folder_of_another_study_is_refused(results: Path, tmp_path: Path) -> None:
    """Both would call their trials the same, and delete each other's checkpoints."""
    content = {**CONTENT, "search": {**CONTENT["search"], "storage_path": str(tmp_path / "shared")}}
    config = StudyConfig.from_dict(content)
    refuse_taken(config)
    first = Study.create(results / "first", config)
    Path(str(first.storage)).mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"search.storage_path: .*small belongs to another study already"):
        refuse_taken(config)
    first.close()


def test_a_failure_is_one_line() -> None:
    assert reason(DataError("a.csv:3: broken\nmore")) == "a.csv:3: broken"
    assert reason(RuntimeError("first\nCUDA out of memory")) == "RuntimeError: CUDA out of memory"
    assert reason(KeyError()) == "KeyError: no message"


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (
            {"name": "pareto_asha", "grace_period": 1, "max_t": 3},
            "max_t: must be at least 4, the epochs of predicting stages, .* got 3: set train.epochs instead",
        ),
        ({"name": "asha", "min_peer": 5}, r"search.scheduler.min_peer: unknown key: Known: grace_period, metric"),
        ({"name": "none", "mode": "promote"}, r"search.scheduler.mode: unknown key: Known: metric, name$"),
        ({"grace_periods": 2}, r"search.scheduler.grace_periods: unknown key: did you mean 'grace_period'"),
        ({"name": "no.such.module:Mine"}, r"search.scheduler: .*'no.such.module:Mine' cannot be loaded"),
        ({"name": "groupdir.config.space:Space"}, r"search.scheduler: .* must be a class with a nested `Config`"),
    ],
)
def test_a_scheduler_that_would_not_do_what_is_asked_is_refused(scheduler: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StudyConfig.from_dict({**CONTENT, "search": {"scheduler": scheduler}})


@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_rungs_count_the_epochs_that_predict(results: Path, mode: str) -> None:
    """Pre-trainings of 3 and of 5 epochs: trials are compared after the same epochs of what comes then."""
    scheduler = {"name": "pareto_asha", "grace_period": 2, "reduction_factor": 2, "min_peers": 6, "mode": mode}
    method = {"name": "group_dir", "pretrain": {"epochs": {"choice": [3, 5]}}}
    search = {**CONTENT["search"], "scheduler": scheduler, "objectives": {"val_mae_all": "min"}, "ablations": {}}
    search["sampler"] = {"name": "random"}
    config = StudyConfig.from_dict({**CONTENT, "method": method, "search": search})
    study = Study.create(results / "two", config)
    loop = StudyLoop(study, make_scheduler(config.search), "val_mae_all")
    firsts = []
    for trial in range(6):
        assert loop.following() == trial
        first = study.state.trials[trial].config["method"]["pretrain"]["epochs"]
        firsts.append(first)
        for epoch in range(1, first + 3):
            error = float("nan") if epoch <= first else 10.0 + trial
            action = loop.report(trial, result(study, trial, epoch, error, first=first))
        study.append("paused" if action == "pause" else "stopped" if action == "stop" else "started", trial=trial)
    trials = study.state.of("search")
    assert set(firsts) == {3, 5}
    assert [list(trial.decisions) for trial in trials] == [[first + 2] for first in firsts]
    rows = [measured(trial, 2, config.search) for trial in trials]
    assert [row["val_mae_all"] for row in rows if row is not None] == [10.0 + trial for trial in range(6)]
    if mode == "promote":
        assert loop.following() == 0, "the best of the rung, whose other members stand at other epochs"
        promoted = next(event for event in study.events() if event.kind == "promoted")
        assert promoted.epoch == firsts[0] + 2
    else:
        assert [trial.stop_decided for trial in trials] == [False] * 5 + [True]
    events = list(study.events())
    found = audit(events, config, lambda: make_scheduler(config.search))
    assert not found.wrong
    study.close()
    again = Study.open(results / "two")
    StudyLoop(again, make_scheduler(config.search), "val_mae_all")
    assert list(again.events()) == events, "a new driver comes to the same decisions"
    again.close()


def test_a_study_that_is_closed_names_no_driver(study: Study) -> None:
    """Its number may be another process's soon, and whoever reads it might end that."""
    lock = study.folder / "study.lock"
    assert lock.read_text() == str(os.getpid())
    study.close()
    assert lock.read_text() == ""
    study.close()


def test_a_table_is_no_study_to_resume(tmp_path: Path) -> None:
    (tmp_path / "benchmark.yaml").touch()
    with pytest.raises(DataError, match="it is a benchmark: run `groupdir benchmark` again, which resumes it"):
        Study.open(tmp_path)


def test_a_study_comes_back_where_it_is_said(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of a cluster works in a folder that goes with it."""
    far, folder = tmp_path / "far" / "small", tmp_path / "home" / "small"
    far.mkdir(parents=True)
    study.copy_store(far / "study.sqlite")
    driven: list[Path] = []
    monkeypatch.setattr("launch.search.run_study", lambda study, *_: driven.append(study.folder) or 0)
    run = CliRunner().invoke(app, ["resume", far.as_uri(), "--out", str(folder)])
    assert run.exit_code == 0, run.output
    assert driven == [folder]
    assert {"study.sqlite", "study.yaml"} <= {path.name for path in folder.iterdir()}


def test_a_lock_that_cannot_be_opened_is_told(study: Study) -> None:
    study.close()
    lock = study.folder / "study.lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(DataError, match=r"study\.lock: cannot be written: Is a directory"):
        Study.open(study.folder)
