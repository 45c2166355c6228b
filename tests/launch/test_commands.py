"""The commands that start no search."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groupdir.config.space import load_space
from launch.__main__ import app
from launch.screen.plan import expected_epochs
from launch.study.study import Study

Suggest = Callable[[Study], int]
Train = Callable[..., None]


def test_a_dry_run_says_what_would_run(root: Path, tmp_path: Path) -> None:
    file = root / "search_spaces" / "digits.yaml"
    run = CliRunner().invoke(app, ["search", str(file), "--dry-run", "--out", str(tmp_path / "none")])
    assert run.exit_code == 0, run.output
    trials = load_space(file).search.trials
    assert "epochs of a trial: up to 30\n" in run.stdout
    assert "rungs at epochs: 5, 10, 20\n" in run.stdout
    assert f"budget: about {expected_epochs(trials, [5, 10, 20], 30, 2):,} epochs (1 in 2 advances" in run.stdout
    assert "time: unknown" in run.stdout
    assert not (tmp_path / "none").exists()


def test_recorded_seconds_make_hours(study: Study, suggest: Suggest, train: Train) -> None:
    train(study, suggest(study), [3.0, 2.0], "finished")
    file = study.folder / "study.yaml"
    run = CliRunner().invoke(app, ["search", str(file), "--dry-run", "--out", str(study.folder)])
    assert run.exit_code == 0, run.output
    assert "at 2 s per epoch" in run.stdout


def test_an_audit_of_what_follows_and_of_what_does_not(study: Study, suggest: Suggest, train: Train) -> None:
    for error in (3.0, 2.0, 4.0):
        train(study, suggest(study), [error], "finished")
    good = CliRunner().invoke(app, ["audit", str(study.folder)])
    assert good.exit_code == 0, good.output
    assert "3 suggestions" in good.stdout
    trial = study.state.trials[0]
    payload = {"role": "search", "label": "", "params": {}, "config": {}, "digest": "", "metric": trial.metric}
    study.append("suggested", trial=3, seed=0, payload=payload)
    bad = CliRunner().invoke(app, ["audit", str(study.folder)])
    assert bad.exit_code == 1
    assert "suggestion is {}" in bad.stdout


def test_export_curves_and_simulate(study: Study, suggest: Suggest, train: Train, tmp_path: Path) -> None:
    for error in (3.0, 2.0, 4.0):
        train(study, suggest(study), [error + 1, error], "finished")
    file = tmp_path / "curves.parquet"
    run = CliRunner().invoke(app, ["export-curves", str(study.folder), "--out", str(file)])
    assert run.exit_code == 0, run.output
    assert "3 configurations, 3 trainings" in run.stdout
    out = tmp_path / "simulation"
    words = ["simulate", str(file), "--source", "nearest", "--sampler", "random", "--trials", "6", "--seeds", "2"]
    run = CliRunner().invoke(app, [*words, "--workers", "2", "--workers", "3", "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "random + pareto_asha (stop)" in run.stdout
    assert (out / "simulation.parquet").is_file()
    assert (out / "simulation.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [["--sampler", "tpee"], ["--scheduler", "asha2"], ["--source", "far"]])
def test_unknown_names_are_refused(study: Study, words: list[str]) -> None:
    run = CliRunner().invoke(app, ["simulate", str(study.folder), *words])
    assert run.exit_code == 2
    assert "unknown" in run.stderr


def test_curves_that_cannot_be_interpolated_are_refused(
    study: Study, suggest: Suggest, train: Train, tmp_path: Path
) -> None:
    """A search has one seed of each configuration, and the noise between seeds needs two."""
    train(study, suggest(study), [2.0], "finished")
    words = ["simulate", str(study.folder), "--out", str(tmp_path / "simulation")]
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 2
    assert "use --source nearest" in run.stderr
    assert CliRunner().invoke(app, [*words, "--seeds", "0"]).exit_code == 2
