"""What is asked of every data set: splits as its `inputs` and `targets` say, the same every time, and a trial on it."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, SplitName
from groupdir.registry import TABLES
from groupdir.training.trainer import make_dataset, run_trial
from tests.groupdir.data.conftest import write_stsb

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
SMALL = {"train": 60, "val_per_label": 1, "test_per_label": 1}
ENCODERS = {"image": {"name": "convnet", "widths": [4]}, "token_pair": {"name": "bilstm", "width": 3}}


def ages(root: Path, manifest: str, file: str) -> dict[str, Any]:
    """Write 40 pictures of ages 20, 35 and 61 and their list."""
    lines = ["age,path,split"]
    for number in range(40):
        age, split = (20, 35, 61)[number % 3], ("train", "train", "val", "test")[number // 10]
        path = file.format(number=number, age=age)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + number, 24), (2 * age, number, 0)).save(root / path)
        lines.append(f"{age},{path},{split}")
    (root / manifest).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"root": str(root), "size": 32}


def images(root: Path) -> dict[str, Any]:
    section = ages(root, "mine.csv", "{number}.png")
    return {**section, "manifest": "mine.csv", "path": "path", "target": "age", "split": "split"}


def table(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{3 * x + 1:.3f},{('train', 'train', 'val', 'test')[k % 4]}" for k, x in enumerate(rng.random(80))]
    (root / "t.csv").write_text("\n".join(["size,target,split", *rows]) + "\n", encoding="utf-8")
    return {"root": str(root), "manifest": "t.csv"}


MADE: dict[str, Callable[[Path], dict[str, Any]]] = {
    "digits": lambda root: SMALL,
    "faces": lambda root: SMALL,
    "stsb": lambda root: {"root": str(write_stsb(root))},
    "agedb": lambda root: ages(root, "agedb.csv", "AgeDB/{number}_Name_{age}_m.jpg"),
    "imdb_wiki": lambda root: ages(root, "imdb_wiki.csv", "imdb_crop/01/nm{number}_1968-2005.jpg"),
    "images": images,
    "table": table,
}
OWN = ("table", "images")  # their labels have the digits of the user's file

every_data_set = pytest.mark.parametrize("name", TABLES["data"])


def config(name: str, root: Path) -> TrialConfig:
    """Return a trial of one epoch on a data set whose files are written into a folder."""
    section = {"name": name, **MADE[name](root)}
    trial = {"data": section, "encoder": {"name": "mlp", "widths": [4]}, "method": {"name": "vanilla"}}
    whole = TrialConfig.from_dict({**trial, "train": {"epochs": 1, "batch_size": 16, "device": "cpu"}})
    return whole.replaced({"encoder": ENCODERS.get(make_dataset(whole).inputs.kind, trial["encoder"])})


def test_every_data_set_is_written() -> None:
    assert set(MADE) == set(TABLES["data"])


@every_data_set
def test_splits_are_what_it_says(name: str, tmp_path: Path) -> None:
    dataset: Dataset = make_dataset(config(name, tmp_path))
    inputs, targets = dataset.inputs, dataset.targets
    assert dataset.config.kind == inputs.kind, "the checks before a search rely on it"
    assert targets.low < targets.high
    assert targets.bin_width > 0
    assert targets.scale > 0
    for split in SPLITS:
        data = dataset.split(split)
        assert len(data) > 0
        assert data.y.dtype == (np.float64 if name in OWN else np.float32)
        assert np.isfinite(data.y).all()
        assert np.array_equal(dataset.labels(split), data.y)
        assert all(len(array) == len(data) for array in data.inputs)
        shown = dataset.present(tuple(torch.from_numpy(np.array(array)) for array in data.inputs), inputs)
        assert tuple(shown[0].shape[1:]) == inputs.shape
    assert set(np.unique(dataset.shots.of(dataset.split("test").y))) <= {-1, 0, 1, 2}


@every_data_set
def test_it_is_the_same_every_time_and_after_a_pickle(name: str, tmp_path: Path) -> None:
    trial = config(name, tmp_path)
    first, second = make_dataset(trial), make_dataset(trial)
    for dataset in (second, pickle.loads(pickle.dumps(copy.copy(first)))):  # noqa: S301 - our own
        for split in SPLITS:
            assert np.array_equal(dataset.split(split).y, first.split(split).y)
            pairs = zip(dataset.split(split).inputs, first.split(split).inputs, strict=True)
            assert all(np.array_equal(ours, theirs) for ours, theirs in pairs)


@every_data_set
def test_a_trial_trains_on_it(name: str, tmp_path: Path) -> None:
    trial = config(name, tmp_path)
    (result,) = run_trial(trial)
    error = make_dataset(trial).targets.error
    assert np.isfinite(result.metrics["train_loss"])
    assert np.isfinite(result.metrics[f"val_{error}_all"])
