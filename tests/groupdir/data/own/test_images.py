"""Pictures of one's own: a small tree of JPEGs and its manifest."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from groupdir.commands.predict import evaluate_checkpoint, predict_file
from groupdir.config.datasets import ImagesConfig
from groupdir.config.trial import TrialConfig, digest
from groupdir.data.base import SplitName
from groupdir.data.own.images import Images
from groupdir.errors import ConfigError, DataError
from groupdir.metrics import SHOTS
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint
from groupdir.training.trainer import Trainer, run_trial

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
AGES = [20] * 12 + [35] * 9 + [61] * 3


def images(root: Path, **options: Any) -> Images:
    return Images(ImagesConfig(name="images", root=str(root), **{"size": 32} | options))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """24 pictures, the older the lighter, in two folders, with names in several scripts; faces.csv without a split."""
    lines = ["age,photo"]
    for k, age in enumerate(AGES):
        name = f"{'Ä' if k % 2 else 'имя'}/{k} ñ {age}.jpg"
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (20 + k, 24), (2 * age, age, 0)).save(tmp_path / name)
        lines.append(f"{age},{name}")
    (tmp_path / "faces.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


COLUMNS: Mapping[str, Any] = {"manifest": "faces.csv", "target": "age", "path": "photo", "unit": "years"}


def test_a_manifest_without_a_split(tree: Path) -> None:
    data = images(tree, **COLUMNS)
    assert (tree / "faces.split.csv").exists()
    for split in SPLITS:
        y, counts = np.unique(data.labels(split), return_counts=True)
        assert (y.tolist(), counts.tolist()) == ([20, 35, 61], [4, 3, 1])
    rows = data.rows("train")
    assert all(file.is_file() for file in rows.files)
    lines = (tree / "faces.csv").read_text(encoding="utf-8").split("\n")
    for file, y, number in zip(rows.files, rows.y, rows.numbers, strict=True):
        assert lines[number - 1] == f"{y:g},{file.relative_to(tree)}"
    assert (data.targets.low, data.targets.high, data.targets.bin_width) == (20, 62, 1)
    assert data.shots.of([20, 61]).tolist() == [SHOTS.index("many"), SHOTS.index("few")]
    assert not data._splits  # nothing was decoded
    assert len(pickle.loads(pickle.dumps(data)).split("val")) == 8  # noqa: S301 - made here


def test_a_manifest_with_a_split_in_parquet(tree: Path) -> None:
    lines = (tree / "faces.csv").read_text(encoding="utf-8").split("\n")[1:]
    ages, files = zip(*(line.split(",", 1) for line in lines), strict=True)
    columns = {"target": [float(age) for age in ages], "path": files, "split": ["train", "dev", "test"] * 8}
    (tree / "lists").mkdir()
    pq.write_table(pa.table(columns), tree / "lists/faces.parquet")
    data = images(tree, manifest="lists/faces.parquet")
    assert [len(data.labels(split)) for split in SPLITS] == [8, 8, 8]
    assert data.rows("val").numbers == tuple(range(1, 24, 3))
    assert not list(tree.rglob("*.split.csv"))


def test_a_trial_from_end_to_end(tree: Path) -> None:
    config = {
        "data": {"name": "images", "root": str(tree), "size": 32, **COLUMNS},
        "encoder": {"name": "convnet", "widths": [4, 8]},
        "method": {"name": "vanilla"},
        "train": {"epochs": 1, "batch_size": 4},
    }
    (epoch,) = run_trial(TrialConfig.from_dict(config))
    assert np.isfinite(epoch.metrics["val_mae_all"])


def test_a_changed_manifest_needs_a_new_split(tree: Path) -> None:
    images(tree, **COLUMNS)
    with (tree / "faces.csv").open("a", encoding="utf-8") as file:
        file.write("\n20,new.jpg")
    with pytest.raises(DataError, match=r"faces\.split\.csv: must have the rows of the manifest.*such as new\.jpg"):
        images(tree, **COLUMNS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"manifest": "no.csv"}, "no.csv: cannot be read: No such file or directory"),
        ({"manifest": "имя/0 ñ 20.jpg"}, "must be text in UTF-8"),
        ({"target": "ages"}, "has no column 'ages': did you mean 'age'?"),
        ({"path": "age"}, "age '20' is listed in line 2 already"),
        ({"split": "fold"}, "has no column 'fold'"),
        ({"bin_width": 1e-9, "split_seed": 1, "target": "photo"}, "photo must be a finite number"),
    ],
)
def test_what_is_wrong_is_one_error(options: dict[str, Any], says: str, tree: Path) -> None:
    with pytest.raises(DataError) as error:
        images(tree, **{**COLUMNS, **options})
    assert says in str(error.value)


def test_unknown_options_are_mistakes_of_the_yaml() -> None:
    section = {"name": "images", "root": "x", "bin_widht": 1, "error": "rmse"}
    trial = {"data": section, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
    with pytest.raises(ConfigError) as error:
        TrialConfig.from_dict(trial)
    assert "unknown key: did you mean 'bin_width'?" in str(error.value)
    assert "data.error: unknown metric 'rmse': did you mean 'mse'? Known: bmae, gm, mae, mse, pearson" in str(
        error.value
    )


def half_light(path: Path, age: int, orientation: int | None = None) -> None:
    """Write a picture that is light at the top; with orientation 6 it lies on its side as a phone stores it."""
    picture = Image.fromarray(np.repeat([[200], [2 * age]], [12, 12], axis=0).astype(np.uint8)).resize((24, 24))
    if orientation is None:
        picture.save(path)
        return
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """Two trees of the same pictures: `up` upright, `phone` on their side with the EXIF orientation 6."""
    for name, orientation in (("up", None), ("phone", 6)):
        (tmp_path / name).mkdir()
        lines = ["path,target,split"]
        for number in range(12):
            half_light(tmp_path / name / f"{number:02}.png", 5 * number, orientation)
            lines.append(f"{number:02}.png,{5 * number},{('train', 'train', 'val', 'test')[number % 4]}")
        (tmp_path / name / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_pictures_are_turned_upright_in_training(phone: Path) -> None:
    upright, turned = images(phone / "up"), images(phone / "phone")
    for split in SPLITS:
        assert np.array_equal(turned.split(split).inputs[0], upright.split(split).inputs[0])
    assert (turned.inputs.orient, turned.inputs.background) == (True, "white")


def test_the_shape_of_an_icon_is_seen_in_training_and_in_a_prediction(tmp_path: Path) -> None:
    """All pixels are black: without a background the pictures would be equal."""
    lines = ["path,target,split"]
    for number in range(12):
        icon = Image.new("RGBA", (24, 24))
        icon.paste((0, 0, 0, 255), (0, 0, 24, 2 * number))
        icon.save(tmp_path / f"{number:02}.png")
        lines.append(f"{number:02}.png,{number},{('train', 'train', 'val', 'test')[number % 4]}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    data = images(tmp_path)
    (train,) = data.split("train").inputs
    assert len({picture.tobytes() for picture in train}) == len(train) == 6
    (tmp_path / "manifest.csv").rename(tmp_path.parent / "manifest.csv")
    (read,), names = Images.read_inputs(tmp_path, data.inputs)
    assert np.array_equal(read[[int(name[:2]) % 4 < 2 for name in names]], train)
    (tmp_path.parent / "manifest.csv").rename(tmp_path / "manifest.csv")
    with pytest.warns(UserWarning, match="12 of 12 pictures have transparent pixels, whose hidden colours are used"):
        (black,) = images(tmp_path, background=None).split("train").inputs
    assert not black.any()


def test_orientation_can_be_ignored_and_is_counted(phone: Path) -> None:
    data = images(phone / "phone", orient=False)
    with pytest.warns(UserWarning, match=r"csv: 12 of 12 pictures have an EXIF orientation, which is ignored"):
        data.split("val")
    assert not np.array_equal(data.split("val").inputs[0], images(phone / "up").split("val").inputs[0])
    turned = images(phone / "phone")  # another cache in the same folder
    assert np.array_equal(turned.split("val").inputs[0], images(phone / "up").split("val").inputs[0])


@pytest.mark.parametrize("orient", [True, False])
def test_a_prediction_turns_pictures_as_training_did(orient: bool, phone: Path) -> None:
    config = TrialConfig.from_dict(
        {
            "data": {"name": "images", "root": str(phone / "phone"), "size": 32, "orient": orient},
            "encoder": {"name": "convnet", "widths": [4]},
            "method": {"name": "vanilla"},
            "train": {"epochs": 1, "batch_size": 4},
        }
    )
    trainer = Trainer(config)
    list(trainer.epochs())
    trainer.save(phone / "c.pt")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        predicted = {row["input"]: row["prediction"] for row in predict_file(phone / "c.pt", phone / "phone")}
        upright = {row["input"]: row["prediction"] for row in predict_file(phone / "c.pt", phone / "up")}
    assert len(predicted) == len(upright) == 12
    assert (predicted == upright) is orient
    ignored = [str(item.message) for item in told if "EXIF orientation, which is ignored" in str(item.message)]
    assert len(ignored) == (0 if orient else 1)
    assert [item for item in told if "1 of 13 entries are left out" in str(item.message)], "manifest.csv is counted"
    rows = images(phone / "phone", orient=orient).rows("val")
    error = np.mean([abs(predicted[file.name] - y) for file, y in zip(rows.files, rows.y, strict=True)])
    assert error == pytest.approx(trainer.evaluate("val")["val_mae_all"], rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*have an EXIF orientation, which is ignored")
def test_an_old_checkpoint_is_measured_on_pictures_as_it_was_trained(phone: Path) -> None:
    """Checkpoints of before have neither the options nor the fields of the inputs."""
    section = {"name": "images", "root": str(phone / "phone"), "size": 32, "orient": False, "background": None}
    trial = {"data": section, "encoder": {"name": "convnet", "widths": [4]}, "method": {"name": "vanilla"}}
    trainer = Trainer(TrialConfig.from_dict({**trial, "train": {"epochs": 1, "batch_size": 4}}))
    list(trainer.epochs())
    trainer.save(phone / "new.pt")
    expected = evaluate_checkpoint(phone / "new.pt", "val").metrics
    content = load_checkpoint(phone / "new.pt")
    for name in ("orient", "background"):
        del content["inputs"][name], content["config"]["data"][name]
    save_checkpoint(phone / "old.pt", content | {"digest": digest(content["config"])})
    assert evaluate_checkpoint(phone / "old.pt", "val").metrics == expected
