"""Trees of some hundred photographs in each layout, a few broken and a few of odd names: from the list to a trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from groupdir.config.datasets import Augmentation
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError
from groupdir.training.trainer import Trainer, make_dataset, run_trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRAIN, VAL, TEST = 200, 40, 40
NAMES = ("Anna", "StéphaneAudran", "Пётр", "王菲", "Bjørk Guð")


def photograph(path: Path, age: int, rng: np.random.Generator) -> None:
    """About as large as those of the data sets, brighter for higher ages."""
    height, width = rng.integers(180, 520, 2)
    coarse = rng.integers(0, 90, (9, 9, 3)) + int(1.5 * min(age, 100))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize((int(width), int(height)))
    picture.save(path, "JPEG", quality=88)


def agedb(root: Path, rng: np.random.Generator) -> dict[str, Any]:
    lines = ["age,path,split"]
    for number, (age, split) in enumerate(people(rng)):
        file = f"AgeDB/{number}_{NAMES[number % 5]}_{age}_{'mf'[number % 2]}.jpg"
        photograph(root / file, age, rng)
        lines.append(f"{age},{file},{split}")
    (root / "agedb.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"name": "agedb"}


def imdb_wiki(root: Path, rng: np.random.Generator) -> dict[str, Any]:
    lines = ["age,path,split"]
    for number, (age, split) in enumerate(people(rng)):
        age = 150 if number == 7 else age
        file = f"{('imdb', 'wiki')[number % 2]}_crop/{number % 7:02d}/nm{number}_{NAMES[number % 5]}_1968-2005.jpg"
        photograph(root / file, age, rng)
        lines.append(f"{age},{file},{split}")
    (root / "imdb_wiki.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"name": "imdb_wiki"}


def images(root: Path, rng: np.random.Generator) -> dict[str, Any]:
    lines = ["photo,years,fold"]
    for number, (age, split) in enumerate(people(rng)):
        file = f"{NAMES[number % 5]}/{number}.jpg"
        photograph(root / file, age, rng)
        lines.append(f"{file},{age},{split}")
    (root / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"name": "images", "manifest": "mine.csv", "path": "photo", "target": "years", "split": "fold"}


def people(rng: np.random.Generator) -> list[tuple[int, str]]:
    """Ages with a mode and a tail in training, balanced elsewhere."""
    train = [(int(age), "train") for age in rng.normal(40, 14, TRAIN).clip(1, 99)]
    rest = [(int(age), "val" if k < VAL else "test") for k, age in enumerate(rng.integers(1, 100, VAL + TEST))]
    return train + rest


LAYOUTS = pytest.mark.parametrize("layout", [agedb, imdb_wiki, images])


@LAYOUTS
def test_from_the_list_to_a_trial(
    layout: Callable[[Path, np.random.Generator], dict[str, Any]], tmp_path: Path
) -> None:
    data = layout(tmp_path, np.random.default_rng(0)) | {"root": str(tmp_path), "size": 64}
    kinds: tuple[Augmentation, ...] = ("crop_flip", "crop_flip_color", "resized_crop_color")
    for kind in kinds:
        config = trial(data | {"augment": kind})
        rows = [epoch.metrics for epoch in run_trial(config)]
        assert len(rows) == 3
        assert all(np.isfinite(row["train_loss"]) for row in rows)
        assert np.isfinite(rows[-1]["val_mae_all"])
    dataset = make_dataset(config)
    assert [len(dataset.split(split)) for split in ("train", "val", "test")] == [TRAIN, VAL, TEST]
    assert dataset.split("train").inputs[0].shape == (TRAIN, 64, 64, 3)
    assert len(list(tmp_path.rglob("*.pictures"))) == 3, "decoded once a split, whatever the views"


@LAYOUTS
def test_broken_and_missing_pictures_are_named_at_once_or_skipped(
    layout: Callable[[Path, np.random.Generator], dict[str, Any]], tmp_path: Path
) -> None:
    data = layout(tmp_path, np.random.default_rng(1)) | {"root": str(tmp_path), "size": 64}
    files = make_dataset(trial(data)).rows("train").files  # type: ignore[attr-defined]
    files[3].write_bytes(files[3].read_bytes()[:200])
    files[50].write_bytes(b"<html>404</html>")
    files[101].write_bytes(b"")
    with pytest.raises(DataError) as error:
        Trainer(trial(data))
    text = str(error.value)
    assert "3 of 280 pictures cannot be used" in text
    assert all(f"row {place + 2} (train): {files[place]}" in text for place in (3, 50, 101))
    with pytest.warns(UserWarning, match="3 of 280 pictures cannot be used"):
        trainer = Trainer(trial(data | {"broken": "skip"}))
    assert len(trainer.training) == TRAIN - 3


def trial(data: dict[str, Any]) -> TrialConfig:
    """Both stages on a small encoder."""
    method = {"name": "group_dir", "groups": 5, "pretrain": {"epochs": 1}}
    encoder = {"name": "convnet", "widths": [8, 16]}
    train = {"epochs": 2, "batch_size": 50, "device": "cpu"}
    return TrialConfig.from_dict({"data": data, "encoder": encoder, "method": method, "train": train})
