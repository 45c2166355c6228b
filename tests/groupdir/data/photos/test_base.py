"""Photographs as a data set: splits, what is broken, what is pickled, what a prediction reads, and a whole trial."""

import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from groupdir.commands.predict import evaluate_checkpoint, predict_file
from groupdir.config.datasets import CACHE_VARIABLE, PhotosConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import SplitName
from groupdir.data.manifest import Rows
from groupdir.data.photos.augment import augmented
from groupdir.data.photos.base import NORMALIZE
from groupdir.data.photos.draws import DRAWS
from groupdir.errors import ConfigError, DataError, EmptySplitError
from groupdir.methods.base import Stage
from groupdir.training.trainer import Trainer, run_trial
from launch.search import size as shared_size
from tests.toy.photos import Lamps, write_lamps

SIZE = 32


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that no test changes, with a cache beside them."""
    return write_lamps(tmp_path_factory.mktemp("lamps"))


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(root, tmp_path / "own", ignore=shutil.ignore_patterns(".groupdir-cache")))


def photos(root: Path, **options: Any) -> Lamps:
    return Lamps(PhotosConfig(**{"name": "lamps", "root": str(root), "size": SIZE} | options))


def trial(root: Path, **changes: Any) -> TrialConfig:
    base = TrialConfig.from_dict(
        {
            "data": {"name": "tests.toy.photos:Lamps", "root": str(root), "size": SIZE},
            "encoder": {"name": "convnet", "widths": [8, 16]},
            "method": {"name": "vanilla"},
            "optim": {"lr": 0.01},
            "train": {"epochs": 2, "batch_size": 16},
        }
    )
    return base.replaced({name.replace("__", "."): value for name, value in changes.items()})


def rows(results: Any) -> list[str]:
    return [repr((result.epoch, result.stage, result.metrics, result.last)) for result in results]


TWO_VIEWS = {"name": "group_dir", "groups": 5, "recipe": "joint", "views": 2, "temperature": 2.0}


def test_splits_are_mapped_bytes_with_their_labels(root: Path) -> None:
    data = photos(root).prepare()
    for split, count in (("train", 60), ("val", 10)):
        found = data.split(split)  # type: ignore[arg-type]
        (pictures,) = found.inputs
        assert isinstance(pictures, np.memmap)
        assert pictures.shape == (count, SIZE, SIZE, 3)
        assert pictures.dtype == np.uint8
        assert found.y.tolist() == [number % 10 for number in range(count)]
    assert data.inputs.shape == (3, SIZE, SIZE)


def test_the_first_split_decodes_all_and_a_pickled_copy_only_its_own(own: Path) -> None:
    data = photos(own)
    data.split("val")
    assert len(list((own / ".groupdir-cache").glob("*.pictures"))) == 3
    content = pickle.dumps(data)
    shutil.rmtree(own / ".groupdir-cache")
    copy: Lamps = pickle.loads(content)  # noqa: S301 - our own bytes
    copy.split("val")
    assert len(list((own / ".groupdir-cache").glob("*.pictures"))) == 1, "a worker decodes what it trains on"


def test_the_cache_is_where_one_says(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert photos(own).cache_folder == own / ".groupdir-cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "disk"))
    assert photos(own).cache_folder == tmp_path / "disk"
    assert photos(own, cache=str(tmp_path / "other")).cache_folder == tmp_path / "other"
    photos(own).split("val")
    assert len(list((tmp_path / "disk").glob("*.pictures"))) == 3
    assert not (own / ".groupdir-cache").exists()


def test_a_relative_cache_becomes_absolute(root: Path) -> None:
    assert trial(root, data__cache="here").data.cache == str(Path("here").absolute())  # type: ignore[attr-defined]


def test_all_broken_pictures_are_refused_at_once(own: Path) -> None:
    data = photos(own)
    given = data.rows("train")
    for index in range(5, 30):
        given.files[index].write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        data.split("train")
    lines = str(error.value).splitlines()
    assert lines[0] == f"{own / 'rows.csv'}: 25 of 80 pictures cannot be used (train 25):"
    assert lines[1].startswith(f"  row 7 (train): {given.files[5]}: cannot be read as a picture: cannot identify")
    assert len(lines) == 1 + 20 + 2
    assert lines[-2:] == ["... and 5 more", "replace or remove these pictures, or set data.broken to skip"]


@pytest.mark.parametrize("first", ["train", "val", "test"])
def test_broken_pictures_of_every_split_are_reported_at_first_use(first: Any, own: Path) -> None:
    splits: tuple[SplitName, ...] = ("train", "val", "test")
    files = {split: photos(own).rows(split).files for split in splits}
    files["train"][3].write_bytes(b"")
    files["val"][0].unlink()
    for index in (1, 2, 7):
        files["test"][index].write_bytes(b"no picture")
    with pytest.raises(DataError) as error:
        photos(own).split(first)
    text = str(error.value)
    assert "5 of 80 pictures cannot be used (train 1, val 1, test 3):" in text
    assert [str(file) in text for file in (files["train"][3], files["val"][0], files["test"][7])] == [True] * 3
    data = photos(own, broken="skip")
    with pytest.warns(UserWarning, match=r"5 of 80 pictures .* \(train 1, val 1, test 3\)(.|\n)*are skipped") as told:
        data.split(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [len(data.split(split)) for split in splits] == [59, 9, 7], "reported once"
    assert len(told) == 1


def test_a_split_of_broken_pictures_alone_is_refused_at_first_use(own: Path) -> None:
    for file in photos(own).rows("test").files:
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"\(test 10\)(.|\n)*no other picture is in split test"):
        photos(own, broken="skip").split("train")


def test_mistakes_in_the_rows_of_all_splits_are_reported_together(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(split: SplitName) -> Rows:
        if split == "val":
            raise EmptySplitError("no val")
        raise DataError(f"{split} lacks pictures")

    data = photos(own)
    monkeypatch.setattr(data, "rows", refuse)
    with pytest.raises(DataError) as error:
        data._all_rows()
    assert str(error.value) == "train lacks pictures\ntest lacks pictures"


def test_broken_pictures_are_skipped_with_their_labels(own: Path) -> None:
    given = photos(own).rows("train")
    given.files[3].write_bytes(b"nothing")
    given.files[17].unlink()
    data = photos(own, broken="skip")
    with pytest.warns(UserWarning, match=r"2 of 80 pictures cannot be used") as told:
        found = data.split("train")
    assert len(told) == 1
    expected = np.delete(given.y, [3, 17])
    assert np.array_equal(found.y, expected)
    assert len(found.inputs[0]) == 58
    whole = photos(own.parent / "own", broken="skip").split("val")
    assert len(whole) == 10


def test_nothing_but_broken_pictures_and_no_row(own: Path) -> None:
    for file in photos(own).rows("val").files:
        file.unlink()
    with pytest.raises(DataError, match=r"10 of 80 pictures cannot be used \(val 10\)"):
        photos(own, broken="skip").split("val")
    (own / "rows.csv").write_text("file,y,split\n")
    with pytest.raises(DataError, match=r"rows\.csv: must have rows of split train, got none"):
        photos(own).split("train")


def test_a_pickled_data_set_is_small_and_maps_the_same_file(root: Path) -> None:
    data = photos(root).prepare()
    content = pickle.dumps(data)
    assert len(content) < 4000 < data.split("train").inputs[0].nbytes
    copy: Lamps = pickle.loads(content)  # noqa: S301 - our own bytes
    copy.rows = lambda split: pytest.fail("read again")  # type: ignore[assignment, return-value]
    for split in ("train", "val"):
        (a,), (b,) = copy.split(split).inputs, data.split(split).inputs  # type: ignore[arg-type]
        assert isinstance(a, np.memmap)
        assert Path(str(a.filename)) == Path(str(b.filename))
        assert np.array_equal(a, b)
        assert np.array_equal(copy.split(split).y, data.split(split).y)  # type: ignore[arg-type]
    assert data.split("train").inputs  # pickling left it as it was
    assert shared_size(data) == data.split("train").y.nbytes + data.split("val").y.nbytes


def test_a_machine_without_the_file_makes_it_anew(own: Path) -> None:
    data = photos(own).prepare()
    before = np.array(data.split("train").inputs[0])
    content = pickle.dumps(data)
    shutil.rmtree(own / ".groupdir-cache")
    copy: Lamps = pickle.loads(content)  # noqa: S301 - our own bytes
    assert np.array_equal(copy.split("train").inputs[0], before)


def test_the_encoder_is_given_standardised_floats(root: Path) -> None:
    for normalize, (mean, std) in NORMALIZE.items():
        data = photos(root, normalize=normalize)
        taken = torch.from_numpy(np.array(data.split("train").inputs[0][:5]))
        (found,) = data.present((taken,), data.inputs)
        expected = (taken.double().movedim(-1, 1) / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[
            :, None, None
        ]
        assert found.dtype == torch.float32
        assert found.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


def test_the_options_say_how_views_are_made(root: Path) -> None:
    (pictures,) = photos(root).split("train").inputs
    given = torch.from_numpy(np.array(pictures[:6]))
    draws = torch.rand(6, DRAWS, generator=torch.Generator().manual_seed(0))
    for kind in ("crop_flip", "crop_flip_color", "resized_crop_color"):
        expected = augmented(given, draws, kind, *NORMALIZE["half"])  # type: ignore[arg-type]
        assert torch.equal(photos(root, augment=kind).view((given,), draws, 1)[0], expected)
        assert torch.equal(photos(root, augment_views=kind).view((given,), draws, 2)[0], expected)
    plain = photos(root, augment="none")
    assert not plain.augment_one_view
    assert torch.equal(plain.view((given,), draws, 1)[0], plain.present((given,), plain.inputs)[0])
    one, two = (photos(root).augment((given,), torch.Generator().manual_seed(seed))[0] for seed in (0, 1))
    assert one.shape == (6, 3, SIZE, SIZE)
    assert not torch.equal(one, two)


@pytest.mark.parametrize("size", [7, 16, 60])
def test_a_view_belongs_to_the_sample_whatever_the_batch(root: Path, size: int) -> None:
    trainer = Trainer(trial(root, seed=4))
    stage = Stage("fit", 1, trainer.config.optim, views=2)
    draws = trainer.epoch_trainer.draws(stage, 0)
    assert draws is not None
    order = torch.randperm(60, generator=torch.Generator().manual_seed(size))
    parts = []
    for rows in order.split(size):
        batch = trainer.training.batch(rows, stage, trainer.dataset, torch.Generator(), draws)
        parts.append(torch.stack(batch.inputs[0].chunk(2), dim=1))
    views = torch.empty(60, 2, 3, SIZE, SIZE)
    views[order] = torch.cat(parts)
    whole = trainer.training.batch(torch.arange(60), stage, trainer.dataset, torch.Generator(), draws)
    assert torch.equal(views, torch.stack(whole.inputs[0].chunk(2), dim=1))
    assert (views[:, 0] != views[:, 1]).flatten(1).any(1).all()
    later = trainer.epoch_trainer.draws(stage, 1)
    assert later is not None
    assert not torch.equal(later, draws)


@pytest.mark.parametrize("method", [{"name": "vanilla", "smoothing": {"size": 3, "sigma": 1}}, TWO_VIEWS])
def test_twice_the_same_and_resumed_the_same(method: dict[str, Any], root: Path, tmp_path: Path) -> None:
    config = trial(root, method=method, train__epochs=3)
    whole = []
    for result in run_trial(config):
        whole += rows([result])
        if result.epoch == 1:
            result.save(tmp_path / "trial.pt")
    assert rows(run_trial(config)) == whole
    assert rows(run_trial(config, resume=tmp_path / "trial.pt")) == whole[1:]


def test_the_trainer_reads_the_map_and_copies_nothing(root: Path) -> None:
    trainer = Trainer(trial(root))
    (inputs,) = trainer.training.inputs
    (pictures,) = trainer.dataset.split("train").inputs
    assert inputs.dtype == torch.uint8
    assert inputs.data_ptr() == pictures.ctypes.data


def test_it_learns_and_a_checkpoint_predicts(root: Path, tmp_path: Path) -> None:
    plain = {"data__augment": "none", "train__keep": "last"}  # a crop that moves by 16 pixels hides where a lamp is
    config = trial(root, train__epochs=30, encoder__widths=[8, 16, 32, 32], **plain)
    trainer = Trainer(config)
    *_, result = trainer.epochs()
    found = trainer.evaluate("val")
    assert found["val_mae_all"] < 2.0  # the mean predictor's is 2.5
    result.save(tmp_path / "trial.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate_checkpoint(tmp_path / "trial.pt", "val").metrics["val_mae_all"] == found["val_mae_all"]
        predicted = list(predict_file(tmp_path / "trial.pt", root / "val"))
    files = photos(root).rows("val").files
    y = {file.name: label for file, label in zip(files, photos(root).rows("val").y, strict=True)}
    assert [row["input"] for row in predicted] == sorted(y)
    mae = np.mean([abs(row["prediction"] - y[row["input"]]) for row in predicted])
    assert mae == pytest.approx(found["val_mae_all"], rel=1e-4)
    one = list(predict_file(tmp_path / "trial.pt", files[3]))
    assert one[0]["prediction"] == pytest.approx(
        next(row["prediction"] for row in predicted if row["input"] == files[3].name), rel=1e-4
    )


def test_a_prediction_names_all_broken_pictures(tmp_path: Path, root: Path) -> None:
    spec = photos(root).inputs
    with pytest.raises(DataError, match="must hold pictures"):
        Lamps.read_inputs(tmp_path, spec)
    Image.new("RGB", (9, 9)).save(tmp_path / "good.png")
    for number in range(23):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        Lamps.read_inputs(tmp_path, spec)
    lines = str(error.value).splitlines()
    assert len(lines) == 22
    assert lines[-2:] == ["... and 3 more", "replace these pictures, or move them out of the folder"]
    with pytest.raises(DataError, match=r"gone\.jpg: no such file"):
        Lamps.read_inputs(tmp_path / "gone.jpg", spec)


def test_photographs_are_not_resampled(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"method\.resampling: photographs cannot be resampled"):
        Trainer(trial(root, method={"name": "vanilla", "resampling": {"name": "smoter"}}))


def test_methods_that_reconstruct_read_floats(root: Path) -> None:
    for name in ("vae", "vir"):
        results = list(run_trial(trial(root, method={"name": name}, train__epochs=1)))
        assert np.isfinite(results[-1].metrics["train_loss"])
