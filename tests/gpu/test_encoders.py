"""Features and gradients of every encoder on a device against those of the CPU in float64."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from groupdir.models.base import Encoder
from groupdir.registry import TABLES
from tests.gpu.devices import each_device, exact_convolutions
from tests.groupdir.models.encoders import VECTOR, bilstm, convnet, images, mlp, photos, resnet, sentences, vectors

FEATURES = 1e-4  # of the norm of the features, in float32
GRADIENTS = 1e-3  # of the norm of all gradients
GRADIENTS_DEEP = (
    0.03  # of the same, for a ResNet-18 with batch norm of 8 pictures, which magnifies a rounding; CPU: 0.007
)
BF16 = 0.05  # of the norm of the features; on a CPU 0.02 for a ResNet-18
Inputs = tuple[Tensor, ...]
WORDS = [("a dog runs", "a dog ."), ("home", "a"), ("runs home .", "dog runs home a dog ."), ("a", "home home")]
ENCODERS: dict[str, tuple[Callable[[], Encoder], Callable[[], Inputs]]] = {
    "convnet": (convnet, lambda: images(8)),
    "mlp": (lambda: mlp(VECTOR), lambda: vectors(8)),
    "bilstm": (lambda: bilstm(dropout=0), lambda: sentences(*WORDS)),
    "resnet": (resnet, lambda: photos(8)),
}


def test_every_encoder_is_here() -> None:
    assert ENCODERS.keys() == TABLES["encoder"].keys()


def features(
    encoder: Encoder, inputs: Inputs, device: str, dtype: torch.dtype, amp: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the features and all gradients of their random sum, as float64 on the CPU."""
    model = copy.deepcopy(encoder).to(device, dtype)
    given = tuple(x.to(device, dtype) if x.is_floating_point() else x.to(device) for x in inputs)
    if given[0].dim() == 4:
        model.to(memory_format=torch.channels_last)
        given = tuple(x.contiguous(memory_format=torch.channels_last) for x in given)
    with torch.autocast(device, torch.bfloat16, enabled=amp):
        z = model(*given)
    direction = torch.randn(z.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad((z.float() if amp else z).mul(direction.to(device, dtype)).sum(), parameters)
    return z.detach().cpu().double(), torch.cat([gradient.flatten() for gradient in gradients]).cpu().double()


@each_device
@pytest.mark.parametrize("name", ENCODERS)
def test_features_and_gradients_are_those_of_float64_on_the_cpu(name: str, device: str) -> None:
    build, inputs = ENCODERS[name]
    torch.manual_seed(0)
    encoder = build()
    z, slopes = features(encoder, inputs(), "cpu", torch.float64)
    with exact_convolutions():
        on_device, gradients = features(encoder, inputs(), device, torch.float32)
    assert (on_device - z).norm() <= FEATURES * z.norm()
    assert (gradients - slopes).norm() <= (GRADIENTS_DEEP if name == "resnet" else GRADIENTS) * slopes.norm()
    rough, _ = features(encoder, inputs(), device, torch.float32, amp=True)
    assert (rough - z).norm() <= BF16 * z.norm()
