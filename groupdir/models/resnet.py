"""The field's encoder of photographs: a residual network without its classifier."""

from __future__ import annotations

import pickle
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34, resnet50

from groupdir.config.trial import EncoderConfig
from groupdir.data.base import InputSpec
from groupdir.errors import DataError
from groupdir.models.base import Encoder

BUILDERS = {18: resnet18, 34: resnet34, 50: resnet50}


class ResNetConfig(EncoderConfig):
    """Options of `ResNet`."""

    depth: Literal[18, 34, 50] = Field(50, description="Layers.")
    weights: str | None = Field(
        None, description="File of weights to begin with, in torchvision's layout; null: random. Nothing is downloaded."
    )


class ResNet(Encoder):
    """Torchvision's ResNet of 18, 34 or 50 layers up to the mean over the picture.

    Features are `(B, 512)`, of 50 layers `(B, 2048)`. Pictures of another number of channels than three get a first
    convolution for it. Where weights are given, theirs is summed over the colours and shared out: a grey picture then
    gives what it would in three equal channels. Of pictures below 33 pixels a side one pixel is left at the end, and
    batch norm cannot be trained on one such picture alone.

    Source: He et al. 2016; ResNet-50 is the backbone of the field's tables.
    """

    Config = ResNetConfig
    kinds = ("image",)

    def __init__(self, config: ResNetConfig, inputs: InputSpec) -> None:
        super().__init__(config, inputs)
        network = BUILDERS[config.depth]()
        self.dim = int(network.fc.in_features)
        network.fc = nn.Identity()
        channels = inputs.shape[0]
        if channels != 3:
            first = network.conv1
            network.conv1 = nn.Conv2d(channels, first.out_channels, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        if config.weights is not None:
            _load(network, config.weights, channels)
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        """Features `(B, dim)` of pictures `(B, C, H, W)`."""
        features: Tensor = self.network(inputs[0])
        return features


def _load(network: nn.Module, path: str, channels: int) -> None:
    """Puts weights from a file into the network; its classifier's are left out.

    Raises:
        DataError: The file cannot be read, or is of another network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise DataError(f"encoder.weights: {path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or not isinstance(content.get("conv1.weight"), Tensor):
        raise DataError(
            f"encoder.weights: {path} must hold a torchvision ResNet's state_dict, got no conv1.weight: save that alone"
        )
    state = {name: tensor for name, tensor in content.items() if not name.startswith("fc.")}
    if channels != 3:
        state["conv1.weight"] = state["conv1.weight"].sum(1, keepdim=True).repeat(1, channels, 1, 1) / channels
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = "; ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise DataError(f"encoder.weights: {path} is of another network: {first[:200]}: set encoder.depth") from error
