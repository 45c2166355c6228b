"""What an encoder is: a module that turns inputs into features of a known width."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from torch import Tensor, nn

from groupdir.config.trial import EncoderConfig
from groupdir.data.base import InputSpec
from groupdir.errors import ConfigError


class Encoder(nn.Module):
    """An encoder f.

    Subclasses set `Config` and `kinds`, set `dim` in their constructor, and define `forward(*inputs) -> (B, dim)`.

    Args:
        config: Its section of the trial.
        inputs: What it will be given.

    Raises:
        ConfigError: It cannot read such inputs.
    """

    Config: ClassVar[type[EncoderConfig]]
    kinds: ClassVar[tuple[str, ...]]
    dim: int
    spec: InputSpec

    def __init__(self, config: EncoderConfig, inputs: InputSpec) -> None:
        super().__init__()
        self.spec = replace(
            inputs, vectors=None, vocabulary=None, columns=None
        )  # for methods that reconstruct the inputs
        if inputs.kind not in self.kinds:
            raise ConfigError(
                f"encoder.name: {config.name} reads {' or '.join(self.kinds)}, but the data set gives "
                f"{inputs.kind}: take another encoder"
            )

    def forward(self, *inputs: Tensor) -> Tensor:
        """Features (B, dim) of inputs as `InputSpec.kind` says."""
        raise TypeError(f"{type(self).__name__} defines no forward")
