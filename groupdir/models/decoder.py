"""Decoder from features to inputs, for methods with a reconstruction loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.config.methods import WORDS
from groupdir.data.base import InputSpec
from groupdir.errors import ConfigError, Mistake

LARGEST = 32
"""Largest height and width of a reconstruction; larger pictures are averaged down first."""


class Decoder(nn.Module):
    """Decoder that reconstructs pictures by transposed convolutions, and vectors by one linear layer.

    Args:
        dim: Width of the features.
        spec: Kind and shape of the encoder's inputs.

    Raises:
        ConfigError: If the inputs are words, which cannot be reconstructed.
    """

    def __init__(self, dim: int, spec: InputSpec) -> None:
        super().__init__()
        self.kind = spec.kind
        if spec.kind == "token_pair":
            raise ConfigError([Mistake("method.lambda_reconstruction", WORDS)])
        if spec.kind == "image":
            self.size = _size(min(spec.shape[1:]))
            self.layers: nn.Module = _upwards(dim, spec.shape[0], self.size)
        else:
            self.layers = nn.Linear(dim, spec.shape[-1] * (2 if spec.kind == "embedding_pair" else 1))

    def forward(self, z: Tensor) -> Tensor:
        """Return the reconstruction `(B, ...)` of features `(B, dim)`, in the shape of `aim`."""
        reconstruction: Tensor = self.layers(z)
        return reconstruction

    def aim(self, *inputs: Tensor) -> Tensor:
        """Return the target of the reconstruction: the averaged picture, the vector, or [|u - v|, u * v] of a pair."""
        x = inputs[0]
        if self.kind == "image":
            return F.adaptive_avg_pool2d(x, self.size)
        if self.kind == "embedding_pair":
            u, v = x[:, 0], x[:, 1]
            return torch.cat([(u - v).abs(), u * v], dim=1)
        return x

    def error(self, z: Tensor, *inputs: Tensor) -> Tensor:
        """Return the mean squared error of the reconstruction, a scalar in float32."""
        return F.mse_loss(self(z).float(), self.aim(*inputs).float())


def _size(side: int) -> int:
    """Return the largest power of 2 that fits, at least 4."""
    size = 4
    while 2 * size <= min(side, LARGEST):
        size *= 2
    return size


def _upwards(dim: int, channels: int, size: int) -> nn.Sequential:
    """Return layers that start at 4x4 and double height and width each."""
    width = 64
    layers: list[nn.Module] = [nn.Linear(dim, width * 16), nn.Unflatten(1, (width, 4, 4)), nn.ReLU(inplace=True)]
    while size >= 8:
        layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
        width, size = width // 2, size // 2
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))
