"""Options of the encoders."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from groupdir.config.trial import EncoderConfig


class ConvNetConfig(EncoderConfig):
    """Options of `ConvNet`."""

    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64, 128), min_length=1, description="Channels of each convolution."
    )


class MLPConfig(EncoderConfig):
    """Options of `MLP`."""

    widths: tuple[PositiveInt, ...] = Field(
        (256,), min_length=1, description="Of the hidden layers; the last are the features."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="After every hidden layer.")


class BiLSTMConfig(EncoderConfig):
    """Options of `BiLSTM`."""

    width: int = Field(1500, ge=1, description="Units per direction.")
    layers: int = Field(2, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1, description="Before the BiLSTM, between its layers, and after it.")


class ResNetConfig(EncoderConfig):
    """Options of `ResNet`."""

    depth: Literal[18, 34, 50] = Field(50, description="Layers.")
    weights: str | None = Field(
        None, description="File of weights to begin with, in torchvision's layout; null: random. Nothing is downloaded."
    )
