"""Options of the sample-weight modes, and how a section names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, field_validator

from groupdir.config.base import Plugin, Strict, odd


class LDSConfig(Strict):
    """Label distribution smoothing (Yang et al. 2021): the kernel that smooths the label counts."""

    kernel: Literal["gaussian", "triangular", "laplace"] = "gaussian"
    size: int = Field(5, ge=1, description="Width of the kernel in bins; odd.")
    sigma: float = Field(2.0, gt=0, description="Standard deviation in bins; the triangular kernel ignores it.")

    _odd = field_validator("size")(odd)


class WeightsConfig(Strict):
    """What every sample-weight mode takes: its name. All weights have mean 1, and every method takes them."""

    mode: str


class SqrtInverseConfig(WeightsConfig):
    """Options of `SqrtInverse`."""

    lds: LDSConfig | None = Field(None, description="Smoothing of the square roots of the counts; null: none.")


class InverseConfig(WeightsConfig):
    """Options of `Inverse`."""

    clip: tuple[float, float] | None = Field(
        None, description="Bounds of the counts; the published INV uses [5, 1000]."
    )
    lds: LDSConfig | None = Field(None, description="Smoothing of the counts; null: none.")

    @field_validator("clip")
    @classmethod
    def _ascending(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1]:
            raise ValueError(f"must be [least, most] with 0 < least <= most, got {list(value)}")
        return value


Weights = Annotated[SerializeAsAny[WeightsConfig], Plugin("weights")]
"""A sample-weight mode: its name, or a mapping with its options and, unless it is sqrt_inverse, its `mode`."""
