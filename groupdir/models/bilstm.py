"""Text encoder of the field: a BiLSTM over word vectors with a maximum over time, for pairs of sentences."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from groupdir.config.encoders import BiLSTMConfig
from groupdir.data.base import InputSpec
from groupdir.models.base import Encoder


class BiLSTM(Encoder):
    """BiLSTM over frozen word vectors, maximum over time, pair features [a, b, |a-b|, a*b]; for sentence pairs.

    Features are `(B, 8 width)`: 12,000 at the published width.

    Source: the text encoder of Yang et al. 2021, whose number of highway layers is 0.
    """

    Config = BiLSTMConfig
    kinds = BiLSTMConfig.kinds
    vectors: Tensor

    def __init__(self, config: BiLSTMConfig, inputs: InputSpec) -> None:
        super().__init__(config, inputs)
        assert inputs.vectors is not None
        self.register_buffer("vectors", torch.tensor(inputs.vectors))
        between = config.dropout if config.layers > 1 else 0.0
        size = inputs.vectors.shape[1]
        self.lstm = nn.LSTM(size, config.width, config.layers, batch_first=True, bidirectional=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.dim = 8 * config.width

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return features `(B, 8 width)` of tokens `(B, 2, L)` and lengths `(B, 2)`."""
        tokens, lengths = inputs
        length = lengths.flatten().cpu()
        tokens = tokens.flatten(0, 1)[:, : int(length.max())]
        vectors = self.dropout(self.vectors[tokens])
        packed = pack_padded_sequence(vectors, length, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        states = self.dropout(states).masked_fill((tokens == 0)[:, :, None], -torch.inf)
        a, b = states.amax(1).unflatten(0, (-1, 2)).unbind(1)
        return torch.cat([a, b, (a - b).abs(), a * b], dim=1)
