"""Every loss at its extremes on a device, in float32 and with bf16 inputs, against float64 on the CPU."""

import pytest
import torch
from torch import Tensor

from groupdir import losses
from groupdir.losses.group_contrastive import fused
from tests.gpu.devices import each_device
from tests.gpu.loss_cases import NOT_COMPARED, LossCase, families

VALUE = 1e-4  # of a loss, and in absolute terms
GRADIENT = 1e-3  # of the norm of a gradient
ROUNDED = 1e-2  # of the norm of a gradient that is returned in bf16, which has 8 bits
SMALLEST = 1e-30  # norms below are 0: float32 ends at 1e-38, and a gradient is a product of several numbers


def on(case: LossCase, device: str, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss and its gradients on the CPU in float64; the inputs are floats of a type on a device."""
    others = torch.promote_types(dtype, torch.float32)  # targets and tables, as a training has them
    tensors = {
        name: tensor.to(device, dtype if name in case.slopes else others)
        if tensor.is_floating_point()
        else tensor.to(device)
        for name, tensor in case.tensors.items()
    }
    for name in case.slopes:
        tensors[name] = tensors[name].detach().clone().requires_grad_()
    loss = case.function(**tensors, **case.options)
    gradients = torch.autograd.grad(loss, [tensors[name] for name in case.slopes], allow_unused=True)
    found = {
        name: torch.zeros_like(tensors[name]) if gradient is None else gradient
        for name, gradient in zip(case.slopes, gradients, strict=True)
    }
    return loss.detach().cpu().double(), {name: gradient.cpu().double() for name, gradient in found.items()}


def complaints(case: LossCase, device: str, dtype: torch.dtype) -> list[str]:
    """Return in what a loss on a device differs from that on the CPU in float64."""
    value, gradients = on(case, device, dtype)
    expected, slopes = on(case, "cpu", torch.float64)
    finite, wrong = on(case, "cpu", dtype), []
    if not value.isfinite() and finite[0].isfinite():
        wrong.append(f"{case.name}: {value} where the CPU is finite")
    if case.exact and not torch.allclose(value, expected, rtol=VALUE, atol=VALUE):
        wrong.append(f"{case.name}: {value:.8g} for {expected:.8g}")
    for name, gradient in gradients.items():
        if bool((finite[1][name].isfinite() & ~gradient.isfinite()).any()):
            wrong.append(f"{case.name}: the gradient of {name} is not finite where that of the CPU is")
        error, norm = (gradient - slopes[name]).norm(), slopes[name].norm()
        bound = GRADIENT if dtype == torch.float32 else ROUNDED
        if case.exact and not error <= bound * norm + SMALLEST:
            wrong.append(f"{case.name}: the gradient of {name} is off by {error:.3g} of {norm:.3g}")
    return wrong


@each_device
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
@pytest.mark.parametrize("family", families())
def test_values_and_gradients_are_those_of_float64_on_the_cpu(family: str, dtype: torch.dtype, device: str) -> None:
    wrong = [line for case in families()[family] for line in complaints(case, device, dtype)]
    assert not wrong, "\n".join(wrong)


@each_device
def test_the_contrastive_loss_agrees_without_its_fused_path_too(device: str) -> None:
    with fused(enabled=False):
        wrong = [line for case in families()["group_contrastive"] for line in complaints(case, device, torch.float32)]
    assert not wrong, "\n".join(wrong)


def test_every_loss_has_cases() -> None:
    named = {f"{family}_loss" for family in families()} | {"evidential_parameters", "conjugate_parameters"}
    assert set(losses.__all__) - NOT_COMPARED <= named


@each_device
@pytest.mark.parametrize("similarity", ["negative_l2", "cosine", "negative_unit_l2"])
@pytest.mark.parametrize("groups", [5, 300])
def test_a_large_batch_of_the_contrastive_loss_agrees(groups: int, similarity: str, device: str) -> None:
    """With 300 groups every sample is a group of its own, which is another code path."""
    generator = torch.Generator().manual_seed(20)
    z = torch.randn(700, 64, generator=generator, dtype=torch.float64).float().double()
    group = torch.randint(0, groups, (700,), generator=generator)
    for temperature in (0.02, 0.5, 2.5):
        options = {"temperature": temperature, "similarity": similarity}
        case = LossCase(f"{temperature}", losses.group_contrastive_loss, {"z": z, "group": group}, ("z",), options)
        (value, slopes), (expected, gradient) = (
            on(case, device, torch.float32),
            on(case, "cpu", torch.float64),
        )
        assert float(value) == pytest.approx(float(expected), rel=1e-5)
        assert (slopes["z"] - gradient["z"]).norm() <= 2e-5 * gradient["z"].norm()
