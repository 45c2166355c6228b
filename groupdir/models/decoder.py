"""From features back to the inputs: what a method that reconstructs them needs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.data.base import InputSpec
from groupdir.errors import ConfigError

LARGEST = 32
"""Pictures are reconstructed at most this high and wide: larger ones are averaged down first."""


class Decoder(nn.Module):
    """Reconstructs pictures by transposed convolutions, vectors by one linear layer.

    Args:
        dim: Width of the features.
        spec: What the encoder is given.

    Raises:
        ConfigError: Words are not reconstructed.
    """

    def __init__(self, dim: int, spec: InputSpec) -> None:
        super().__init__()
        self.kind = spec.kind
        if spec.kind == "token_pair":
            raise ConfigError(
                "method.lambda_reconstruction: words are not reconstructed: set it to 0, or data.inputs to embeddings"
            )
        if spec.kind == "image":
            self.size = _size(min(spec.shape[1:]))
            self.layers: nn.Module = _upwards(dim, spec.shape[0], self.size)
        else:
            self.layers = nn.Linear(dim, spec.shape[-1] * (2 if spec.kind == "embedding_pair" else 1))

    def forward(self, z: Tensor) -> Tensor:
        """The reconstruction `(B, ...)` of features `(B, dim)`, of the shape of `aim`."""
        found: Tensor = self.layers(z)
        return found

    def aim(self, *inputs: Tensor) -> Tensor:
        """What is to be reconstructed: the picture, averaged down; the vector; a pair's [|u - v|, u * v]."""
        x = inputs[0]
        if self.kind == "image":
            return F.adaptive_avg_pool2d(x, self.size)
        if self.kind == "embedding_pair":
            u, v = x[:, 0], x[:, 1]
            return torch.cat([(u - v).abs(), u * v], dim=1)
        return x

    def error(self, z: Tensor, *inputs: Tensor) -> Tensor:
        """Mean squared error of the reconstruction, a scalar in float32."""
        return F.mse_loss(self(z).float(), self.aim(*inputs).float())


def _size(side: int) -> int:
    """The largest power of 2 from 4 on that fits."""
    size = 4
    while 2 * size <= min(side, LARGEST):
        size *= 2
    return size


def _upwards(dim: int, channels: int, size: int) -> nn.Sequential:
    """From 4x4 on each layer doubles height and width."""
    width = 64
    layers: list[nn.Module] = [nn.Linear(dim, width * 16), nn.Unflatten(1, (width, 4, 4)), nn.ReLU(inplace=True)]
    while size >= 8:
        layers += [nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
        width, size = width // 2, size // 2
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))
