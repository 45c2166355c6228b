"""A first stage is trained once; who takes it ends bit for bit where he would have ended alone."""

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.files.fence import Attempt, Fence
from groupdir.files.storage import Place
from groupdir.files.study_files import GIVEN_UP
from groupdir.training import stages
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint
from groupdir.training.stages import SharedStage, StageFolder, address
from groupdir.training.trainer import Trainer, run_trial
from tests.groupdir.methods.cases import case_trial

TWO_STAGES = ("two_stage", "pretrain-regression", "pretrain-rank_n_contrast")


def rows(config: TrialConfig, where: StageFolder | None = None) -> list[tuple[int, str, str]]:
    """Epoch, stage and metrics of what a trial trains itself."""
    return [(found.epoch, found.stage, repr(found.metrics)) for found in run_trial(config, stages=where)]


def pretrained(found: list[tuple[int, str, str]]) -> list[int]:
    return [epoch for epoch, stage, _ in found if stage == "pretrain"]


@pytest.mark.parametrize("case", TWO_STAGES)
def test_the_second_trial_takes_it_and_ends_where_it_would_have(case: str, tmp_path: Path) -> None:
    first = case_trial(case, encoder__dropout=0.2)
    second = first.replaced({"method.encoder_lr": 0.5})
    where = StageFolder(tmp_path)
    assert rows(first, where) == rows(first)
    taken, alone = rows(second, where), rows(second)
    assert pretrained(alone)
    assert not pretrained(taken)
    assert taken == alone[len(pretrained(alone)) :]


@pytest.mark.parametrize("group_loss", ["ce", "nc", "do", "rebat"])
def test_other_heads_on_the_same_encoder(group_loss: str, tmp_path: Path) -> None:
    first = case_trial("two_stage")
    other = first.replaced({"method.group_loss": group_loss, "method.lambda_soft": 0.3})
    where = StageFolder(tmp_path)
    rows(first, where)
    taken, alone = rows(other, where), rows(other)
    assert taken[-1] == alone[-1]
    assert bool(pretrained(taken)) == (group_loss == "rebat"), "the averaged model follows the encoder from the start"


def key(config: TrialConfig) -> str:
    return address(config, config.stages[0])


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"data.size": 70},
        {"encoder.widths": [8]},
        {"method.groups": 4},
        {"method.temperature": 0.7},
        {"method.similarity": "negative_l2"},
        {"method.pretrain.optim": {"lr": 0.02}},
        {"method.pretrain.optim": {"schedule": "cosine", "lr": 0.01}},
        {"method.resampling": {"name": "smoter"}},
        {"optim.lr": 0.02},
        {"train.batch_size": 16},
        {"train.amp": "bf16"},
    ],
)
def test_what_decides_the_stage_is_in_its_address(change: dict[str, Any]) -> None:
    config = case_trial("two_stage")
    assert key(config) != key(config.replaced(change))


SEEDS = {"seed": 11, "stage_seed": 3}  # the seed of the cases is 3


@pytest.mark.parametrize("case", TWO_STAGES)
def test_a_trial_takes_the_stage_of_its_stage_seed(case: str, tmp_path: Path) -> None:
    first = case_trial(case, encoder__dropout=0.2)
    second = first.replaced(SEEDS)
    where = StageFolder(tmp_path)
    trained, taken, alone = rows(first, where), rows(second, where), rows(second)
    assert not pretrained(taken)
    assert taken == alone[len(pretrained(alone)) :]
    assert alone[: len(pretrained(alone))] == trained[: len(pretrained(trained))], "the seed of the stage trains it"
    assert taken[-1] != trained[-1], "the other stages have the seed of the trial"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_trial_with_another_seed_takes_no_stage_unless_it_says_so(tmp_path: Path) -> None:
    first = case_trial("two_stage")
    where = StageFolder(tmp_path)
    rows(first, where)
    assert pretrained(rows(first.replaced({"seed": 11}), where)) == [1, 2]
    assert pretrained(rows(first.replaced({"seed": 3, "stage_seed": 11}), where)) == [], "that is the stage of seed 11"
    assert key(first.replaced(SEEDS)) == key(first) != key(first.replaced({"seed": 11}))


def test_resampled_samples_follow_the_seed_of_the_stage(tmp_path: Path) -> None:
    first = case_trial("pretrain-regression").replaced({"method.resampling": {"name": "smogn"}})
    where = StageFolder(tmp_path)
    rows(first, where)
    taken, alone = rows(first.replaced(SEEDS), where), rows(first.replaced(SEEDS))
    assert taken == alone[len(pretrained(alone)) :]
    assert not pretrained(taken)


def test_only_what_the_stage_changes_starts_from_its_seed() -> None:
    first, second, other = (
        Trainer(case_trial("two_stage").replaced(seeds)).method.state_dict() for seeds in ({}, SEEDS, {"seed": 11})
    )
    weights = {name for name in first if not torch.equal(first[name], other[name])}
    assert {name.partition(".")[0] for name in weights} == {"encoder", "head"}
    for name in weights:
        assert torch.equal(second[name], (first if name.startswith("encoder.") else other)[name]), name


def test_the_length_is_in_the_address_only_where_the_rate_depends_on_it() -> None:
    config = case_trial("two_stage")
    longer = {"method.pretrain.epochs": 9}
    assert key(config) == key(config.replaced(longer))
    cosine = config.replaced({"optim.schedule": "cosine"})
    assert key(cosine) != key(cosine.replaced(longer))


def test_a_longer_stage_goes_on_from_a_shorter_one_and_leaves_marks(tmp_path: Path) -> None:
    base = case_trial("two_stage", encoder__dropout=0.2)
    short, middle, long = (base.replaced({"method.pretrain.epochs": epochs}) for epochs in (2, 4, 6))
    where = StageFolder(tmp_path, marks=(2, 4, 6))
    assert pretrained(rows(short, where)) == [1, 2]
    taken = rows(long, where)
    assert pretrained(taken) == [3, 4, 5, 6]
    assert taken == rows(long)[2:]
    taken = rows(middle, where)
    assert not pretrained(taken), "the longer one left it as it passed"
    assert taken == rows(middle)[4:]


def test_nodes_that_share_no_folder_share_through_a_store(tmp_path: Path) -> None:
    first = case_trial("two_stage", encoder__dropout=0.2)
    second = first.replaced({"method.encoder_lr": 0.5})
    store = Place.at(tmp_path / "store")
    one, two = (StageFolder(tmp_path / node, store=store) for node in ("one", "two"))
    rows(first, one)
    taken = rows(second, two)
    assert not pretrained(taken)
    assert taken == rows(second)[-len(taken) :]
    (name,) = store.names()
    assert all(file.startswith("epoch-") for file in (store / name).names()), "neither claims nor unfinished ones"


def test_a_store_that_fails_is_told_of_and_the_stage_is_trained(tmp_path: Path) -> None:
    config = case_trial("two_stage")
    (tmp_path / "file").touch()
    where = StageFolder(tmp_path / "one", store=Place.at(tmp_path / "file"))
    with pytest.warns(UserWarning, match="so that other trials train this stage too"):
        assert rows(config, where) == rows(config)
    assert not pretrained(rows(config, where)), "this node has it all the same"


def train_slowly(config: TrialConfig, folder: Path) -> None:
    stages.SAVE_EVERY = 0.0
    for _ in run_trial(config, stages=StageFolder(folder)):
        time.sleep(0.5)


def test_another_goes_on_where_a_killed_one_was(tmp_path: Path) -> None:
    config = case_trial("two_stage").replaced({"method.pretrain.epochs": 60, "optim.schedule": "cosine"})
    process = multiprocessing.get_context("spawn").Process(target=train_slowly, args=(config, tmp_path))
    process.start()
    end = time.monotonic() + 100
    while not list(tmp_path.glob("*/latest.pt")):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    taken, alone = rows(config, StageFolder(tmp_path)), rows(config)
    process.join()
    assert 0 < len(pretrained(taken)) < 60
    assert taken == alone[-len(taken) :]
    assert sorted(file.name for file in tmp_path.glob("*/*")) == ["epoch-00060.pt", "owner.lock"]


def test_a_trial_that_ends_early_lets_others_train(tmp_path: Path) -> None:
    config = case_trial("two_stage")
    epochs = run_trial(config, stages=StageFolder(tmp_path))
    next(epochs)
    epochs.close()  # type: ignore[attr-defined]
    assert rows(config, StageFolder(tmp_path)) == rows(config)


def test_a_resumed_trial_goes_on_with_its_own_epochs(tmp_path: Path) -> None:
    config = case_trial("two_stage").replaced({"method.pretrain.epochs": 4})
    where, path = StageFolder(tmp_path / "stages"), tmp_path / "trial.pt"
    epochs = run_trial(config, stages=where)
    next(epochs)
    next(epochs).save(path)
    epochs.close()  # type: ignore[attr-defined]
    found = [(row.epoch, row.stage, repr(row.metrics)) for row in run_trial(config, resume=path, stages=where)]
    assert found == rows(config)[2:]


def test_a_full_disk_costs_the_sharing_and_not_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = case_trial("two_stage")

    def full(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stages, "save_checkpoint", full)
    with pytest.warns(
        UserWarning, match="cannot be saved, so that other trials train this stage too: .*No space left on device"
    ):
        assert rows(config, StageFolder(tmp_path)) == rows(config)
    monkeypatch.undo()
    assert rows(config, StageFolder(tmp_path)) == rows(config)


@pytest.mark.parametrize("change", ["another stage", "cut", "empty", "one bit"])
def test_a_file_that_is_not_the_stage_is_kept_aside_and_trained_again(tmp_path: Path, change: str) -> None:
    config = case_trial("two_stage")
    rows(config, StageFolder(tmp_path))
    (file,) = tmp_path.glob("*/epoch-*.pt")
    content = file.read_bytes()
    if change == "another stage":
        save_checkpoint(file, {**torch.load(file, weights_only=True), "key": "{}"})
    elif change == "one bit":
        file.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    else:
        file.write_bytes(b"" if change == "empty" else content[: len(content) // 2])
    with pytest.warns(UserWarning, match=r"kept as epoch-\d+\.pt\.damaged-1 and trained again"):
        assert rows(config, StageFolder(tmp_path)) == rows(config)
    assert len([*file.parent.glob("*.damaged-1")]) == 1, "nothing is deleted"
    assert rows(config, StageFolder(tmp_path)) == rows(config)[2:], "the stage is loaded, not trained"
    load_checkpoint(file)
    trainer = Trainer(config)
    shared = SharedStage(StageFolder(tmp_path), config, trainer.method, trainer.stages[0])
    assert shared.folder == file.parent


def test_the_successor_of_a_given_up_trial_begins_where_that_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's driver cannot reach it any more, and it goes on: nobody waits for it, and it writes nothing more."""
    monkeypatch.setattr(stages, "SAVE_EVERY", 0.0)
    config = case_trial("two_stage").replaced({"method.pretrain.epochs": 6, "optim.schedule": "cosine"})
    fence = Fence(tmp_path / GIVEN_UP)
    fence.write("run-1")
    owner = run_trial(config, stages=StageFolder(tmp_path, attempt="run-1/0/0"))
    for _ in range(3):
        next(owner)
    fence.write("run-1", [Attempt("run-1", 0, 0)])
    successor = run_trial(config, stages=StageFolder(tmp_path, attempt="run-1/0/1"))
    first = next(successor)
    assert first.epoch == 4
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix == ".pt"}
    next(owner)
    assert {path: path.read_bytes() for path in files} == files
    taken = [(row.epoch, row.stage, repr(row.metrics)) for row in (first, *successor)]
    assert taken == rows(config)[3:]
    owner.close()  # type: ignore[attr-defined]
