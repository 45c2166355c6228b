"""Photograph encoder of the field: a residual network without its classifier."""

from __future__ import annotations

import pickle

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34, resnet50

from groupdir.config.encoders import ResNetConfig
from groupdir.data.base import InputSpec
from groupdir.errors import DataError
from groupdir.models.base import Encoder

BUILDERS = {18: resnet18, 34: resnet34, 50: resnet50}


class ResNet(Encoder):
    """Torchvision's ResNet with 18, 34 or 50 layers, up to the mean over the picture.

    Features are `(B, 512)`, or `(B, 2048)` with 50 layers. If pictures do not have three channels, the first
    convolution is replaced by one that fits. Given weights of that convolution are summed over the colours and divided
    equally, so a grey picture gives the same features as three equal channels. Pictures below 33 pixels per side end as
    one pixel, and batch norm cannot be trained on a single such picture.

    Source: He et al. 2016; ResNet-50 is the backbone of the field's tables.
    """

    Config = ResNetConfig
    kinds = ResNetConfig.kinds

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
        """Return features `(B, dim)` of pictures `(B, C, H, W)`."""
        features: Tensor = self.network(inputs[0])
        return features


def _load(network: nn.Module, path: str, channels: int) -> None:
    """Load weights from a file into the network, except those of the classifier.

    Raises:
        DataError: If the file cannot be read, or belongs to another network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise DataError(f"encoder.weights: {path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or not isinstance(content.get("conv1.weight"), Tensor):
        raise DataError(
            f"encoder.weights: {path} must hold the state_dict of a torchvision ResNet, but has no conv1.weight: "
            "save the state_dict alone"
        )
    state = {name: tensor for name, tensor in content.items() if not name.startswith("fc.")}
    if channels != 3:
        state["conv1.weight"] = state["conv1.weight"].sum(1, keepdim=True).repeat(1, channels, 1, 1) / channels
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = "; ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise DataError(
            f"encoder.weights: {path} belongs to another network: {first[:200]}: set encoder.depth"
        ) from error
