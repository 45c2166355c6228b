"""Sample weights that are inverse to the count of the label's bin, or to the square root of this count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groupdir.config.weights import InverseConfig, LDSConfig, SqrtInverseConfig
from groupdir.labels import LDS
from groupdir.weights.base import LabelCounts, SampleWeights


class Inverse(SampleWeights):
    """Sample-weight mode INV: one over the count of the label's bin.

    Counts are first clipped to the range `clip` and then smoothed over bins, if `clip` and `lds` are set.

    Source: Yang et al. 2021. Published `clip` for ages: 5 to 1000.
    """

    Config = InverseConfig

    def __init__(self, config: InverseConfig) -> None:
        super().__init__(config)
        self.clip, self.lds = config.clip, config.lds

    def weigh(self, labels: LabelCounts) -> npt.NDArray[np.floating]:
        """Return a weight for each sample; see `SampleWeights.weigh`."""
        counts = labels.counts if self.clip is None else np.clip(labels.counts, *self.clip)
        return _inverted(counts, labels.bins, self.lds)


class SqrtInverse(SampleWeights):
    """Sample-weight mode SQINV: one over the square root of the count of the label's bin.

    The square roots are smoothed over bins if `lds` is set.

    Source: Yang et al. 2021.
    """

    Config = SqrtInverseConfig

    def __init__(self, config: SqrtInverseConfig) -> None:
        super().__init__(config)
        self.lds = config.lds

    def weigh(self, labels: LabelCounts) -> npt.NDArray[np.floating]:
        """Return a weight for each sample; see `SampleWeights.weigh`."""
        return _inverted(np.sqrt(labels.counts), labels.bins, self.lds)


def _inverted(
    values: npt.NDArray[np.float64], bins: npt.NDArray[np.int64], lds: LDSConfig | None
) -> npt.NDArray[np.floating]:
    """Return one over the smoothed value of each sample's bin.

    Args:
        values: Value of each bin: its count, or the square root of the count.
        bins: `(N,)`, the bin of each sample.
        lds: Smoothing of the values over bins. None: no smoothing.
    """
    if lds is not None:
        kernel = LDS(lds.kernel, lds.size, lds.sigma)
        half = kernel.size // 2
        values = np.convolve(values, kernel.window(), mode="full")[half : half + len(values)]
    inverse: npt.NDArray[np.floating] = 1 / values[bins]
    return inverse
