"""Options of the resamplers, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig

SENTENCES = (
    "sentences cannot be resampled: interpolating two sentences does not give a sentence: set data.inputs to "
    "embeddings, or method.resampling to null"
)
PHOTOGRAPHS = (
    "photographs cannot be resampled: interpolating two photographs does not give a photograph: set it to null"
)


class ResamplingConfig(PluginConfig):
    """Base of the options of every resampler."""

    def check_inputs(self, kind: str | None, interpolates: bool) -> None:
        """Refuse a data set whose inputs cannot be resampled. By default all can.

        Args:
            kind: Kind of the inputs, or None if only the data set itself knows it.
            interpolates: Whether the mean of two inputs is an input too.

        Raises:
            ValueError: If the inputs cannot be resampled.
        """


class SMOTERConfig(ResamplingConfig):
    """Options of `SMOTER`."""

    def check_inputs(self, kind: str | None, interpolates: bool) -> None:
        """Refuse sentences and photographs, because the mean of two is neither."""
        if kind == "token_pair":
            raise ValueError(SENTENCES)
        if not interpolates:
            raise ValueError(PHOTOGRAPHS)

    neighbors: int = Field(5, ge=1, description="Number of nearest neighbours to interpolate with.")
    ratio: float = Field(
        1.0, ge=0, le=1, description="Degree to which the sizes of rare and frequent runs are equalised."
    )
    undersample: bool = Field(True, description="Remove samples of frequent labels.")
    rare: Literal["count", "relevance"] = Field(
        "count",
        description="Rule for rare labels. count: few samples in and near the bin; relevance: the published box-plot "
        "rule.",
    )
    threshold: float = Field(
        0.5,
        gt=0,
        description="Limit of rare labels. count: rare below this share of the mean count of a bin; relevance: rare "
        "above it.",
    )


class SMOGNConfig(SMOTERConfig):
    """Options of `SMOGN`."""

    perturbation: float = Field(0.02, ge=0, description="Size of the noise, in standard deviations.")


Resampling = Annotated[SerializeAsAny[ResamplingConfig], Plugin("resampling")]
"""Section of a resampler: a name, or a mapping of name and options."""
