"""The options of samplers, which suggest trials: one class for each entry of the registry."""

from __future__ import annotations

from pydantic import Field

from groupdir.config.base import PluginConfig


class SamplerConfig(PluginConfig):
    """What every sampler takes."""

    @property
    def text(self) -> str:
        """Its name and how it begins, for people."""
        return self.name


class LearnerConfig(SamplerConfig):
    """What samplers take that learn from the trials so far."""

    startup: int = Field(10, ge=1, description="Trials of a quasi-random design, before the sampler learns.")

    @property
    def text(self) -> str:
        """The name, and the first trials."""
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
