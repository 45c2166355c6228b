"""The long tail, and what the built-in pictures promise alike: seeds, splits, shots, views, options."""

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from groupdir.config.datasets import DigitsConfig, FacesConfig, LongTailConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Split, SplitName
from groupdir.data.drawn.density import LABELS, MODES, long_tail_labels, long_tailed
from groupdir.data.drawn.digits import Digits
from groupdir.data.drawn.faces import Faces
from groupdir.errors import ConfigError
from groupdir.labels import LabelGroups
from groupdir.metrics import SHOTS

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
PLUGINS = {"digits": (Digits, DigitsConfig), "faces": (Faces, FacesConfig)}
BuiltIn = Digits | Faces


@pytest.fixture(params=sorted(PLUGINS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def built_in(name: str, request: pytest.FixtureRequest) -> BuiltIn:
    """The default data set, drawn once for all tests."""
    found: BuiltIn = request.getfixturevalue(name)
    return found


def small(name: str, **options: Any) -> BuiltIn:
    plugin, config = PLUGINS[name]
    return plugin(config(**{"name": name, "train": 40, "val_per_label": 1, "test_per_label": 1} | options))


def same(a: Split, b: Split) -> bool:
    return np.array_equal(a.y, b.y) and np.array_equal(a.inputs[0], b.inputs[0])


@pytest.mark.parametrize("floor", [0.0, 0.05, 0.06, 1.0])
def test_the_density_is_the_formula_with_its_floor(floor: float) -> None:
    raw = [np.exp(-(((y - 38) / 13) ** 2) / 2) + 0.06 * np.exp(-(((y - 70) / 12) ** 2) / 2) for y in range(101)]
    expected = [(1 - floor) * mass / sum(raw) + floor / 101 for mass in raw]
    found = long_tailed(MODES, floor)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found.min() >= floor / LABELS


@pytest.mark.parametrize(
    ("modes", "floor", "says"),
    [
        ((), 0.1, "modes must be at least one"),
        (((0.0, 38.0, 13.0),), 0.1, "> 0"),
        (((1.0, 38.0, -1.0),), 0.1, "> 0"),
        (MODES, -0.1, r"floor must be in \[0, 1\], got -0.1"),
        (MODES, 1.1, r"floor must be in \[0, 1\], got 1.1"),
    ],
)
def test_no_density_of_such_arguments(modes: tuple[tuple[float, float, float], ...], floor: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        long_tailed(modes, floor)


def test_training_labels_follow_the_density_down_to_the_floor(name: str) -> None:
    config = PLUGINS[name][1](name=name, train=400_000)
    assert config.floor == {"digits": 0.05, "faces": 0.06}[name]
    labels = long_tail_labels(config, "train", np.random.default_rng(0)).astype(int)
    share = np.bincount(labels, minlength=101) / config.train
    expected = long_tailed(MODES, config.floor)
    assert np.all(np.abs(share - expected) < 5 * np.sqrt(expected / config.train))
    ends = np.r_[:4, 88:101]  # where there is little but the floor
    assert share[ends].sum() == pytest.approx(
        expected[ends].sum(), abs=5 * np.sqrt(expected[ends].sum() / config.train)
    )


def test_splits_have_their_sizes_labels_and_types(built_in: BuiltIn) -> None:
    for split, count in (("train", None), ("val", 5), ("test", 20)):
        data = built_in.split(split)
        (x,) = data.inputs
        assert x.shape == (len(data.y), 1, 32, 32)
        assert x.shape[1:] == built_in.inputs.shape
        assert built_in.inputs.kind == "image"
        assert (x.dtype, data.y.dtype) == (np.float32, np.float32)
        assert np.isfinite(x).all()
        assert x.std(axis=(1, 2, 3)).min() > 0.05  # no picture is empty
        of_label = Counter(data.y.tolist())
        if count is None:
            assert len(data) == 2500
            assert set(of_label) <= set(range(101))
        else:
            assert of_label == dict.fromkeys(range(101), count)


def test_shots_follow_the_training_counts(built_in: BuiltIn) -> None:
    counts = Counter(built_in.split("train").y.tolist())
    expected = ["many" if counts[y] > 21 else "few" if counts[y] < 4 else "median" for y in range(101)]
    found = [SHOTS[code] for code in built_in.shots.of(np.arange(101, dtype=np.float32))]
    assert found == expected
    assert min(Counter(expected).values()) >= 10  # each shot has enough labels to measure


def test_shot_thresholds_are_options(name: str) -> None:
    data = small(name, many=2, few=1)
    counts = Counter(data.split("train").y.tolist())
    expected = ["many" if counts[y] > 2 else "few" if counts[y] < 1 else "median" for y in range(101)]
    assert [SHOTS[code] for code in data.shots.of(np.arange(101, dtype=np.float32))] == expected


def test_a_seed_gives_the_same_pictures_and_another_seed_others(name: str) -> None:
    first, again, other = small(name), small(name), small(name, seed=1)
    for split in SPLITS:
        assert same(first.split(split), again.split(split))
        assert not np.array_equal(first.split(split).inputs[0], other.split(split).inputs[0])
    assert not np.array_equal(first.split("train").y, other.split("train").y)


def test_a_split_is_the_same_whatever_was_built_before(name: str) -> None:
    forwards, backwards = small(name), small(name)
    for split in SPLITS:
        forwards.split(split)
    for split in reversed(SPLITS):
        assert same(backwards.split(split), forwards.split(split))
    longer = small(name, train=41)
    assert same(longer.split("val"), forwards.split("val"))


def test_a_pickled_data_set_gives_the_same_splits(name: str) -> None:
    data = small(name).prepare()
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - our own bytes
    assert copy.config == data.config
    for split in SPLITS:  # train and val travel, test is drawn anew
        assert same(copy.split(split), data.split(split))


def test_preparing_never_builds_the_test_split(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = PLUGINS[name][0]
    built: list[str] = []
    build = plugin.build

    def watched(self: BuiltIn, split: SplitName) -> Split:
        built.append(split)
        return build(self, split)

    monkeypatch.setattr(plugin, "build", watched)
    data = small(name)
    assert data.prepare() is data
    _ = data.shots, data.inputs, data.targets
    data.prepare(("val",))
    assert built == ["train", "val"]  # each once
    data.split("test")
    data.split("test")
    assert built == ["train", "val", "test"]


def test_views_come_from_the_generator_alone_and_leave_the_batch_alone(name: str) -> None:
    data = small(name)
    batch = torch.from_numpy(data.split("train").inputs[0])
    before = batch.clone()

    def view(seed: int) -> torch.Tensor:
        return data.augment((batch,), torch.Generator().manual_seed(seed))[0]

    torch.manual_seed(1)
    first = view(3)
    torch.manual_seed(2)
    assert torch.equal(view(3), first)
    assert not torch.equal(view(4), first)
    generator = torch.Generator().manual_seed(3)
    two = [data.augment((batch,), generator)[0] for _ in range(2)]
    assert torch.equal(two[0], first)
    assert not torch.equal(*two)
    assert torch.equal(batch, before)
    assert (first.shape, first.dtype) == (batch.shape, batch.dtype)


def test_one_view_is_augmented_unless_told_not_to(name: str) -> None:
    assert small(name).augment_one_view
    assert not small(name, augment="none").augment_one_view
    assert small(name, augment="none").augments  # two views still differ


@pytest.mark.parametrize("groups", [1, 2, 5, 20, 25, 40])
def test_label_100_is_in_the_last_group(built_in: BuiltIn, groups: int) -> None:
    targets = built_in.targets
    found = LabelGroups.equal_width(targets.low, targets.high, groups).assign(built_in.split("val").y)
    assert found[built_in.split("val").y == 100].tolist() == [groups - 1] * 5
    assert set(found.tolist()) == set(range(groups))


def test_targets_are_centred_and_scaled(built_in: BuiltIn) -> None:
    targets = built_in.targets
    assert (targets.low, targets.high, targets.center, targets.scale, targets.bin_width) == (0, 100, 50, 10, 1)
    assert targets.error == "mae"


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("seed", -1, "data.seed: must be >= 0, got -1"),
        ("train", 0, "data.train: must be >= 1, got 0"),
        ("train", 2.5, "data.train: must be a whole number, got 2.5"),
        ("val_per_label", 0, "data.val_per_label: must be >= 1, got 0"),
        ("test_per_label", 0, "data.test_per_label: must be >= 1, got 0"),
        ("floor", -0.1, "data.floor: must be >= 0.0, got -0.1"),
        ("floor", 1.1, "data.floor: must be <= 1.0, got 1.1"),
        ("augment", "flip", "data.augment: must be one of 'none' or 'shift_noise', got 'flip'"),
        ("few", 23, "data: few <= many + 1 must hold, got many=21, few=23"),
        ("flour", 0.1, "data.flour: unknown key: did you mean 'floor'?"),
    ],
)
def test_options_out_of_range_are_refused(name: str, option: str, value: object, says: str) -> None:
    trial = {"data": {"name": name, option: value}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
    with pytest.raises(ConfigError) as error:
        TrialConfig.from_dict(trial)
    (mistake,) = str(error.value).splitlines()
    assert says in mistake


def test_thresholds_that_meet_are_allowed() -> None:
    assert LongTailConfig(name="digits", many=3, few=4).few == 4  # no label is median
