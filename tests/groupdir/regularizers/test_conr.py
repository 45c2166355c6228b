"""ConR as a term: window and eta count label bins, whatever the label's unit is."""

import pytest
import torch

from groupdir.config.regularizers import ConRConfig
from groupdir.data.base import Targets
from groupdir.errors import ConfigError
from groupdir.losses import conr_loss
from groupdir.regularizers.conr import ConR
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import trial


def test_the_window_counts_label_bins() -> None:
    generator = torch.Generator().manual_seed(0)
    z, years = torch.randn(12, 4, generator=generator), torch.randint(0, 6, (12,), generator=generator).float()
    guess, weight = years + torch.randn(12, generator=generator), torch.rand(12, generator=generator)
    found = {}
    for width in (1.0, 0.1):
        term = ConR(ConRConfig(name="conr"), Targets(low=0, high=10 * width, bin_width=width, unit="units"))
        found[width] = float(term(z, width * years, width * guess, weight))
    assert found[1.0] == pytest.approx(float(conr_loss(z, years, guess, weight=weight)))
    assert found[0.1] == pytest.approx(found[1.0], rel=1e-4)


def test_it_asks_for_two_views_and_says_where_there_are_none() -> None:
    assert Trainer(trial({"name": "vanilla", "regularizer": {"name": "conr"}})).stages[0].views == 2
    config = trial({"name": "vanilla", "regularizer": {"name": "conr"}})
    from tests.toy.parts import Waves

    class Still(Waves):
        augments = False

    with pytest.raises(ConfigError, match="asks for 2 views of each sample"):
        Trainer(config, Still(config.data))  # type: ignore[arg-type]
