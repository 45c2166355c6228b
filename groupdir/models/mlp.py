"""Multi-layer perceptron for vectors and pairs of sentence embeddings."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from groupdir.config.encoders import MLPConfig
from groupdir.data.base import InputSpec
from groupdir.models.base import Encoder


class MLP(Encoder):
    """Encoder of linear layers with ReLU and dropout. A pair of embeddings u, v enters as [|u-v|, u*v].

    Features are `(B, widths[-1])`. The order within a pair does not matter.
    """

    Config = MLPConfig
    kinds = MLPConfig.kinds

    def __init__(self, config: MLPConfig, inputs: InputSpec) -> None:
        super().__init__(config, inputs)
        self.pair = inputs.kind == "embedding_pair"
        first = 2 * inputs.shape[-1] if self.pair else inputs.shape[-1]
        layers: list[nn.Module] = []
        for before, after in pairwise((first, *config.widths)):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers)
        self.dim = config.widths[-1]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return features `(B, dim)` of vectors `(B, D)` or pairs `(B, 2, D)`."""
        x = inputs[0]
        if self.pair:
            u, v = x[:, 0], x[:, 1]
            x = torch.cat([(u - v).abs(), u * v], dim=1)
        features: Tensor = self.layers(x)
        return features
