"""What a trial says where a node cannot train it."""

import errno
import os
from pathlib import Path

import pytest

from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError, DiskFullError, FileWriteError, NodeError, OtherCodeError
from groupdir.trainable import TrialTrainable
from groupdir.training.trainer import make_dataset

TRIAL = {"data": {"name": "digits", "train": 128}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}


def test_what_is_refused_says_so_also_where_it_would_go_on(tmp_path: Path) -> None:
    """Ray restores a trial before its first step."""
    config = {"trial": 4, "config": TrialConfig.from_dict(TRIAL).to_dict()}
    refused = TrialTrainable({**config, "code": "another"})
    refused.load_checkpoint(tmp_path)
    with pytest.raises(OtherCodeError, match="groupdir must have the code of the driver"):
        refused.step()
    assert refused.reset_config(config)
    assert refused.step()["epoch"] == 1


def test_data_that_only_this_node_lacks_are_no_fault_of_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures stay in files: what the driver sends of them is where they are."""
    trial = TrialConfig.from_dict(TRIAL)
    refused = TrialTrainable({"trial": 4, "config": trial.to_dict()})
    sent = make_dataset(trial)

    def gone(name: str) -> None:
        raise DataError(f"pictures/{name}: cannot be read")

    monkeypatch.setattr(sent, "split", gone)
    refused.setup({"trial": 5, "config": trial.to_dict()}, sent)
    says = r"node \S+: the data of the driver must also be on this node, got: pictures/train: cannot be read: copy"
    with pytest.raises(NodeError, match=says):
        refused.step()


def test_a_full_disk_is_the_node_s_fault_and_a_read_only_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainable = TrialTrainable({"trial": 4, "config": TrialConfig.from_dict(TRIAL).to_dict()})
    for number, error in ((errno.ENOSPC, DiskFullError), (errno.EROFS, FileWriteError)):

        def fail(*_: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(error, match="cannot be written"):
            trainable.save(str(tmp_path))
