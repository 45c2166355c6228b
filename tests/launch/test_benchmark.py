"""A table from its YAML to its printed rows: chosen on validation, confirmed on the test set, and gone on with."""

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from groupdir.command_line.program import INTERRUPTED
from groupdir.config.benchmark import Row
from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError
from groupdir.files.benchmark_record import record_of_folder
from groupdir.files.study_files import Role
from groupdir.seeds import SEARCH
from groupdir.study.events import Kind
from groupdir.study.read import read_study
from launch.benchmark import choose, early_end, plan_benchmark, run_benchmark
from launch.study.new_trial import record_trial
from launch.study.study import Study
from tests.epoch_report import report

TRIAL = {"data": {"name": "tests.toy.parts:Waves"}, "encoder": {"name": "mlp"}, "method": {"name": "vanilla"}}
GRID = """\
name: grid
benchmark: {shape: group_losses, seeds: 2}
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method: {name: group_dir, recipe: joint}
train: {epochs: 2, batch_size: 32}
grid: {method.groups: [2, 5], method.group_loss: [soft]}
"""
TABLE = """\
name: small
benchmark: {shape: table1, seeds: 2}
data: {name: digits, train: 200, val_per_label: 1, test_per_label: 1, many: 2, few: 1}
encoder: {name: convnet, widths: [8, 8]}
optim: {lr: {log_uniform: [0.001, 0.01]}}
train: {epochs: 3, batch_size: 64}
search: {trials: 2, objectives: {val_mae_all: min}, scheduler: {name: none}, resources: {cpu: 0.5, gpu: 0}}
rows: {VANILLA: vanilla.yaml, LDS+FDS: lds_fds.yaml}
"""


def study_of(folder: Path, values: list[tuple[Role, Kind, float]], metric: str = "val_mae_all", **options: Any) -> Path:
    """Return a study's folder with trials of (role, end, metric); the learning rate says which trial it was."""
    search = {"objectives": [metric], "scheduler": {"name": "none", "metric": metric}, "trials": 9, **options}
    space = {**TRIAL, "name": "row", "optim": {"lr": {"uniform": [0.05, 0.95]}}, "search": search}
    study = Study.create(folder, StudyConfig.from_dict(space))
    for number, (role, end, value) in enumerate(values):
        params = {"optim.lr": 0.1 * (number + 1)}
        config = study.config.space.build(params).with_seed(number)
        record_trial(study, config, params, role, "", metric)
        payload = {**report(1), "last": True, "metrics": {metric: value}}
        study.append("epoch", trial=number, seed=number, epoch=1, payload=payload)
        study.append(end, trial=number, payload={"message": "loss is nan"})
    study.close()
    return folder


def test_the_lowest_finished_trial_of_the_search_is_chosen_and_written_down(tmp_path: Path) -> None:
    nan = float("nan")
    values: list[tuple[Role, Kind, float]] = [("search", "finished", 5.0), ("search", "finished", 4.0)]
    values += [("search", "stopped", 1.0), ("ablation", "finished", 2.0), ("search", "finished", nan)]
    folder = study_of(tmp_path / "row", values)
    assert choose(folder, "val_mae_all").optim.lr == pytest.approx(0.2)
    assert TrialConfig.load(folder / "chosen.yaml").optim.lr == pytest.approx(0.2)
    first = (folder / "chosen.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# trial 1 of 2 configurations: the lowest val_mae_all by its estimate, 4.00, one seed"


def test_further_trainings_can_change_the_choice(tmp_path: Path) -> None:
    """The lucky trial 1 has two confirmations that say otherwise."""
    values: list[tuple[Role, Kind, float]] = [("search", "finished", value) for value in (3.0, 2.5, 3.2, 3.1)]
    folder = study_of(tmp_path / "row", values)
    assert choose(folder, "val_mae_all").optim.lr == pytest.approx(0.2)
    study = Study.open(folder)
    config = TrialConfig.from_dict(study.state.trials[1].config, "trial 1")
    for seed in (100, 101):
        number = record_trial(study, config.with_seed(seed), {"optim.lr": 0.2}, "confirmation", "", "val_mae_all")
        payload = {**report(1), "last": True, "metrics": {"val_mae_all": 4.0}}
        study.append("epoch", trial=number, seed=seed, epoch=1, payload=payload)
        study.append("finished", trial=number)
    study.close()
    assert choose(folder, "val_mae_all").optim.lr == pytest.approx(0.1)


def test_the_highest_correlation_is_chosen(tmp_path: Path) -> None:
    values: list[tuple[Role, Kind, float]] = [("search", "finished", 0.2), ("search", "finished", 0.7)]
    folder = study_of(tmp_path / "row", values, "val_pearson_all")
    assert choose(folder, "val_pearson_all").optim.lr == pytest.approx(0.2)
    first = (folder / "chosen.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# trial 1 of 2 configurations: the highest val_pearson_all by its estimate, 0.700, one seed"


def test_without_a_finished_trial_nothing_is_chosen(tmp_path: Path) -> None:
    folder = study_of(tmp_path / "row", [("search", "failed", 5.0)])
    with pytest.raises(DataError, match="no finished trial has a val_mae_all"):
        choose(folder, "val_mae_all")


def test_constraints_that_no_trial_satisfies_are_named(tmp_path: Path) -> None:
    constraints = {"val_mae_all": "<= 4"}
    folder = study_of(tmp_path / "row", [("search", "finished", 5.0)], constraints=constraints)
    with pytest.raises(DataError, match=r"no finished trial satisfies search\.constraints and has a val_mae_all"):
        choose(folder, "val_mae_all")


def test_a_choice_before_the_end_of_the_search_says_so(tmp_path: Path) -> None:
    """One trial of nine has finished when search.max_hours is reached; of three trials, all have ended."""
    folder = study_of(tmp_path / "row", [("search", "finished", 5.0)])
    choose(folder, "val_mae_all")
    text = "chosen before the end of the search, because search.max_hours was reached: 9 trials: 1 finished, 8 waiting"
    assert (folder / "chosen.yaml").read_text(encoding="utf-8").splitlines()[1] == f"# {text}"
    assert early_end(read_study(folder)) == text
    whole = study_of(tmp_path / "whole", [("search", "finished", value) for value in (5.0, 4.0, 3.0)], trials=3)
    choose(whole, "val_mae_all")
    assert "before the end" not in (whole / "chosen.yaml").read_text(encoding="utf-8")


def test_an_interrupted_row_is_continued_by_the_whole_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    """The command has the file, the folder and the options, each as one word of a shell."""
    text = (root / "search_spaces/baselines/vanilla.yaml").read_text(encoding="utf-8")
    (tmp_path / "vanilla.yaml").write_text(text, encoding="utf-8")
    file, out = tmp_path / "my table.yaml", tmp_path / "my results"
    file.write_text(TABLE.replace(", LDS+FDS: lds_fds.yaml", ""), encoding="utf-8")
    commands: list[str | None] = []

    def search(*arguments: object, again: str | None = None) -> int:
        commands.append(again or str(arguments[-1]))
        return INTERRUPTED

    monkeypatch.setattr("launch.search.search", search)
    assert run_benchmark(file, ["search.trials=3"], out=out, only=["VANILLA"], jobs=1, quiet=True) == INTERRUPTED
    words = ["groupdir", "benchmark", str(file), "--set", "search.trials=3", "--out", str(out), "--only", "VANILLA"]
    assert commands == [shlex.join([*words, "--jobs", "1", "--quiet"])]


@pytest.mark.slow
def test_a_grid_is_trained_and_gone_on_with_and_never_mixed(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(GRID, encoding="utf-8")
    out = tmp_path / "out"
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_benchmark(file, out=out, only=["groups=2,group_loss=soft"], jobs=1) == 0
        first = out / "confirmed/groups=2,group_loss=soft/group_dir/seed_1/result.json"
        before = first.stat().st_mtime_ns
        assert run_benchmark(file, out=out, jobs=1) == 0
    assert first.stat().st_mtime_ns == before
    assert len(list(out.glob("confirmed/*/group_dir/seed_*/result.json"))) == 4


def parent_of(pid: int) -> int:
    """Return the parent of a process, or 0 if the process has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["benchmark", "train"])
def test_a_signal_ends_the_measurement_of_a_job_in_the_background(
    tmp_path: Path, verb: str, number: signal.Signals
) -> None:
    """A shell starts such a job with SIGINT ignored. Its trainings would otherwise take hours, or outlive it."""
    file, out = tmp_path / "a.yaml", tmp_path / "out"
    text = GRID.replace("epochs: 2", "epochs: 100000")
    if verb == "train":
        text = "\n".join(line for line in text.splitlines() if not line.startswith(("name", "benchmark", "grid")))
    file.write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "groupdir", verb, str(file), "--out", str(out), "--jobs", "2"]
    words += ["--seeds", "2"] if verb == "train" else []
    script = f"{shlex.join(words)} & echo $!; wait $!; echo $?"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        assert shell.stderr is not None
        pid = int(shell.stdout.readline())
        until = time.monotonic() + 200
        while len(list(out.rglob("checkpoint.pt"))) < 2 and shell.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        processes = [int(path.name) for path in Path("/proc").glob("[0-9]*") if parent_of(int(path.name)) == pid]
        os.kill(pid, number)
        printed, complained = shell.stdout.read(), shell.stderr.read()
        shell.wait(60)
    assert printed.splitlines()[-1] == "130", complained
    assert "stopping: the trainings continue from their last checkpoints" in complained
    again = f"groupdir {verb} {file}"
    assert f"interrupted: 0 of 2 trainings have finished, continue with `{again}" in complained
    assert "Traceback" not in complained
    assert len(processes) >= 2
    until = time.monotonic() + 10
    while any(map(parent_of, processes)) and time.monotonic() < until:
        time.sleep(0.05)  # Python's own tracker of resources ends when it notices
    assert not any(map(parent_of, processes))


@pytest.mark.slow
def test_blocks_are_finished_one_after_the_other_and_more_blocks_may_follow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "grid.yaml", tmp_path / "out"
    for replications in (2, 3):
        options = f"seeds: 1, replications: {replications}"
        file.write_text(GRID.replace("seeds: 2", options), encoding="utf-8")
        assert run_benchmark(file, out=out, jobs=1) == 0
    shown = capsys.readouterr().out
    heads = [line for line in shown.splitlines() if line.startswith("[")]
    assert heads[:4] == [
        "[1/4] groups=2,group_loss=soft, block 1 of 2",
        "[2/4] groups=5,group_loss=soft, block 1 of 2",
        "[3/4] groups=2,group_loss=soft, block 2 of 2",
        "[4/4] groups=5,group_loss=soft, block 2 of 2",
    ]
    assert shown.count("finished before") == 4, "the second call trains the third block only"
    record = record_of_folder(out)
    assert [(each.block, each.seed) for each in record.measured] == [(1, 0), (2, 1), (3, 2)] * 2


def test_other_rows_and_other_folders_are_refused(tmp_path: Path) -> None:
    file, out = tmp_path / "grid.yaml", tmp_path / "out"
    file.write_text(GRID, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"--only groups=2,group_loss=sot: unknown row: did you mean"):
        run_benchmark(file, out=out, only=["groups=2,group_loss=sot"])
    assert not out.exists()
    out.mkdir()
    with pytest.raises(ConfigError, match="exists and is no benchmark"):
        run_benchmark(file, out=out)
    (out / "benchmark.yaml").write_text("name: another\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"holds another benchmark\.yaml, and nothing is overwritten"):
        run_benchmark(file, out=out)


def test_the_plan_has_the_budget_of_all_blocks(tmp_path: Path, root: Path) -> None:
    for name in ("vanilla", "lds_fds"):
        text = (root / f"search_spaces/baselines/{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    file = tmp_path / "small.yaml"
    file.write_text(TABLE.replace("seeds: 2", "seeds: 2, replications: 4"), encoding="utf-8")
    text = plan_benchmark(file, (), tmp_path / "out", None, 0.2)
    assert (
        "2 rows in 4 blocks, which differ in search.seed, seed, data.seed; in each block each row is measured" in text
    )
    assert "budget: 16 trials with at most 48 epochs in the searches, then 16 trainings that are measured" in text
    assert "noise between blocks: unknown" in text
    file.write_text(GRID.replace("seeds: 2", "seeds: 2, replications: 4"), encoding="utf-8")
    text = plan_benchmark(file, (), tmp_path / "out", None, None)
    assert "2 rows in 4 blocks, which differ in seed;" in text
    assert "budget: 16 trainings that are measured" in text
    assert not (tmp_path / "out").exists()


def test_a_row_that_finishes_nothing_does_not_hold_up_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row's data cannot be read by any trial; the second one's is never asked for."""
    file = tmp_path / "grid.yaml"
    file.write_text(GRID, encoding="utf-8")
    asked: list[str] = []

    def run_row(row: Row, *about: object) -> int:
        asked.append(row.label)
        if len(asked) == 1:
            choose(study_of(tmp_path / "empty", [("search", "failed", 5.0)]), "val_mae_all")
        return 0

    monkeypatch.setattr("launch.benchmark._run_row", run_row)
    assert run_benchmark(file, out=tmp_path / "out") == 1
    assert len(asked) == 2
    assert f"{asked[0]}: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_row_that_fails_does_not_hold_up_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "grid.yaml"
    text = GRID.replace(
        "grid: {method.groups: [2, 5], method.group_loss: [soft]}", "grid: {data.broken: [true, false]}"
    )
    text = text.replace("seeds: 2", "seeds: 1")
    file.write_text(text, encoding="utf-8")
    assert run_benchmark(file, out=tmp_path / "out", jobs=1) == 1
    assert "1 of 2 rows failed, see above: broken=True" in capsys.readouterr().err
    assert len(list((tmp_path / "out").glob("confirmed/broken=False/group_dir/seed_*/result.json"))) == 1


@pytest.mark.long
@pytest.mark.timeout(420)
def test_from_the_yaml_to_the_printed_table(tmp_path: Path, root: Path) -> None:
    for name in ("vanilla", "lds_fds"):
        text = (root / f"search_spaces/baselines/{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    file, out = tmp_path / "small.yaml", tmp_path / "results"
    file.write_text(TABLE, encoding="utf-8")
    for verb in ("benchmark", "search"):  # the second call finds everything done, whichever verb is used
        command = [sys.executable, "-m", "launch", verb, str(file), "--out", str(out)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert f"groupdir benchmark-table {out}" in done.stdout
    for row in ("VANILLA", "LDS+FDS"):
        config = TrialConfig.load(out / row / "chosen.yaml")
        assert config.method.name == "vanilla"
        assert config.seed in SEARCH
        measured = {path.name for path in (out / "confirmed" / row / "vanilla").glob("seed_*")}
        assert measured == {"seed_0", "seed_1"}, "the search has used neither"
    command = [sys.executable, "-m", "analysis", "benchmark-table", str(out), "--format", "markdown"]
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    rows = [line for line in shown.stdout.splitlines() if line.startswith(("| VANILLA", "| LDS+FDS"))]
    assert [line.count("±") for line in rows] == [8, 8]
