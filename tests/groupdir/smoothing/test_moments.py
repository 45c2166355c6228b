"""Smoothing over buckets against a dense matrix, and moments of batches against those of all samples at once."""

import pytest
import torch
from torch import Tensor

from groupdir.smoothing import FeatureSmoothing
from groupdir.smoothing.moments import Moments, ReflectedConvolution


def dense(window: Tensor, rows: int) -> Tensor:
    """Return the matrix (K, K) of a convolution over reflected buckets, one entry at a time."""
    half, matrix = len(window) // 2, torch.zeros(rows, rows, dtype=torch.float64)
    for row in range(rows):
        for offset in range(-half, half + 1):
            at = row + offset
            while rows > 1 and not 0 <= at < rows:
                at = -at if at < 0 else 2 * (rows - 1) - at
            matrix[row, at if rows > 1 else 0] += window[half + offset]
    return matrix


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("size", [1, 3, 5, 9, 101])
def test_a_convolution_is_that_of_a_dense_matrix(rows: int, size: int) -> None:
    """Kernels that are wider than all buckets are reflected several times. The window is not symmetric."""
    generator = torch.Generator().manual_seed(rows * size)
    window = torch.rand(size, generator=generator, dtype=torch.float64)
    table = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    expected = dense(window, rows) @ table
    assert (ReflectedConvolution(window, rows)(table) - expected).abs().max() <= 1e-12 * size


def test_a_million_buckets_need_no_matrix() -> None:
    """A dense matrix would take 8 terabytes."""
    fds = FeatureSmoothing(buckets=1_000_000, start=0, dim=1, size=5, sigma=2)
    z, bucket = torch.tensor([[0.0], [2.0], [1.0], [5.0]]), torch.tensor([10, 10, 999_999, 999_999])
    for epoch in (0, 1):
        fds.update(z, bucket, epoch)
    assert fds.smooth(z, bucket, epoch=2).isfinite().all()


@pytest.mark.parametrize("as_published", [False, True])
def test_batches_give_the_statistics_of_all_samples(as_published: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(300, 4, generator=generator)
    bucket = torch.randint(0, 30, (300,), generator=generator)
    bucket[bucket == 7] = 8  # an empty bucket
    one, many = (FeatureSmoothing(30, 2, 4, as_published=as_published) for _ in range(2))
    for epoch in (0, 1):
        one.update(z, bucket, epoch)
        for part, index in zip(z.split(17), bucket.split(17), strict=True):
            many.observe(part, index)
        many.advance(epoch)
    for name, value in one.state_dict().items():
        assert torch.allclose(value.double(), many.state_dict()[name].double(), atol=1e-12), name


def test_moments_of_empty_buckets_are_zero() -> None:
    moments = Moments.of(torch.tensor([[1.0], [3.0]]), torch.tensor([2, 2]), 4)
    assert moments.count.tolist() == [0, 0, 2, 0]
    assert moments.mean.flatten().tolist() == [0.0, 0.0, 2.0, 0.0]
    assert moments.scatter.flatten().tolist() == [0.0, 0.0, 2.0, 0.0]
