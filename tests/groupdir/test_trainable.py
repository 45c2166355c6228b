"""What a trial says where a node cannot train it."""

import errno
import os
from pathlib import Path

import pytest

from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError, DiskFullError, NodeError, OtherCodeError, StorageLostError
from groupdir.trainable import TrialTrainable, placement
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


def test_a_disk_that_takes_no_checkpoint_is_the_node_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainable = TrialTrainable({"trial": 4, "config": TrialConfig.from_dict(TRIAL).to_dict()})
    kinds = ((errno.ENOSPC, DiskFullError), (errno.EROFS, StorageLostError), (errno.ESTALE, StorageLostError))
    for number, error in kinds:

        def fail(*_: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(error, match="cannot be written"):
            trainable.save(str(tmp_path))


def config_in(marker: Path) -> dict[str, object]:
    marker.touch()
    return {"trial": 4, "config": TrialConfig.from_dict(TRIAL).to_dict(), "marker": str(marker)}


def test_a_node_without_the_storage_begins_no_trial(tmp_path: Path) -> None:
    """The folder is there, as that of an unmounted disk is."""
    config = config_in(tmp_path / ".storage")
    (tmp_path / ".storage").unlink()
    trainable = TrialTrainable({**config, "resume": str(tmp_path / "gone"), "stages": {"place": "/x", "marks": []}})
    with pytest.raises(StorageLostError, match=rf"node {os.uname().nodename}: cannot use the storage .*is not there"):
        trainable.step()


def test_a_node_that_loses_the_storage_neither_saves_nor_restores(tmp_path: Path) -> None:
    config = config_in(tmp_path / ".storage")
    trainable = TrialTrainable(config)
    trainable.step()
    trainable.save(str(tmp_path / "kept"))
    (tmp_path / ".storage").unlink()
    with pytest.raises(StorageLostError):
        trainable.save(str(tmp_path / "lost"))
    assert not (tmp_path / "lost").exists(), "what is written under a mount point disappears with the next mount"
    trainable.restore(str(tmp_path / "kept"))  # Ray would count an error here, and forget the checkpoint
    with pytest.raises(StorageLostError):
        trainable.step()
    (tmp_path / ".storage").touch()
    again = TrialTrainable(config)
    again.restore(str(tmp_path / "kept"))
    assert again.step()["epoch"] == 2


def test_an_error_while_the_storage_is_there_stays_what_it_is(tmp_path: Path) -> None:
    trainable = TrialTrainable(config_in(tmp_path / ".storage"))
    with pytest.raises(ValueError, match="does not exist on storage anymore"):
        trainable.restore(str(tmp_path / "never written"))


def test_a_request_names_the_nodes_that_it_avoids() -> None:
    assert placement({"CPU": 1.0}) == placement({"CPU": 1.0}, [])
    avoiding = placement({"CPU": 1.0}, ["b", "a"])
    assert avoiding == placement({"CPU": 1.0}, ["a", "b"]) != placement({"CPU": 1.0})
    assert avoiding.required_resources == {"CPU": 1.0}
    config = {"resources": {"CPU": 1.0}, "refused": ("a", "b")}
    assert TrialTrainable.default_resource_request(config) == avoiding
