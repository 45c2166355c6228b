"""ResNet: torchvision's up to its classifier, for any number of channels; weights that fit or are refused."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from groupdir.data.base import InputSpec
from groupdir.errors import DataError
from groupdir.models.resnet import BUILDERS
from tests.groupdir.models.encoders import resnet


def tiny_photos(channels: int = 3) -> Tensor:
    return torch.randn(2, channels, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("depth", "dim"), [(18, 512), (34, 512), (50, 2048)])
def test_a_resnet_is_torchvisions_up_to_its_classifier(depth: int, dim: int, tmp_path: Path) -> None:
    whole = BUILDERS[depth]().eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pt")
    encoder = resnet(depth=depth, weights=str(tmp_path / "weights.pt")).eval()
    assert encoder.dim == dim
    assert not any("fc" in name for name, _ in encoder.named_parameters())
    features = encoder(tiny_photos())
    assert features.shape == (2, dim)
    torch.testing.assert_close(whole.fc(features), whole(tiny_photos()))


def test_grey_pictures_enter_as_three_equal_channels_would(tmp_path: Path) -> None:
    whole = resnet()
    torch.save(whole.network.state_dict(), tmp_path / "weights.pt")
    grey = resnet(InputSpec("image", (1, 64, 64)), weights=str(tmp_path / "weights.pt")).eval()
    given = tiny_photos(1)
    torch.testing.assert_close(grey(given), whole.eval()(given.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)
    assert resnet(InputSpec("image", (4, 64, 64))).eval()(tiny_photos(4)).shape == (2, 512)


def test_weights_that_cannot_be_taken_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(DataError, match=r"encoder\.weights: .*weights\.pt cannot be read"):
        resnet(weights=str(path))
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"encoder\.weights: .*weights\.pt cannot be read"):
        resnet(weights=str(path))
    torch.save({"model": {}}, path)
    with pytest.raises(DataError, match="must hold the state_dict of a torchvision ResNet, but has no conv1"):
        resnet(weights=str(path))
    torch.save(resnet().network.state_dict(), path)
    with pytest.raises(DataError, match=r"belongs to another network: .*: set encoder\.depth"):
        resnet(weights=str(path), depth=34)
