"""SMOTER and SMOGN as a trial names them; their samples are tested in tests/groupdir/test_resampling.py."""

import numpy as np
import pytest

from groupdir.config.resampling import SMOGNConfig, SMOTERConfig
from groupdir.data.base import Split
from groupdir.errors import ConfigError
from groupdir.resampling import smogn, smoter
from groupdir.training.resampled import resampled
from groupdir.training.resamplers import SMOGN, SMOTER
from groupdir.training.trainer import make_dataset
from tests.groupdir.methods.cases import trial

DATASET = make_dataset(trial({"name": "vanilla"}))
# Labels 0..3, and six of 9: the box plot calls those from the whisker's end at 3 on rare.
LABELS = np.concatenate([np.arange(90) % 4, np.full(6, 9)]).astype(np.float32)
TRAIN = Split(DATASET.split("train").inputs, LABELS)
BY_RELEVANCE = {"rare": "relevance", "threshold": 0.9}
RARE = LABELS >= 3


def test_smoter_takes_its_options() -> None:
    config = SMOTERConfig(name="smoter", neighbors=2, ratio=0.5, **BY_RELEVANCE)  # type: ignore[arg-type]
    new = SMOTER(config).resample(TRAIN, DATASET, np.random.default_rng(1))
    expected = smoter(TRAIN.inputs[0], TRAIN.y, RARE, np.random.default_rng(1), neighbors=2, ratio=0.5)
    assert np.array_equal(new.inputs[0], expected.x)
    assert np.array_equal(new.y, expected.y)


def test_smogn_takes_its_noise_too() -> None:
    config = SMOGNConfig(name="smogn", perturbation=0.3, undersample=False, **BY_RELEVANCE)  # type: ignore[arg-type]
    new = SMOGN(config).resample(TRAIN, DATASET, np.random.default_rng(1))
    options = {"perturbation": 0.3, "undersample": False}
    expected = smogn(TRAIN.inputs[0], TRAIN.y, RARE, np.random.default_rng(1), **options)  # type: ignore[arg-type]
    assert np.array_equal(new.inputs[0], expected.x)


def test_a_seed_gives_the_same_samples() -> None:
    config = SMOGNConfig(name="smogn")
    splits = [resampled(TRAIN, DATASET, config, seed) for seed in (1, 1, 2)]
    assert np.array_equal(splits[0].inputs[0], splits[1].inputs[0])
    assert not np.array_equal(splits[0].inputs[0], splits[2].inputs[0])


def test_what_cannot_be_resampled_is_one_error() -> None:
    photographs = Split((TRAIN.inputs[0].astype(np.uint8),), TRAIN.y)
    with pytest.raises(ConfigError, match=r"method\.resampling: photographs cannot be resampled: interpolating"):
        resampled(photographs, DATASET, SMOTERConfig(name="smoter"), 0)
    equal = Split(TRAIN.inputs, np.full_like(TRAIN.y, 2))
    with pytest.raises(ConfigError, match=r"method\.resampling: some targets must be rare .*: change its `rare`"):
        resampled(equal, DATASET, SMOTERConfig(name="smoter"), 0)


def test_an_option_of_the_other_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"method\.resampling\.perturbation: unknown key"):
        trial({"name": "vanilla", "resampling": {"name": "smoter", "perturbation": 0.1}})
