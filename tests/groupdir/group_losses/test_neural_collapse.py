"""The simplex head: features turn to their group's direction; it does not move; one sample is no failure."""

import pytest
import torch

from groupdir.config.group_losses import NeuralCollapseConfig
from groupdir.errors import ConfigError
from groupdir.group_losses.base import GroupHead
from groupdir.group_losses.neural_collapse import NeuralCollapse


def made(dim: int = 8, groups: int = 3, **options: float) -> NeuralCollapse:
    torch.manual_seed(0)
    head = GroupHead(torch.nn.Identity(), torch.nn.Linear(dim, 2 * groups), torch.ones(groups, dtype=torch.int64))
    return NeuralCollapse(NeuralCollapseConfig(name="nc", **options), head)


def test_a_linear_encoder_collapses() -> None:
    group_loss, group = made(), torch.arange(3).repeat(8)
    generator = torch.Generator().manual_seed(1)
    x = torch.eye(3)[group] + 0.1 * torch.randn(24, 3, generator=generator)
    encoder = torch.nn.Linear(3, 8)
    etf = group_loss.etf.clone()
    optimizer = torch.optim.Adam([*encoder.parameters(), *group_loss.parameters()], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        z = encoder(x)
        group_loss.loss(z, z, group).backward()
        optimizer.step()
    group_loss.eval()
    assert torch.equal(group_loss.logits(encoder(x), z).argmax(1), group)
    assert torch.equal(group_loss.etf, etf)
    assert float(group_loss.loss(encoder(x), z, group).detach()) < 0.05


def test_one_sample_is_normalised_by_the_running_statistics() -> None:
    group_loss = made()
    z = torch.randn(1, 8)
    before = group_loss.norm.running_mean.clone()  # type: ignore[union-attr]
    assert group_loss.loss(z, z, torch.tensor([1])).isfinite()
    assert torch.equal(group_loss.norm.running_mean, before)  # type: ignore[arg-type]


def test_a_length_penalty_leaves_lengths() -> None:
    z = torch.randn(6, 8)
    short, long = made(length_penalty=0.01), made()
    assert short.logits(z, z).norm() > long.logits(z, z).norm()


@pytest.mark.parametrize(("dim", "groups"), [(4, 5), (4, 1)])
def test_it_says_which_groups_fit(dim: int, groups: int) -> None:
    with pytest.raises(ConfigError, match=r"method\.groups: group loss nc needs 2 to 4 groups"):
        made(dim, groups)
