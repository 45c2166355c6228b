"""Options of the samplers, which suggest trials: one class for each sampler of the registry."""

from __future__ import annotations

from pydantic import Field

from groupdir.config.base import PluginConfig


class SamplerConfig(PluginConfig):
    """Base of the options of every sampler."""

    @property
    def text(self) -> str:
        """Name of the sampler and its first trials, as one line of text."""
        return self.name


class LearnerConfig(SamplerConfig):
    """Base of the options of samplers that learn from earlier trials."""

    startup: int = Field(
        10,
        ge=1,
        description="Number of first trials, which follow a quasi-random design; the sampler learns after them.",
    )

    @property
    def text(self) -> str:
        """Name of the sampler and the number of its first trials."""
        return f"{self.name}, after {self.startup} trials of a quasi-random design"


class TPEConfig(LearnerConfig):
    """Options of `tpe`."""

    name: str = "tpe"


class GPConfig(LearnerConfig):
    """Options of `gp`."""

    name: str = "gp"


class NSGA2Config(LearnerConfig):
    """Options of `nsga2`."""

    name: str = "nsga2"


class HypervolumeConfig(LearnerConfig):
    """Options of `hypervolume`."""

    name: str = "hypervolume"


class RandomConfig(SamplerConfig):
    """Options of `random`."""

    name: str = "random"


class QMCConfig(SamplerConfig):
    """Options of `qmc`."""

    name: str = "qmc"
