"""Options of feature distribution smoothing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from groupdir.config.base import Strict, odd


class SmoothingConfig(Strict):
    """Options of feature distribution smoothing, which calibrates features by statistics of neighbouring label bins."""

    kernel: Literal["gaussian", "triangular", "laplace"] = "gaussian"
    size: int = Field(5, ge=1, description="Width of the kernel in label bins; odd.")
    sigma: float = Field(2.0, gt=0, description="Standard deviation in label bins; not used by the triangular kernel.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of the running statistics, per epoch.")
    start: int = Field(0, ge=0, description="First label bin to smooth; published for AgeDB: 3.")
    start_epoch: int = Field(1, ge=0, description="First epoch with calibrated features, counted from 0.")
    clip: tuple[float, float] = Field((0.1, 10.0), description="Lower and upper bound of the ratio of variances.")
    as_published: bool = Field(
        False,
        description="Compute the statistics from features that are already smoothed, as the published code does by "
        "aliasing.",
    )

    _odd = field_validator("size")(odd)

    @field_validator("clip")
    @classmethod
    def _ascending(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"must be [low, high] with 0 < low <= high, got {list(value)}")
        return value
