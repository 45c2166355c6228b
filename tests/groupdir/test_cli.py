"""The command line: train, evaluate, predict, check, list; and one clear message with exit code 2 for every mistake."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import groupdir, in_new_process

TRIAL = """\
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method: {name: group_dir, groups: 5, recipe: joint}
optim: {lr: 0.01}
train: {epochs: 6, batch_size: 32}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with trial.yaml and what `groupdir train --seeds 2 --beside vanilla` made of it, in trial/."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "trial.yaml").write_text(TRIAL, encoding="utf-8")
    done = in_new_process("train", folder / "trial.yaml", "--seeds", "2", "--beside", "vanilla")
    assert done.returncode == 0, done.stderr
    assert "mean and standard deviation over 2 seeds" in done.stdout
    assert "vanilla (untuned)" in done.stdout
    assert "test split of tests.toy.parts:Waves: read by 2 configurations, first on " in done.stdout
    compare, predict = done.stdout.splitlines()[-2:]
    assert compare == f"next: groupdir compare {folder / 'trial'}"
    assert predict.startswith(f"then: groupdir predict {folder / 'trial'}/group_dir/seed_0/")
    assert "group_dir" in done.stdout.splitlines()[-3], "the verdict"
    return folder


def test_train_leaves_every_seed(trained: Path) -> None:
    with (trained / "trial/test.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("group_dir", "0"),
        ("group_dir", "1"),
        ("vanilla", "0"),
        ("vanilla", "1"),
    ]
    assert all(float(row["test_mae_all"]) < 2.9 for row in rows)  # the mean predictor's
    assert rows[2]["test_oracle_mae_all"] == ""
    assert list((trained / "trial/group_dir/seed_0/tensorboard").glob("events*"))


def test_train_does_not_overwrite_but_resumes(trained: Path) -> None:
    done = groupdir("train", trained / "trial.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the folder exists already: choose another folder with --out, or continue with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    before = (trained / "trial/test.csv").read_text(encoding="utf-8")
    result = trained / "trial/vanilla/seed_1/result.json"
    result.unlink()  # as if the process had been killed before it was written
    done = groupdir("train", trained / "trial.yaml", "--seeds", "2", "--beside", "vanilla", "--resume")
    assert done.returncode == 0, done.stderr
    assert (trained / "trial/test.csv").read_text(encoding="utf-8") == before
    done = groupdir("train", trained / "trial.yaml", "--resume", "--set", "optim.lr=0.02")
    assert done.returncode == 2
    assert "the result is from another configuration" in done.stderr


def test_evaluate_gives_the_same_numbers(trained: Path) -> None:
    with (trained / "trial/test.csv").open(encoding="utf-8") as file:
        expected = float(next(csv.DictReader(file))["test_mae_few"])
    checkpoint = trained / "trial/group_dir/seed_0/checkpoint.pt"
    done = groupdir("evaluate", checkpoint)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    found = dict(line.split() for line in lines if line.startswith("test_"))
    readers = "test split of tests.toy.parts:Waves: read by 2 configurations (1 of them not in this table)"
    assert lines[-1].startswith(readers)
    assert float(found["test_mae_few"]) == pytest.approx(expected, abs=1e-4)
    assert "test split" not in groupdir("evaluate", checkpoint, "--split", "val").stdout
    assert groupdir("evaluate", checkpoint, "--split", "train").returncode == 2


def test_predict_writes_prediction_group_and_expert(trained: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.random.default_rng(0).normal(size=(5, 8)))
    words = (
        "predict",
        trained / "trial/group_dir/seed_0/checkpoint.pt",
        tmp_path / "new.npy",
        "--out",
        tmp_path / "out.csv",
    )
    assert groupdir(*words).returncode == 0
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["input", "prediction", "group", "expert"]
    assert all(row["prediction"] == row["expert"] for row in rows)
    assert {int(row["group"]) for row in rows} <= set(range(5))
    again = groupdir(*words)
    assert again.returncode == 2
    assert "the file exists already: choose another file with --out" in again.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "none.yaml"], "none.yaml: cannot be read"),
        (["train", "search_spaces/digits.yaml"], "this is a search space, not a trial"),
        (["evaluate", "README.md"], "is not a groupdir checkpoint"),
        (["check", "pyproject.toml"], "is not valid YAML"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(words: list[str], says: str) -> None:
    done = groupdir(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_list_and_check() -> None:
    done = groupdir("list")
    assert done.returncode == 0, done.stderr
    for name in ("vanilla", "group_dir", "digits", "faces", "stsb", "convnet", "mlp", "bilstm"):
        assert f"  {name} " in done.stdout
    done = groupdir("check", "search_spaces/digits.yaml")
    assert "parameters (8):" in done.stdout
    assert "method.temperature|cosine" in done.stdout


def test_a_mistake_in_a_process_of_its_own() -> None:
    done = in_new_process("check", "pyproject.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not valid YAML" in done.stderr
    assert "Traceback" not in done.stderr
