"""L_grc against three plain loops in float64: values, gradients, symmetries, and the batches that break shortcuts."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import groupdir.losses.group_contrastive as module
import groupdir.losses.group_contrastive_levels as levels
from groupdir.losses import group_contrastive_loss
from groupdir.losses.directions import products_keep_float32
from tests.groupdir.losses.contrastive_by_loops import assert_right, batch_of, with_gradient

SIMILARITIES = ("negative_l2", "cosine", "negative_unit_l2")
every_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)


@every_similarity
@given(
    batch=st.integers(3, 9),
    features=st.integers(1, 5),
    temperature=st.sampled_from([0.02, 0.1, 0.5, 2.5]),
    groups=st.sampled_from([[0], [0, 1], [-3, 0, 1, 5], [0, 1, 2, 3, 4, 5, 6, 7], [10**15, 10**15 + 1, -7]]),
    data=st.data(),
)
@settings(max_examples=40)
def test_value_and_gradient_are_the_definition(
    similarity: str, batch: int, features: int, temperature: float, groups: list[int], data: st.DataObject
) -> None:
    z, _ = batch_of(batch, features, data.draw(st.integers(0, 10**6)))
    group = torch.tensor(data.draw(st.lists(st.sampled_from(groups), min_size=batch, max_size=batch)))
    assert_right(z, group, temperature, similarity, rtol=1e-9)


@every_similarity
@pytest.mark.parametrize("length", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("temperature", [0.02, 0.3, 2.5])
def test_float32_keeps_five_digits(similarity: str, length: float, temperature: float) -> None:
    z, group = batch_of(16, 32, seed=1)
    z = (length * z / z.norm(dim=1).mean()).float()
    assert_right(z, group, temperature, similarity, rtol=1e-5)
    assert_right(z + 5 * length, group, temperature, similarity, rtol=3e-5)  # a large common offset


@every_similarity
@pytest.mark.parametrize("gap", [1e-1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("temperature", [0.05, 2.5])
def test_near_duplicates_keep_their_digits_in_float32(similarity: str, gap: float, temperature: float) -> None:
    """Two views of one picture: |z|^2 dwarfs their squared distance, which a product of matrices then rounds away."""
    z, group = batch_of(8, 16, seed=2)
    views = torch.cat([z, z + gap * batch_of(8, 16, seed=3)[0]]).float()
    assert_right(views, group.repeat(2), temperature, similarity, rtol=2e-5)


@every_similarity
def test_equal_points_and_zero_vectors_have_finite_gradients(similarity: str) -> None:
    z, group = batch_of(9, 4, seed=4)
    z[3], z[5], z[8] = z[0], z[1], z[0]
    z[2] = z[6] = 0
    for features in (z, z.float(), 1000 * z.float()):
        assert_right(features, group, 0.5, similarity, rtol=1e-5)
        assert_right(features, group, 0.02, similarity, rtol=1e-5)
    value, gradient = with_gradient(group_contrastive_loss, torch.zeros(4, 3), torch.arange(4), 0.1, similarity)
    assert float(value) == pytest.approx((6 * math.log(3) + 2 * math.log(2)) / 12, rel=1e-6)
    assert gradient.tolist() == torch.zeros(4, 3).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_similarity
def test_half_precision_is_calculated_in_float32(similarity: str, dtype: torch.dtype) -> None:
    z, group = batch_of(12, 8, seed=5)
    z = z.to(dtype)
    value, gradient = with_gradient(group_contrastive_loss, z, group, 0.1, similarity)
    wide, slope = with_gradient(group_contrastive_loss, z.float(), group, 0.1, similarity)
    assert value == wide
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient, slope.to(dtype), rtol=0, atol=0)


@every_similarity
def test_autocast_and_coarse_products_change_nothing(similarity: str) -> None:
    z, group = batch_of(32, 32, seed=6)
    z = z.float()
    plain = with_gradient(group_contrastive_loss, z, group, 0.05, similarity)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = with_gradient(group_contrastive_loss, z, group, 0.05, similarity)
    assert cast[0] == plain[0]
    assert torch.equal(cast[1], plain[1])
    before = torch.backends.mkldnn.matmul.fp32_precision
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    try:
        assert_right(z, group, 0.05, similarity, rtol=1e-5)
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = before


@every_similarity
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("temperature", [0.001, 0.05, 1.0])
def test_gradcheck(similarity: str, raw: bool, temperature: float) -> None:
    z, group = batch_of(7, 4, seed=7)
    target = torch.rand(7, dtype=torch.float64) if raw else group
    assert torch.autograd.gradcheck(
        lambda x: group_contrastive_loss(x, target, temperature, similarity) * temperature,
        z.requires_grad_(),
        eps=1e-7,
        atol=1e-5,
    )


@every_similarity
def test_a_value_by_hand(similarity: str) -> None:
    """Directions 0, 90 and 180 degrees, groups 0, 1, 3: three pairs have one candidate only, and cost nothing."""
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    near, far = {"cosine": (0.0, -1.0)}.get(similarity, (-math.sqrt(2), -2.0))
    excess = [math.log(1 + math.exp((far - near) / 2)), math.log(2), math.log(1 + math.exp((far - near) / 2))]
    value = group_contrastive_loss(z, torch.tensor([0, 1, 3]), 2.0, similarity)
    assert float(value) == pytest.approx(sum(excess) / 6, rel=1e-12)


def test_fewer_than_two_samples_give_zero_and_zero_gradients() -> None:
    for batch in (0, 1):
        value, gradient = with_gradient(group_contrastive_loss, torch.ones(batch, 3), torch.zeros(batch).long(), 1.0)
        assert float(value) == 0
        assert gradient.tolist() == torch.zeros(batch, 3).tolist()


@every_similarity
def test_two_samples_have_nothing_to_rank(similarity: str) -> None:
    for group in (torch.tensor([0, 1]), torch.tensor([2, 2])):
        z, _ = batch_of(2, 3, seed=8)
        value, gradient = with_gradient(group_contrastive_loss, z.float(), group, 0.02, similarity)
        assert float(value) == pytest.approx(0, abs=1e-5)
        assert float(gradient.norm()) == pytest.approx(0, abs=1e-4)


@every_similarity
def test_one_group_in_the_batch_is_plain_and_finite(similarity: str) -> None:
    z, _ = batch_of(10, 4, seed=9)
    value = group_contrastive_loss(z, torch.full((10,), 3), 0.3, similarity)
    assert float(value) >= math.log(9) - 1e-9
    assert_right(z.float(), torch.full((10,), 3), 0.02, similarity, rtol=1e-5)


@every_similarity
@given(seed=st.integers(0, 10**6), temperature=st.floats(0.02, 5))
@settings(max_examples=25)
def test_symmetries(similarity: str, seed: int, temperature: float) -> None:
    z, group = batch_of(11, 4, seed)
    draw = torch.Generator().manual_seed(seed)
    value = group_contrastive_loss(z, group, temperature, similarity)

    def same(features: Tensor, groups: Tensor) -> None:
        other = group_contrastive_loss(features, groups, temperature, similarity)
        torch.testing.assert_close(other, value, rtol=1e-8, atol=1e-10)

    order = torch.randperm(11, generator=draw)
    same(z[order], group[order])
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=draw))
    same(z @ rotation, group)
    same(z, group + 17)
    same(z, 4 - group)
    same(z, group.double())
    if similarity == "negative_l2":
        same(z + torch.randn(4, dtype=torch.float64, generator=draw), group)
    else:
        same(z * (10 ** torch.randn(11, 1, dtype=torch.float64, generator=draw)), group)


def test_distances_of_groups_count_not_their_ranks() -> None:
    z, _ = batch_of(9, 3, seed=10)
    apart, ranks = torch.tensor([0, 1, 5] * 3), torch.tensor([0, 1, 2] * 3)
    assert_right(z, apart, 0.5, "negative_l2", rtol=1e-9)
    assert group_contrastive_loss(z, apart, 0.5) != group_contrastive_loss(z, ranks, 0.5)


def rank_n_contrast(z: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Rank-N-Contrast by its own definition: for each anchor and partner, a softmax over all no nearer in label."""
    batch, total = len(z), 0.0
    for i in range(batch):
        rest = [k for k in range(batch) if k != i]
        similarity = torch.stack([-torch.dist(z[i], z[k]) / temperature for k in rest])
        gap = (target[rest] - target[i]).abs()
        total = total + sum(
            -torch.log_softmax(similarity[gap >= gap[j]], 0)[int((gap >= gap[j])[:j].sum())] for j in range(batch - 1)
        )
    return torch.as_tensor(total) / (batch * (batch - 1))


@pytest.mark.parametrize("most_levels", [256, 3])
@pytest.mark.parametrize("temperature", [0.0005, 0.05, 2.0])
def test_raw_targets_give_rank_n_contrast(
    monkeypatch: pytest.MonkeyPatch, most_levels: int, temperature: float
) -> None:
    """Both ways through: memberships of few levels, each sample on its own for many; with ties and without."""
    monkeypatch.setattr(levels, "MAX_LEVELS", most_levels)
    z, group = batch_of(12, 4, seed=11)
    for target in (torch.rand(12, dtype=torch.float64), group.double() / 10, group * 7):
        value, gradient = with_gradient(group_contrastive_loss, z, target, temperature)
        expected, slope = with_gradient(rank_n_contrast, z, target.double(), temperature)
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(gradient, slope, rtol=1e-7, atol=1e-10 / temperature)


def test_float32_targets_are_taken_as_the_numbers_they_are() -> None:
    target = torch.tensor([2.2, 2.4, 2.6, 2.9])
    z, _ = batch_of(4, 3, seed=12)
    assert group_contrastive_loss(z, target, 1.0) == group_contrastive_loss(z, target.double(), 1.0)


@every_similarity
@pytest.mark.parametrize("most_levels", [256, 3])
@pytest.mark.parametrize("temperature", [0.0005, 0.5])
def test_blocks_of_anchors_are_put_together(
    monkeypatch: pytest.MonkeyPatch, similarity: str, most_levels: int, temperature: float
) -> None:
    z, group = batch_of(50, 6, seed=13, groups=7)
    whole = with_gradient(group_contrastive_loss, z, group, temperature, similarity)
    monkeypatch.setattr(levels, "MAX_LEVELS", most_levels)
    monkeypatch.setattr(module, "_BLOCK_ELEMENTS", 8 * 50)
    parts = with_gradient(group_contrastive_loss, z, group, temperature, similarity)
    torch.testing.assert_close(parts[0], whole[0], rtol=1e-10, atol=0)
    torch.testing.assert_close(parts[1], whole[1], rtol=1e-7, atol=1e-9 / temperature)


@every_similarity
def test_more_than_256_levels_and_more_than_one_block_as_shipped(similarity: str) -> None:
    """Values against every mask spelled out; 700 rows are two blocks, 300 levels are sorted."""
    for groups in (4, 300):
        z, group = batch_of(700, 6, seed=13, groups=groups)
        value = group_contrastive_loss(z.float(), group, 0.5, similarity)
        x = z.float().double() if similarity == "negative_l2" else torch.nn.functional.normalize(z.float().double())
        s = (x @ x.T if similarity == "cosine" else -torch.cdist(x, x)) / 0.5
        d, off = (group[:, None] - group).abs(), ~torch.eye(700, dtype=torch.bool)
        e = s.exp().float() * off
        tails = torch.stack([(e * (d >= m)).sum(1) for m in range(groups)], 1).double()
        expected = ((tails.gather(1, d).log() - s)[off]).mean()
        assert float(value) == pytest.approx(float(expected), rel=1e-6)


def test_nothing_is_left_of_broken_features() -> None:
    """NaN in, NaN out: the trainer must see it, whichever way the calculation went."""
    for bad, similarity in itertools.product((math.nan, math.inf), SIMILARITIES):
        z, group = batch_of(6, 3, seed=14)
        z[2, 1] = bad
        assert math.isnan(float(group_contrastive_loss(z.float(), group, 0.5, similarity)))


def test_extreme_lengths_do_not_overflow() -> None:
    z, group = batch_of(6, 3, seed=15)
    for length in (1e-30, 1e30):
        features = (length * z).float()
        for similarity in SIMILARITIES[1:]:
            assert_right(features, group, 0.1, similarity, rtol=1e-5)
        assert_right(features, group, 0.1 * length, "negative_l2", rtol=1e-5)


@pytest.mark.parametrize(
    ("length", "offset", "gap", "temperature", "similarity", "expected"),
    [
        (1.0, 0.0, 1.0, 2.5, "negative_l2", (torch.float32, torch.float32)),
        (1.0, 99.0, 1.0, 2.5, "negative_l2", (torch.float32, torch.float32)),  # an offset that all share is taken out
        (1.0, 0.0, 1.0, 0.05, "negative_unit_l2", (torch.float32, torch.float32)),
        (1.0, 0.0, 1.0, 0.05, "cosine", (torch.float32, torch.float32)),
        (1.0, 0.0, 1.0, 0.01, "cosine", (torch.float64, torch.float32)),
        (100.0, 0.0, 1.0, 0.1, "negative_l2", (torch.float64, torch.float32)),  # the product is not even tried
        (1.0, 0.0, 0.2, 0.02, "negative_unit_l2", (torch.float64, torch.float32)),  # s needs it, x_i - x_j does not
        (1.0, 0.0, 1e-2, 2.5, "negative_l2", (torch.float64, torch.float64)),
        (1.0, 0.0, 0.0, 2.5, "negative_l2", (torch.float64, torch.float64)),
    ],
)
def test_float64_is_used_where_it_is_needed_and_only_there(
    length: float, offset: float, gap: float, temperature: float, similarity: str, expected: tuple[torch.dtype, ...]
) -> None:
    z = torch.nn.functional.normalize(batch_of(16, 64, seed=21)[0])
    z = torch.cat([z, z + gap * torch.nn.functional.normalize(batch_of(16, 64, seed=22)[0])]).float()
    pairs = module._pairs(length * z + offset, temperature, similarity)  # type: ignore[arg-type]
    assert (pairs.matrix.dtype, pairs.points.dtype) == expected


def test_rounding_leaves_no_distance_between_equal_rows() -> None:
    for batch, features in itertools.product((5, 16, 63, 100), (3, 17, 300, 2048)):
        z = 1000 * batch_of(batch, features, seed=batch + features)[0].float()
        z[-1], z[batch // 2] = z[0], z[1]
        distance = module._pairs(z, 0.02, "negative_l2").matrix
        assert distance[0, -1] == distance[1, batch // 2] == 0
        assert int((distance == 0).sum()) == batch + 4


def test_coarse_products_are_noticed_on_either_device() -> None:
    for backend, device in ((torch.backends.mkldnn, "cpu"), (torch.backends.cuda, "cuda")):
        before = backend.matmul.fp32_precision
        try:
            for precision, exact in (("ieee", True), ("tf32", False)):
                backend.matmul.fp32_precision = precision
                assert products_keep_float32(torch.device(device)) is exact
        finally:
            backend.matmul.fp32_precision = before


def test_no_gradient_is_made_when_none_is_wanted() -> None:
    z, group = batch_of(6, 3, seed=16)
    with torch.no_grad():
        value = group_contrastive_loss(z.requires_grad_(), group, 0.5)
    assert not value.requires_grad
    assert value == group_contrastive_loss(z.detach(), group, 0.5)


def test_the_incoming_gradient_scales_and_the_graph_may_be_used_twice() -> None:
    z, group = batch_of(6, 3, seed=17)
    _, slope = with_gradient(group_contrastive_loss, z, group, 0.5)
    z.requires_grad_()
    loss = 3 * group_contrastive_loss(z, group, 0.5)
    for _ in range(2):
        (gradient,) = torch.autograd.grad(loss, z, retain_graph=True)
        torch.testing.assert_close(gradient, 3 * slope)


def test_the_same_input_gives_the_same_bits() -> None:
    z, group = batch_of(200, 16, seed=18)
    first, second = (with_gradient(group_contrastive_loss, z.float(), group, 0.3, "cosine") for _ in range(2))
    assert first[0] == second[0]
    assert torch.equal(first[1], second[1])


@every_similarity
def test_ten_steps_put_the_groups_in_order(similarity: str) -> None:
    """Direction: afterwards a larger distance of groups means a larger distance of features."""
    z, _ = batch_of(24, 3, seed=19)
    group = torch.arange(24) % 4
    target = (group[:, None] - group).abs().double().flatten()

    def agreement(features: Tensor) -> float:
        if similarity != "negative_l2":
            features = torch.nn.functional.normalize(features, dim=1)
        return float(torch.corrcoef(torch.stack([torch.cdist(features, features).flatten(), target]))[0, 1])

    moved, values = z.clone().requires_grad_(), []
    optimizer = torch.optim.SGD([moved], lr=10.0)
    for _ in range(10):
        optimizer.zero_grad()
        loss = group_contrastive_loss(moved, group, 1.0, similarity)
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < values[0] - 0.02
    assert agreement(moved.detach()) > agreement(z) + 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), torch.zeros(3).long(), 1.0), r"z must be a floating tensor of shape \(B, D\)"),
        ((torch.zeros(3, 2).long(), torch.zeros(3).long(), 1.0), "z must be a floating tensor"),
        ((torch.zeros(3, 2), torch.zeros(2).long(), 1.0), r"shape \(3,\) on cpu"),
        ((torch.zeros(3, 2), torch.zeros(3, 1).long(), 1.0), r"of shape \(3, 1\)"),
        ((torch.zeros(3, 2), torch.zeros(3, device="meta").long(), 1.0), "on meta"),
        ((torch.zeros(3, 2), torch.zeros(3).long(), 0.0), "temperature must be > 0 and finite, got 0.0"),
        ((torch.zeros(3, 2), torch.zeros(3).long(), math.nan), "temperature must be > 0"),
        (
            (torch.zeros(3, 2), torch.zeros(3).long(), 1.0, "dot"),
            "one of negative_l2, cosine, negative_unit_l2, got 'dot'",
        ),
        ((torch.zeros(3, 2), torch.tensor([0.0, math.nan, math.inf]), 1.0), "got 2 NaN or infinite among 3"),
    ],
)
def test_mistakes_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        group_contrastive_loss(*arguments)
