"""RankSim as a term: its options reach the loss, and features come to be ranked as their labels."""

import torch

from groupdir.config.regularizers import RankSimConfig
from groupdir.data.base import Targets
from groupdir.losses import ranksim_loss
from groupdir.regularizers.ranksim import RankSim

TARGETS = Targets(low=0, high=10, bin_width=1, unit="steps")
Y = torch.arange(8.0)


def test_it_is_the_loss_of_the_features() -> None:
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    term = RankSim(RankSimConfig(name="ranksim", interpolation=3), TARGETS)
    assert torch.equal(term(z, Y, Y, torch.ones(8)), ranksim_loss(z, Y, interpolation=3))


def test_descending_it_ranks_the_features() -> None:
    z = torch.nn.Parameter(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)))
    term, optimizer = RankSim(RankSimConfig(name="ranksim"), TARGETS), torch.optim.Adam([z], lr=0.02)
    before = float(term(z, Y, Y, torch.ones(8)).detach())
    for _ in range(200):
        optimizer.zero_grad()
        term(z, Y, Y, torch.ones(8)).backward()
        optimizer.step()
    assert float(term(z, Y, Y, torch.ones(8)).detach()) < 0.5 * before
