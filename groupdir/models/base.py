"""Base class of encoders: modules that turn inputs into features of a known width."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from torch import Tensor, nn

from groupdir.config.fit import unreadable_kind
from groupdir.config.trial import EncoderConfig
from groupdir.data.base import InputSpec
from groupdir.errors import ConfigError, Mistake


class Encoder(nn.Module):
    """Encoder f, which turns inputs into features.

    Subclasses set `Config` and `kinds`, set `dim` in their constructor, and define `forward(*inputs) -> (B, dim)`.

    Args:
        config: The `encoder` section of the trial.
        inputs: Kind and shape of the inputs.

    Raises:
        ConfigError: If the encoder cannot read such inputs.
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
            raise ConfigError([Mistake("encoder.name", unreadable_kind(config.name, self.kinds, inputs.kind))])

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return features (B, dim) of inputs of the kind `InputSpec.kind`."""
        raise TypeError(f"{type(self).__name__} defines no forward")
