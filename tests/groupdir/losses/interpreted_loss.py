"""Run the fused contrastive loss in Triton's interpreter, on the CPU, and print one JSON line for each case.

    TRITON_INTERPRET=1 python tests/groupdir/losses/interpreted_loss.py

The interpreter replaces Triton's functions when Triton is imported, so this needs a process of its own.
"""

import json
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from groupdir.losses import group_contrastive, group_contrastive_cuda, group_contrastive_loss, group_contrastive_pass
from groupdir.losses.group_contrastive import Similarity

DRAW = torch.Generator().manual_seed(0)
TEMPERATURES: dict[Similarity, float] = {"negative_l2": 2.5, "cosine": 0.1, "negative_unit_l2": 0.2}
L2: tuple[Similarity, ...] = ("negative_l2",)
DISTANCES: tuple[Similarity, ...] = ("negative_l2", "negative_unit_l2")


def normal(batch: int, features: int = 6) -> Tensor:
    return torch.randn(batch, features, generator=DRAW)


def integers(low: int, high: int, batch: int) -> Tensor:
    return torch.randint(low, high, (batch,), generator=DRAW)


def cases() -> list[tuple[str, Tensor, Tensor, tuple[Similarity, ...], float]]:
    """Name, features, groups, similarities, and a factor of the usual temperature.

    A name ends with "float64" where float32 is not exact enough, and with "eager" where no pass is.
    """
    every = tuple(TEMPERATURES)
    views = normal(6)
    zero = normal(7)
    zero[3] = 0
    near, pairs = torch.cat([views, views + 1e-4]), normal(9, 40)
    two_views = torch.cat([pairs, pairs + 3e-3 * normal(9, 40)])
    short = 1e-30 * normal(9)
    broken = normal(6)
    broken[2, 1] = math.nan
    ties = integers(0, 7, 13).double() / 10
    far = torch.tensor([-1.0, 1e-20, 2e-20, 0.5, 3.0], dtype=torch.float64)  # -1 is, rounded, as far from two groups
    return [
        ("groups", normal(13), integers(-3, 4, 13), every, 1),
        ("gaps", normal(13), torch.tensor([-7, 0, 1, 9])[integers(0, 4, 13)], L2, 1),
        ("wide gaps", normal(11), 1000 * integers(-3, 4, 11), L2, 1),
        ("huge groups", normal(13), 10**15 + integers(0, 9, 13), L2, 1),
        ("one group", normal(9), torch.full((9,), 4), L2, 1),
        ("own groups", normal(9), torch.arange(9), L2, 1),
        ("raw targets", normal(13), torch.rand(13, generator=DRAW), every, 1),
        ("raw ties", normal(13), ties, L2, 1),
        ("raw and negative", normal(12), normal(12, 1)[:, 0].half(), L2, 1),
        ("bytes", normal(9), integers(0, 4, 9).to(torch.uint8), L2, 1),
        ("truths", normal(9), integers(0, 2, 9).bool(), L2, 1),
        ("three", normal(3, 1), torch.tensor([0.5, 0.5, 1]), L2, 1),
        ("two tiles", normal(37, 30), integers(0, 9, 37), L2, 1),
        ("wide features", normal(5, 130), integers(0, 3, 5), every[1:2], 1),
        ("half", normal(9).half(), integers(0, 4, 9), every[2:], 1),
        ("bfloat16", normal(9).bfloat16(), integers(0, 4, 9), L2, 1),
        ("views", torch.cat([views, views + 0.5 * normal(6)]), torch.arange(6).repeat(2), every[1:], 1),
        ("offset", 50 + normal(9), integers(0, 4, 9), L2, 1),
        ("zero vector", zero, integers(0, 3, 7), every[1:], 1),
        ("strided", normal(9, 12)[:, ::2], integers(0, 4, 18)[::2], L2, 1),
        ("two samples, eager", normal(2), torch.tensor([0, 1]), every, 1),
        ("near duplicates, float64", near, torch.arange(6).repeat(2), DISTANCES, 1),
        ("near duplicates with raw targets, float64", near, torch.rand(6, generator=DRAW).repeat(2), DISTANCES, 1),
        ("two views, float64", two_views, integers(0, 4, 9).repeat(2), DISTANCES, 1),
        ("half views, float64", two_views.half(), integers(0, 4, 9).repeat(2), L2, 1),
        ("equal rows, float64", torch.cat([views, views]), torch.arange(6).repeat(2), DISTANCES, 1),
        ("all equal, float64", normal(1).repeat(9, 1), integers(0, 4, 9), DISTANCES, 1),
        ("short, float64", short, integers(0, 4, 9), L2, 1e-29),
        ("low temperature, float64", normal(9), integers(0, 4, 9), DISTANCES, 0.01),
        ("low temperature with raw targets, float64", normal(9), torch.rand(9, generator=DRAW), every[1:], 0.03),
        ("cosines at a low temperature, float64", normal(9), integers(0, 4, 9), every[1:2], 0.03),
        ("lowest temperature, eager", normal(9), integers(0, 4, 9), every, 5e-4),
        ("groups far apart, eager", normal(5), torch.tensor([0, 1, 2**40, 5, 5]), L2, 1),
        ("merged distances, eager", normal(5), far, L2, 1),
        ("broken, eager", broken, torch.arange(6), every[:2], 1),
    ]


def with_gradient(z: Tensor, group: Tensor, temperature: float, similarity: Similarity) -> tuple[Tensor, Tensor]:
    z = z.detach().clone().requires_grad_()
    value = group_contrastive_loss(z, group, temperature, similarity)
    value.backward()
    assert z.grad is not None
    return value.detach(), z.grad


def main() -> None:
    eager = group_contrastive._eager
    falls: list[int] = []
    run, passes = group_contrastive_cuda.fused_pass, list[str]()
    group_contrastive_cuda.fused_pass = lambda *arguments: (passes.append(str(arguments[-1])), run(*arguments))[1]  # type: ignore[func-returns-value]
    group_contrastive._TRUST.checked = lambda kind, result, *others: result  # type: ignore[method-assign]
    group_contrastive_cuda.can_compile = lambda: True  # type: ignore[assignment]
    group_contrastive_cuda.DEVICE = "cpu"  # type: ignore[assignment]
    group_contrastive_pass._TABLE = 64  # type: ignore[attr-defined]
    group_contrastive._eager = lambda *arguments: (falls.append(1), eager(*arguments))[1]  # type: ignore[func-returns-value]
    for name, z, group, similarities, factor in cases():
        for similarity in similarities:
            temperature = factor * TEMPERATURES[similarity]
            falls.clear()
            passes.clear()
            value, gradient = with_gradient(z, group, temperature, similarity)
            fell, types = bool(falls), [dtype.removeprefix("torch.") for dtype in passes]
            same = name != "own groups" or bool(value == group_contrastive_loss(z, group, temperature, similarity))
            expected, slope = with_gradient(z.double(), group, temperature, similarity)
            errors = {
                "value": float((value - expected).abs() / max(1.0, float(expected))),
                "gradient": float((gradient - slope).norm() / max(float(slope.norm()), 1e-3)),
            }
            result = {"case": name, "similarity": similarity, "eager": fell, "passes": types, **errors}
            result["without_gradient"] = same
            print(json.dumps({**result, "coarse": z.dtype != torch.float32}))


if __name__ == "__main__":
    main()
