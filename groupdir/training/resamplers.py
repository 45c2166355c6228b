"""Resamplers that interpolate between neighbours: SMOTER and SMOGN."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groupdir.bins import bin_index, bins_between
from groupdir.config.resampling import PHOTOGRAPHS, SENTENCES, SMOGNConfig, SMOTERConfig
from groupdir.data.base import Dataset, Split
from groupdir.labels import LDS
from groupdir.resampling import Resampled, rare_by_count, rare_by_relevance, smogn, smoter
from groupdir.training.resampled import Resampler

WINDOW = LDS("gaussian", 5, 2.0)
"""Kernel that smooths the counts of bins before they are compared with the threshold. Without it every gap is rare."""


class SMOTER(Resampler):
    """SMOTER: interpolates new samples of rare labels and drops samples of frequent labels (Torgo et al. 2013)."""

    Config = SMOTERConfig

    def __init__(self, config: SMOTERConfig) -> None:
        super().__init__(config)
        self.options = config

    def resample(self, split: Split, dataset: Dataset, rng: np.random.Generator) -> Split:
        """See `Resampler.resample`."""
        if dataset.inputs.kind == "token_pair":
            raise ValueError(SENTENCES)
        if split.inputs[0].dtype == np.uint8:
            raise ValueError(PHOTOGRAPHS)
        try:
            new = self.interpolate(split, _rare(split.y, dataset, self.options), rng)
        except ValueError as error:
            raise ValueError(f"{error}: change its `rare` or `threshold`") from error
        return Split((new.x.astype(np.float32),), new.y.astype(split.y.dtype))

    def interpolate(self, split: Split, rare: npt.NDArray[np.bool_], rng: np.random.Generator) -> Resampled:
        """Return the resampled samples; `rare`, (N,), marks the samples with rare labels."""
        options = self.options
        return smoter(
            split.inputs[0],
            split.y,
            rare,
            rng,
            neighbors=options.neighbors,
            ratio=options.ratio,
            undersample=options.undersample,
        )


class SMOGN(SMOTER):
    """SMOGN: SMOTER that adds noise instead of interpolating if the neighbour is far (Branco et al. 2017)."""

    Config = SMOGNConfig

    def __init__(self, config: SMOGNConfig) -> None:
        super().__init__(config)
        self.perturbation = config.perturbation

    def interpolate(self, split: Split, rare: npt.NDArray[np.bool_], rng: np.random.Generator) -> Resampled:
        """See `SMOTER.interpolate`."""
        options = self.options
        return smogn(
            split.inputs[0],
            split.y,
            rare,
            rng,
            neighbors=options.neighbors,
            perturbation=self.perturbation,
            ratio=options.ratio,
            undersample=options.undersample,
        )


def _rare(y: np.ndarray, dataset: Dataset, config: SMOTERConfig) -> npt.NDArray[np.bool_]:
    """Return a mask (N,) of the labels that are rare by the rule of the options."""
    if config.rare == "relevance":
        return rare_by_relevance(y, threshold=config.threshold)
    targets = dataset.targets
    bins = bins_between(targets.low, targets.high, targets.bin_width)
    occupied = len(np.unique(bin_index(y, targets.low, targets.bin_width, bins)))
    below = config.threshold * len(y) / occupied
    return rare_by_count(y, below=below, bin_width=targets.bin_width, low=targets.low, high=targets.high, lds=WINDOW)
