"""Smoothing of random features against its formulas in loops; and what the published one gets wrong."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from groupdir.labels import LDS
from groupdir.smoothing import ProbabilisticSmoothing


def statistics_by_loops(mean: Tensor, variance: Tensor, bucket: Tensor, rows: int) -> Tensor:
    """(3, K): m, v and s of one feature."""
    found = torch.zeros(3, rows, dtype=torch.float64)
    for b in range(rows):
        mu, var = mean[bucket == b].tolist(), variance[bucket == b].tolist()
        n = len(mu)
        m, s = math.fsum(mu) / n, math.fsum(var) / n**2
        spread = sum(v - s + u * u - m * m for u, v in zip(mu, var, strict=True)) / n
        found[:, b] = torch.tensor([m, spread, s], dtype=torch.float64)
    return found


def over_buckets(values: Tensor, window: list[float]) -> Tensor:
    half, padded = len(window) // 2, torch.nn.functional.pad(values[None], (len(window) // 2,) * 2, mode="reflect")[0]
    return torch.stack([sum(w * padded[b + k] for k, w in enumerate(window)) for b in range(len(padded) - 2 * half)])  # type: ignore[misc]


def batch_of(number: int, rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    every = torch.arange(rows).repeat(2)[:number]  # two in each, where there is room: one alone has no variance
    bucket = torch.cat([every, torch.randint(rows, (number - len(every),), generator=draw)])
    mean = 2 * torch.randn(number, 1, dtype=torch.float64, generator=draw) + bucket[:, None]
    return mean, 0.1 + torch.rand(number, 1, dtype=torch.float64, generator=draw), bucket


@settings(max_examples=20)
@given(st.booleans(), st.integers(0, 10**6))
def test_it_is_the_definition(as_published: bool, seed: int) -> None:
    rows, window = 5, LDS("gaussian", 5, 2.0).window()
    weights = (window / window.sum()).tolist()
    prm = ProbabilisticSmoothing(rows, 0, 1, momentum=0.8, as_published=as_published)
    first, second = batch_of(30, rows, seed), batch_of(30, rows, seed + 1)
    prm.update(*first, 0)
    prm.update(*second, 1)
    old = statistics_by_loops(first[0][:, 0], first[1][:, 0], first[2], rows)
    new = 0.8 * old + 0.2 * statistics_by_loops(second[0][:, 0], second[1][:, 0], second[2], rows)
    m, v, s = new if as_published else old
    m2, v2 = (over_buckets(row, weights) for row in old[:2])
    s2 = over_buckets(old[2], [w * w for w in weights])
    mean, variance, bucket = batch_of(9, rows, seed + 2)
    r = (v2 / v).clamp(0.1, 10).sqrt()[bucket, None]
    got = prm.smooth(mean, variance, bucket, 2)
    torch.testing.assert_close(got[0], (mean - m[bucket, None]) * r + m2[bucket, None], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(got[1], (variance + s[bucket, None]) * r + s2[bucket, None], rtol=1e-10, atol=1e-10)


def test_nothing_changes_before_the_second_update() -> None:
    mean, variance, bucket = batch_of(12, 4, seed=1)
    prm = ProbabilisticSmoothing(4, 0, 1)
    prm.update(mean, variance, bucket, 0)
    got = prm.smooth(mean, variance, bucket, 1)
    assert got[0].equal(mean)
    assert got[1].equal(variance)
    assert prm.smooth(mean, variance, bucket, 0)[0] is mean


def test_a_feature_without_variance_keeps_its_column() -> None:
    mean = torch.tensor([[1.0, 5.0], [3.0, 5.0], [2.0, 7.0], [4.0, 6.0]])
    variance, bucket = torch.tensor([[0.5, 0.0]]).expand(4, 2), torch.tensor([0, 0, 1, 1])
    prm = ProbabilisticSmoothing(2, 0, 2)
    for epoch in range(2):
        prm.update(mean, variance, bucket, epoch)
    got = prm.smooth(mean, variance, bucket, 2)
    assert got[0].shape == got[1].shape == (4, 2)
    assert got[0][:2, 1].equal(mean[:2, 1])
    assert got[1][:2, 1].equal(variance[:2, 1])
    assert not got[0][:2, 0].equal(mean[:2, 0])


def test_gradcheck_state_and_types() -> None:
    prm, twin = ProbabilisticSmoothing(4, 0, 1), ProbabilisticSmoothing(4, 0, 1)
    for epoch in range(3):
        prm.update(*batch_of(20, 4, epoch), epoch)
    twin.load_state_dict(prm.state_dict())
    mean, variance, bucket = batch_of(6, 4, seed=9)
    assert twin.smooth(mean, variance, bucket, 3)[1].equal(prm.smooth(mean, variance, bucket, 3)[1])
    assert torch.autograd.gradcheck(
        lambda m, v: prm.smooth(m, v, bucket, 3), (mean.requires_grad_(), variance.requires_grad_())
    )
    half = prm.smooth(mean.detach().to(torch.bfloat16), variance.detach().to(torch.bfloat16), bucket, 3)
    assert [part.dtype for part in half] == [torch.bfloat16, torch.bfloat16]


def test_mistakes_are_named() -> None:
    prm = ProbabilisticSmoothing(4, 0, 2)
    with pytest.raises(ValueError, match=r"variance must be a floating tensor of shape \(B, 2\)"):
        prm.smooth(torch.zeros(3, 2), torch.zeros(3, 1), torch.zeros(3).long(), 1)
    with pytest.raises(ValueError, match=r"bucket must be whole numbers of shape \(3,\)"):
        prm.update(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(2).long(), 0)
