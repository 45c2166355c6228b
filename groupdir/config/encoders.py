"""Options of the encoders."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from groupdir.config.trial import EncoderConfig, InputKind


class ConvNetConfig(EncoderConfig):
    """Options of `ConvNet`."""

    kinds: ClassVar[tuple[InputKind, ...]] = ("image",)

    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64, 128), min_length=1, description="Channels of each convolution."
    )


class MLPConfig(EncoderConfig):
    """Options of `MLP`."""

    kinds: ClassVar[tuple[InputKind, ...]] = ("vector", "embedding_pair")

    widths: tuple[PositiveInt, ...] = Field(
        (256,), min_length=1, description="Widths of the hidden layers; the last layer gives the features."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout rate after each hidden layer.")


class BiLSTMConfig(EncoderConfig):
    """Options of `BiLSTM`."""

    kinds: ClassVar[tuple[InputKind, ...]] = ("token_pair",)

    width: int = Field(1500, ge=1, description="Units per direction.")
    layers: int = Field(2, ge=1, description="Number of stacked layers.")
    dropout: float = Field(
        0.2, ge=0, lt=1, description="Dropout rate before the BiLSTM, between its layers, and after it."
    )


class ResNetConfig(EncoderConfig):
    """Options of `ResNet`."""

    kinds: ClassVar[tuple[InputKind, ...]] = ("image",)

    depth: Literal[18, 34, 50] = Field(50, description="Number of layers.")
    weights: str | None = Field(
        None, description="File of initial weights in torchvision's layout; null: random. The file is never downloaded."
    )
