"""What a trial says where a node cannot train it."""

from pathlib import Path

import pytest

from groupdir.config import TrialConfig
from groupdir.errors import DataError, NodeError, OtherCodeError
from groupdir.trainable import TrialTrainable

TRIAL = {"data": {"name": "digits", "train": 128}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}


def test_what_is_refused_says_so_also_where_it_would_go_on(tmp_path: Path) -> None:
    """Ray restores a trial before its first step."""
    config = {"trial": 4, "config": TrialConfig.from_dict(TRIAL).to_dict()}
    refused = TrialTrainable({**config, "code": "another"})
    refused.load_checkpoint(tmp_path)
    with pytest.raises(OtherCodeError, match="groupdir must be the driver's"):
        refused.step()
    assert refused.reset_config(config)
    assert refused.step()["epoch"] == 1


def test_data_that_only_this_node_lacks_are_no_fault_of_the_trial(tmp_path: Path) -> None:
    data = {"name": "table", "root": str(tmp_path), "manifest": "none.csv", "target": "y"}
    config = {"trial": 4, "config": TrialConfig.from_dict(TRIAL | {"data": data}).to_dict()}
    with pytest.raises(DataError):
        TrialTrainable(config)
    refused = TrialTrainable({**config, "data_read": True})
    with pytest.raises(
        NodeError, match=r"node \S+: the data must be there as they are for the driver, got: .*none.csv"
    ):
        refused.step()
