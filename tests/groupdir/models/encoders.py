"""Encoders of every kind and inputs for them, as the tests build them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from groupdir.config.encoders import BiLSTMConfig, ConvNetConfig, MLPConfig, ResNetConfig
from groupdir.data.base import InputSpec
from groupdir.data.text.tokens import PAD, UNKNOWN, encode
from groupdir.models.base import Encoder
from groupdir.models.bilstm import BiLSTM
from groupdir.models.convnet import ConvNet
from groupdir.models.mlp import MLP
from groupdir.models.resnet import ResNet

VOCABULARY = (PAD, UNKNOWN, "a", "dog", "runs", "home", ".")
VECTORS = np.random.default_rng(0).normal(size=(len(VOCABULARY), 5)).astype(np.float32) * np.array([[0]] + [[1]] * 6)
LENGTH = 6

IMAGE = InputSpec("image", (1, 32, 32))
PHOTO = InputSpec("image", (3, 64, 64))
VECTOR = InputSpec("vector", (7,))
PAIR = InputSpec("embedding_pair", (2, 7))
TOKENS = InputSpec("token_pair", (2, LENGTH), VECTORS.astype(np.float32), VOCABULARY)
SPECS = (IMAGE, VECTOR, PAIR, TOKENS)


def sentences(*pairs: tuple[str, str], length: int = LENGTH) -> tuple[Tensor, ...]:
    return tuple(map(torch.from_numpy, encode(pairs, VOCABULARY, length)))


def convnet(**options: Any) -> ConvNet:
    return ConvNet(ConvNetConfig(name="convnet", **options), IMAGE)


def mlp(spec: InputSpec, **options: Any) -> MLP:
    return MLP(MLPConfig(name="mlp", **options), spec)


def bilstm(**options: Any) -> BiLSTM:
    return BiLSTM(BiLSTMConfig(name="bilstm", **{"width": 4} | options), TOKENS)


def resnet(spec: InputSpec = PHOTO, **options: Any) -> ResNet:
    return ResNet(ResNetConfig(name="resnet", **{"depth": 18} | options), spec)


def photos(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 3, 64, 64, generator=torch.Generator().manual_seed(0)),)


def images(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 1, 32, 32, generator=torch.Generator().manual_seed(0)),)


def vectors(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 7, generator=torch.Generator().manual_seed(0)),)


def pairs(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 2, 7, generator=torch.Generator().manual_seed(0)),)


def texts(size: int) -> tuple[Tensor, ...]:
    given = [("a dog runs home .", "a dog"), ("dog", "runs runs ."), ("zebra", ""), ("home . . . . .", "a a")]
    return sentences(*(given[k % 4] for k in range(size)))


Case = tuple[Callable[[], Encoder], Callable[[int], tuple[Tensor, ...]], int]
CASES: dict[str, Case] = {
    "convnet": (convnet, images, 128),
    "mlp": (lambda: mlp(VECTOR), vectors, 256),
    "mlp of pairs": (lambda: mlp(PAIR, widths=(9, 3), dropout=0.2), pairs, 3),
    "bilstm": (bilstm, texts, 32),
    "resnet": (resnet, photos, 512),
    "bilstm of one layer": (lambda: bilstm(layers=1, width=3), texts, 24),
}
