"""ConvNet: its layers, and features as means over the picture."""

import torch
from torch import nn

from groupdir.config.encoders import ConvNetConfig
from groupdir.data.base import InputSpec
from groupdir.models.convnet import ConvNet
from tests.groupdir.models.encoders import convnet, images


def test_the_convnet_is_the_one_described() -> None:
    layers = list(convnet().layers)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(1, 16), (16, 32), (32, 64), (64, 128)]
    assert all((c.kernel_size, c.stride, c.padding) == ((3, 3), (2, 2), (1, 1)) for c in convolutions)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 4
    assert sum(p.numel() for p in convnet().parameters()) == 9 * (16 + 16 * 32 + 32 * 64 + 64 * 128) + 2 * 240


def test_features_are_means_over_the_picture() -> None:
    encoder = convnet(widths=(3,)).eval()
    (pictures,) = images(2)
    torch.testing.assert_close(encoder(pictures), encoder.layers(pictures).flatten(2).mean(2))


def test_a_deep_convnet_can_be_trained_on_one_picture() -> None:
    encoder = convnet(widths=(4,) * 7).train()  # one pixel would be left, and batch norm has no variance of one
    encoder(*images(1)).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_colours_and_other_sizes_are_read() -> None:
    encoder = ConvNet(ConvNetConfig(name="convnet", widths=(4, 8)), InputSpec("image", (3, 20, 28)))
    assert encoder(torch.randn(2, 3, 20, 28)).shape == (2, 8)
