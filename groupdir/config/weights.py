"""Options of the sample-weight modes, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, field_validator

from groupdir.config.base import Plugin, Strict, odd


class LDSConfig(Strict):
    """Options of label distribution smoothing (Yang et al. 2021), which smooths the label counts with a kernel."""

    kernel: Literal["gaussian", "triangular", "laplace"] = "gaussian"
    size: int = Field(5, ge=1, description="Width of the kernel in label bins; odd.")
    sigma: float = Field(2.0, gt=0, description="Standard deviation in label bins; not used by the triangular kernel.")

    _odd = field_validator("size")(odd)


class WeightsConfig(Strict):
    """Base of the options of every sample-weight mode. Weights have mean 1, and every method accepts them."""

    mode: str


class SqrtInverseConfig(WeightsConfig):
    """Options of `SqrtInverse`."""

    lds: LDSConfig | None = Field(None, description="Smoothing of the square roots of the label counts; null: none.")


class InverseConfig(WeightsConfig):
    """Options of `Inverse`."""

    clip: tuple[float, float] | None = Field(
        None, description="Lower and upper bound of the label counts; null: none. The published INV uses [5, 1000]."
    )
    lds: LDSConfig | None = Field(None, description="Smoothing of the label counts; null: none.")

    @field_validator("clip")
    @classmethod
    def _ascending(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1]:
            raise ValueError(f"must be [least, most] with 0 < least <= most, got {list(value)}")
        return value


Weights = Annotated[SerializeAsAny[WeightsConfig], Plugin("weights")]
"""Section of sample weights: a mode, or a mapping of `mode` and options. The mode may be omitted for sqrt_inverse."""
