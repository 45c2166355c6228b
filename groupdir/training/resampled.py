"""Resampling of the training split, the first step of a training. Weights, bins and groups see the new samples."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from groupdir.config.resampling import ResamplingConfig
from groupdir.data.base import Dataset, Split
from groupdir.errors import ConfigError
from groupdir.registry import resolve


class Resampler:
    """Resampler of a training split. Subclasses set `Config` and define `resample`.

    Args:
        config: The resampler's section of the trial.
    """

    Config: ClassVar[type[ResamplingConfig]]

    def __init__(self, config: ResamplingConfig) -> None:
        self.config = config

    def resample(self, split: Split, dataset: Dataset, rng: np.random.Generator) -> Split:
        """Return the split to train on.

        Args:
            split: The training split.
            dataset: The data set, which says what inputs and labels mean.
            rng: Source of all random numbers.

        Raises:
            ConfigError: If this split cannot be resampled.
            ValueError: If this split cannot be resampled; the message is shown with the address `method.resampling`.
        """
        raise TypeError(f"{type(self).__name__} defines no resample")


def resampled(split: Split, dataset: Dataset, config: ResamplingConfig, seed: int) -> Split:
    """Return the training split, resampled by the resampler that a section names.

    Args:
        split: The training split.
        dataset: The data set, which says what inputs and labels mean.
        config: The section of the trial.
        seed: Seed of all random numbers.

    Raises:
        ConfigError: If this split cannot be resampled.
    """
    resampler: Resampler = resolve("resampling", config.name)(config)
    try:
        return resampler.resample(split, dataset, np.random.default_rng([seed, 77]))
    except ValueError as error:
        raise ConfigError(f"method.resampling: {error}") from error
