"""Feature smoothing against plain loops over buckets and epochs, and the faults that `as_published` brings back."""

import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from groupdir.labels import LDS
from groupdir.smoothing import FeatureSmoothing

Table = list[list[float]]  # one row for each bucket, one value for each feature


class SlowSmoothing:
    """Yang et al. word by word, one bucket and one feature at a time."""

    def __init__(
        self, rows: int, dim: int, window: list[float], momentum: float, clip: tuple[float, float], alias: bool
    ):
        self.rows, self.dim, self.momentum, self.clip, self.alias = rows, dim, momentum, clip, alias
        self.window = [w / sum(window) for w in window]
        self.mean, self.variance = self.table(0.0), self.table(1.0)
        self.own = self.smoothed = (self.mean, self.variance)
        self.updates = 0

    def table(self, value: float) -> Table:
        return [[value] * self.dim for _ in range(self.rows)]

    def over_buckets(self, table: Table) -> Table:
        half, last = len(self.window) // 2, self.rows - 1
        result = self.table(0.0)
        for b in range(self.rows):
            for offset in range(-half, half + 1):
                k = b + offset
                while last > 0 and not 0 <= k <= last:
                    k = -k if k < 0 else 2 * last - k
                k = k if last > 0 else 0
                for d in range(self.dim):
                    result[b][d] += self.window[half + offset] * table[k][d]
        return result

    def update(self, z: Table, bucket: list[int]) -> None:
        before = ([row[:] for row in self.mean], [row[:] for row in self.variance])
        keep = self.momentum if self.updates else 0.0
        for b in set(bucket):
            members = [row for row, k in zip(z, bucket, strict=True) if k == b]
            n = len(members)
            for d in range(self.dim):
                m = math.fsum(row[d] for row in members) / n
                v = math.fsum((row[d] - m) ** 2 for row in members) / max(n - 1, 1)
                self.mean[b][d] = keep * self.mean[b][d] + (1 - keep) * m
                self.variance[b][d] = keep * self.variance[b][d] + (1 - keep) * v
        if self.updates:
            self.own = (self.mean, self.variance) if self.alias else before
            self.smoothed = (self.over_buckets(before[0]), self.over_buckets(before[1]))
        self.updates += 1

    def smooth(self, z: Table, bucket: list[int]) -> Table:
        result = [row[:] for row in z]
        for i, b in enumerate(bucket):
            if sum(self.own[1][b]) < 1e-10:
                continue
            for d in range(self.dim):
                m, v = self.own[0][b][d], self.own[1][b][d]
                if v > 0:
                    ratio = min(max(self.smoothed[1][b][d] / v, self.clip[0]), self.clip[1])
                    result[i][d] = (z[i][d] - m) * math.sqrt(ratio) + self.smoothed[0][b][d]
        return result


def features_of(number: int, dim: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(number, dim, dtype=torch.float64, generator=draw) + torch.arange(dim)


@settings(max_examples=30)
@given(
    rows=st.integers(1, 6),
    start=st.integers(0, 3),
    kernel=st.sampled_from([("gaussian", 5, 2.0), ("triangular", 3, 1.0), ("laplace", 9, 1.5)]),
    momentum=st.sampled_from([0.0, 0.9]),
    clip=st.sampled_from([(0.1, 10.0), (0.5, 2.0)]),
    epochs=st.integers(0, 4),
    as_published=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_it_is_the_definition(
    rows: int,
    start: int,
    kernel: tuple[str, int, float],
    momentum: float,
    clip: tuple[float, float],
    epochs: int,
    as_published: bool,
    seed: int,
) -> None:
    draw = torch.Generator().manual_seed(seed)
    fast = FeatureSmoothing(rows + start, start, 2, *kernel, momentum, clip, as_published)  # type: ignore[arg-type]
    slow = SlowSmoothing(rows, 2, LDS(*kernel).window().tolist(), momentum, clip, as_published)  # type: ignore[arg-type]
    for epoch in range(epochs):
        bucket = torch.cat([torch.arange(rows), torch.randint(rows, (7,), generator=draw)])
        z = features_of(len(bucket), 2, seed + epoch)
        fast.update(z, bucket + start, epoch)
        slow.update(z.tolist(), bucket.tolist())
    bucket = torch.randint(rows, (8,), generator=draw)
    z = features_of(8, 2, seed + 99)
    expected = slow.smooth(z.tolist(), bucket.tolist())
    got = fast.smooth(z, bucket + start, max(epochs, 1))
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-10)


def test_a_value_by_hand() -> None:
    """Means 1, 3, 7 and variances 2, 8, 2; (1/4, 1/2, 1/4), reflected: mean 2 and variance 5 for the first bucket."""
    fds = FeatureSmoothing(3, 0, 1, "triangular", 3, 1)
    z, bucket = torch.tensor([[0.0], [2.0], [1.0], [5.0], [6.0], [8.0]]), torch.tensor([0, 0, 1, 1, 2, 2])
    fds.update(z, bucket, 0)
    fds.update(100 + z, bucket, 1)  # not in use before the next update
    root = math.sqrt(5 / 2)
    assert fds.smooth(z, bucket, 2)[:2].flatten().tolist() == pytest.approx([2 - root, 2 + root])


def test_published_statistics_are_aliases() -> None:
    """What is subtracted is this epoch's, what is added the last one's: a jump of the features is undone by it."""
    z, bucket = torch.tensor([[0.0], [2.0], [0.0], [2.0]]), torch.tensor([0, 0, 1, 1])
    for as_published, expected in ((False, z), (True, z - 10)):
        fds = FeatureSmoothing(2, 0, 1, momentum=0.0, as_published=as_published)
        fds.update(z, bucket, 0)
        fds.update(z + 10, bucket, 1)
        torch.testing.assert_close(fds.smooth(z.clone(), bucket, 2), expected)


def trained(as_published: bool = False, dim: int = 3) -> FeatureSmoothing:
    fds = FeatureSmoothing(6, 1, dim, as_published=as_published)
    for epoch in range(3):
        fds.update(features_of(40, dim, epoch), 1 + torch.arange(40) % 5, epoch)
    return fds


def test_nothing_changes_before_the_second_update_or_the_first_epoch_to_smooth() -> None:
    z, bucket = features_of(10, 3, 0), 1 + torch.arange(10) % 5
    fds = FeatureSmoothing(6, 1, 3, start_smooth=4)
    assert fds.smooth(z, bucket, 9).equal(z)
    fds.update(z, bucket, 0)
    assert fds.smooth(z, bucket, 9).equal(z)
    fds.update(z, bucket, 1)
    assert fds.smooth(z, bucket, 3) is z
    assert not fds.smooth(z, bucket, 4).equal(z)


def test_smoothing_is_not_in_place_unless_as_published() -> None:
    z, bucket = features_of(10, 3, 5), 1 + torch.arange(10) % 5
    before = z.clone()
    assert not trained().smooth(z, bucket, 3).equal(before)
    assert z.equal(before)
    published = trained(as_published=True)
    assert published.smooth(z, bucket, 3) is z
    assert not z.equal(before)


@pytest.mark.parametrize("as_published", [False, True])
def test_gradcheck_through_an_encoder(as_published: bool) -> None:
    fds, bucket = trained(as_published), 1 + torch.arange(7) % 5
    x = features_of(7, 3, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: fds.smooth(2 * v, bucket, 3), x)


def test_in_place_writing_breaks_an_encoder_that_needs_its_output() -> None:
    x, bucket = features_of(7, 3, 7).requires_grad_(), 1 + torch.arange(7) % 5
    trained().smooth(x.tanh(), bucket, 3).sum().backward()
    with pytest.raises(RuntimeError, match="inplace operation"):
        trained(as_published=True).smooth(x.tanh(), bucket, 3).sum().backward()


def test_batches_give_what_the_whole_set_gives() -> None:
    z, bucket = 1e3 + features_of(5000, 3, 8), 1 + torch.arange(5000) % 5
    whole, parts = FeatureSmoothing(6, 1, 3), FeatureSmoothing(6, 1, 3)
    for epoch in range(2):
        whole.update(z, bucket, epoch)
        order = torch.randperm(5000, generator=torch.Generator().manual_seed(epoch))
        for some in order.split(617):
            parts.observe(z[some], bucket[some])
        parts.advance(epoch)
    torch.testing.assert_close(parts.running, whole.running, rtol=1e-11, atol=1e-9)
    by_torch = torch.stack([z[bucket == b].var(0) for b in range(1, 6)])
    torch.testing.assert_close(whole.running[1], by_torch, rtol=1e-10, atol=0)


def test_a_state_dict_holds_all_that_the_next_epoch_needs() -> None:
    old, new = trained(), FeatureSmoothing(6, 1, 3)
    buffer = io.BytesIO()
    torch.save(old.state_dict(), buffer)
    buffer.seek(0)
    new.load_state_dict(torch.load(buffer, weights_only=True))
    z, bucket = features_of(20, 3, 9), 1 + torch.arange(20) % 5
    for epoch in (3, 4):
        assert old.smooth(z, bucket, epoch).equal(new.smooth(z, bucket, epoch))
        for fds in (old, new):
            fds.update(z + epoch, bucket, epoch)
    with pytest.raises(ValueError, match="later than that of the last update, 4, got 4"):
        new.update(z, bucket, 4)


def test_buckets_beyond_the_ends_count_as_the_ends() -> None:
    z, bucket = features_of(30, 3, 10), torch.arange(30) % 10 - 2
    clamped, raw = FeatureSmoothing(6, 1, 3), FeatureSmoothing(6, 1, 3)
    for epoch in range(2):
        clamped.update(z, bucket.clamp(1, 5), epoch)
        raw.update(z, bucket, epoch)
    assert raw.smooth(z, bucket, 2).equal(clamped.smooth(z, bucket.clamp(1, 5), 2))


def test_published_ends_need_their_own_label_in_the_batch() -> None:
    fds, z = trained(as_published=True), features_of(3, 3, 11)
    with_end = fds.smooth(z.clone(), torch.tensor([0, 1, 3]), 3)
    without = fds.smooth(z.clone(), torch.tensor([0, 2, 3]), 3)
    assert not with_end[0].equal(z[0])
    assert without[0].equal(z[0])
    assert not without[1].equal(z[1])
    high = fds.smooth(z.clone(), torch.tensor([9, 5, 3]), 3)
    assert not high[0].equal(z[0])
    counted = FeatureSmoothing(6, 1, 3, as_published=True)
    counted.update(z, torch.tensor([0, 2, 9]), 0)
    assert counted.count.tolist() == [0, 1, 0, 0, 0]


def test_published_statistics_of_an_end_hold_the_labels_beyond_it_if_the_training_set_has_the_end() -> None:
    """The label of an end need not be in the same batch: the published code collects the features of all batches."""
    z, bucket = features_of(12, 3, 13), torch.tensor([0, 9, 2, 1, 5, 0, 9, 3, 2, 4, 4, 7])
    whole, parts = (FeatureSmoothing(6, 1, 3, as_published=True) for _ in range(2))
    whole.update(z, bucket, 0)
    for rows in torch.arange(12).split(3):
        parts.observe(z[rows], bucket[rows])
    parts.advance(0)
    assert whole.count.tolist() == parts.count.tolist() == [3, 2, 1, 2, 4]
    assert torch.allclose(whole.running, parts.running, rtol=1e-12)
    low, high = z[bucket <= 1].double(), z[bucket >= 5].double()
    assert torch.allclose(whole.running[:, 0], torch.stack([low.mean(0), low.var(0)]), rtol=1e-12)
    assert torch.allclose(whole.running[:, -1], torch.stack([high.mean(0), high.var(0)]), rtol=1e-12)
    one = FeatureSmoothing(2, 1, 3, as_published=True)
    one.update(z, bucket, 0)
    assert one.count.tolist() == [12], "one bucket is both ends"


def test_empty_buckets_take_the_line_between_their_neighbours() -> None:
    """Buckets 0 and 4 of 0..5 are seen: 1..3 lie between them, 5 is as 4. As published they pull to mean 0."""
    z, bucket = torch.tensor([[8.0], [12.0], [28.0], [32.0]]), torch.tensor([0, 0, 4, 4])
    fds, published = (FeatureSmoothing(6, 0, 1, "triangular", 3, 1, as_published=flag) for flag in (False, True))
    for epoch in range(2):
        fds.update(z, bucket, epoch)
        published.update(z, bucket, epoch)
    assert fds.target[[0, 4], 0].tolist() == pytest.approx([(10 + 15) / 2, (25 + 2 * 30 + 30) / 4])
    assert published.target[[0, 4], 0].tolist() == pytest.approx([5.0, 15.0])
    lone = torch.tensor([[3.0]])
    assert fds.smooth(lone, torch.tensor([2]), 2).equal(lone), "a bucket without statistics of its own"


def test_a_bucket_s_first_epoch_replaces_whenever_it_comes() -> None:
    z = torch.tensor([[1.0], [3.0]])
    fds, published = FeatureSmoothing(2, 0, 1), FeatureSmoothing(2, 0, 1, as_published=True)
    for one in (fds, published):
        one.update(z, torch.tensor([0, 0]), 0)
        one.update(z, torch.tensor([1, 1]), 1)
    assert fds.running[0].flatten().tolist() == [2.0, 2.0]
    assert published.running[0].flatten().tolist() == pytest.approx([2.0, 0.2])


@pytest.mark.parametrize("as_published", [False, True])
def test_features_without_variance_stay_alone(as_published: bool) -> None:
    """One sample in a bucket, a dead feature in another: those stay, all else is smoothed, and nothing is NaN."""
    z = torch.tensor([[1.0, 5.0], [3.0, 5.0], [2.0, 7.0], [4.0, 6.0], [9.0, 9.0]])
    bucket = torch.tensor([0, 0, 1, 1, 2])
    fds = FeatureSmoothing(3, 0, 2, as_published=as_published)
    for epoch in range(3):
        fds.update(z, bucket, epoch)
    got = fds.smooth(z.clone(), bucket, 3)
    assert got.isfinite().all()
    assert got[:2, 1].equal(z[:2, 1])
    assert got[4].equal(z[4])
    assert not got[:2, 0].equal(z[:2, 0])
    assert not got[2:4].equal(z[2:4])


def test_half_precision_keeps_its_type_and_statistics_their_digits() -> None:
    z, bucket = features_of(50, 3, 12).to(torch.bfloat16), 1 + torch.arange(50) % 5
    half, wide = FeatureSmoothing(6, 1, 3), FeatureSmoothing(6, 1, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for epoch in range(2):
            half.update(z, bucket, epoch)
            wide.update(z.double(), bucket, epoch)
        got = half.smooth(z, bucket, 2)
    assert half.running.equal(wide.running)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.double(), wide.smooth(z.double(), bucket, 2), rtol=1e-2, atol=1e-2)
    single = half.smooth(z.float(), bucket, 2)
    torch.testing.assert_close(single.double(), wide.smooth(z.double(), bucket, 2), rtol=1e-5, atol=1e-5)


def test_smoothing_moves_a_rare_bucket_towards_its_neighbours() -> None:
    """What the method is for: the outlying mean of a bucket of few samples is drawn to where its neighbours are."""
    z = torch.randn(203, 4, generator=torch.Generator().manual_seed(1))
    z[200:] += 5
    bucket = torch.cat([torch.arange(200) % 2 * 2, torch.ones(3, dtype=torch.long)])
    fds = FeatureSmoothing(3, 0, 4)
    for epoch in range(2):
        fds.update(z, bucket, epoch)
    before, after = z[200:].mean(0), fds.smooth(z, bucket, 2)[200:].mean(0)
    assert (after.abs() < 0.7 * before.abs()).all()


FDS = FeatureSmoothing(4, 1, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FeatureSmoothing(3, 3, 2), "0 <= start < buckets must hold"),
        (lambda: FeatureSmoothing(3, -1, 2), "0 <= start < buckets must hold"),
        (lambda: FeatureSmoothing(3, 0, 0), "dim must be >= 1"),
        (lambda: FeatureSmoothing(3, 0, 2, size=4), "size must be odd"),
        (lambda: FeatureSmoothing(3, 0, 2, "box"), "kernel must be one of"),  # type: ignore[arg-type]
        (lambda: FeatureSmoothing(3, 0, 2, momentum=1.0), r"momentum must be in \[0, 1\)"),
        (lambda: FeatureSmoothing(3, 0, 2, clip=(2.0, 0.5)), "0 < low <= high"),
        (
            lambda: FDS.smooth(torch.zeros(5, 3), torch.zeros(5).long(), 1),
            r"z must be a floating tensor of shape \(B, 2\)",
        ),
        (lambda: FDS.smooth(torch.zeros(5, 2), torch.zeros(5), 1), r"bucket must be whole numbers of shape \(5,\)"),
        (
            lambda: FDS.update(torch.zeros(5, 2), torch.zeros(4).long(), 0),
            r"bucket must be whole numbers of shape \(5,\)",
        ),
        (lambda: FDS.advance(0), "features must have been observed"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
