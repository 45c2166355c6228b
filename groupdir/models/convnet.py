"""Small convolutional network for small pictures."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from groupdir.config.encoders import ConvNetConfig
from groupdir.data.base import InputSpec
from groupdir.models.base import Encoder


class ConvNet(Encoder):
    """Encoder for small pictures: 3x3 convolutions of stride 2 with batch norm, then the mean over the picture.

    Features are `(B, widths[-1])`. At two pixels per side the stride becomes 1, because batch norm cannot compute the
    variance of one picture of one pixel.
    """

    Config = ConvNetConfig
    kinds = ConvNetConfig.kinds

    def __init__(self, config: ConvNetConfig, inputs: InputSpec) -> None:
        super().__init__(config, inputs)
        layers: list[nn.Module] = []
        side = min(inputs.shape[1:])
        for before, after in pairwise((inputs.shape[0], *config.widths)):
            stride = 2 if side > 2 else 1
            side = -(-side // stride)
            layers += [
                nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.dim = config.widths[-1]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return features `(B, dim)` of pictures `(B, C, H, W)`."""
        features: Tensor = self.layers(inputs[0]).mean((2, 3))
        return features
