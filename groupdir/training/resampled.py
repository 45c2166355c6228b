"""The resampling that a trial asks for, done to a training split before anything else sees it."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from groupdir.bins import bin_index, bins_between
from groupdir.config.trial import ResamplingConfig
from groupdir.data.base import Dataset, Split
from groupdir.errors import ConfigError
from groupdir.labels import LDS
from groupdir.resampling import rare_by_count, rare_by_relevance, smogn, smoter

WINDOW = LDS("gaussian", 5, 2.0)
"""Counts are averaged over neighbouring bins before they are called rare, or every gap would be a bump of its own."""


def resampled(split: Split, dataset: Dataset, config: ResamplingConfig, seed: int) -> Split:
    """A training split with new samples of rare labels, and fewer of frequent ones.

    Args:
        split: The training split.
        dataset: For what its labels mean.
        config: How.
        seed: Of all draws.

    Raises:
        ConfigError: The inputs are no numbers that can lie between two others, or no label is rare, or all are.
    """
    if dataset.inputs.kind == "token_pair":
        raise ConfigError(
            "method.resampling: words cannot be resampled: take data.inputs: embeddings, or set it to null"
        )
    if split.inputs[0].dtype == np.uint8:
        raise ConfigError(
            "method.resampling: photographs cannot be resampled, for what lies between two is none: set it to null"
        )
    rare = _rare(split.y, dataset, config)
    rng = np.random.default_rng([seed, 77])
    make = partial(smogn, perturbation=config.perturbation) if config.name == "smogn" else smoter
    try:
        found = make(
            split.inputs[0],
            split.y,
            rare,
            rng,
            neighbors=config.neighbors,
            ratio=config.ratio,
            undersample=config.undersample,
        )
    except ValueError as error:
        raise ConfigError(f"method.resampling: {error}: change its `rare` or `threshold`") from error
    return Split((found.x.astype(np.float32),), found.y.astype(np.float32))


def _rare(y: np.ndarray, dataset: Dataset, config: ResamplingConfig) -> npt.NDArray[np.bool_]:
    if config.rare == "relevance":
        return rare_by_relevance(y, threshold=config.threshold)
    targets = dataset.targets
    bins = bins_between(targets.low, targets.high, targets.bin_width)
    occupied = len(np.unique(bin_index(y, targets.low, targets.bin_width, bins)))
    below = config.threshold * len(y) / occupied
    return rare_by_count(y, below=below, bin_width=targets.bin_width, low=targets.low, high=targets.high, lds=WINDOW)
