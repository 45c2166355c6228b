"""Every preset of published settings loads, builds and takes a step on each data set that its head names."""

import math
from pathlib import Path

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer
from tests.search_spaces.presets import AGES, FACES, SMALL, STSB, TOKENS, head, options, path_of, trial


def takes_a_step(config: TrialConfig) -> None:
    """Train one epoch, which is one step, in each stage."""
    trainer = Trainer(config)
    before = {name: tensor.clone() for name, tensor in trainer.method.head.state_dict().items()}  # type: ignore[operator, union-attr]
    results = list(trainer.epochs())
    assert [result.stage for result in results] == [stage.name for stage in config.stages]
    assert all(math.isfinite(result.metrics["train_loss"]) for result in results)
    assert math.isfinite(results[-1].metrics[trainer.dataset.targets.selected_by])
    after = trainer.method.head.state_dict()  # type: ignore[operator, union-attr]
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_the_presets_are_there() -> None:
    assert len(AGES) == 17
    assert len(STSB) == 9


@pytest.mark.parametrize("stem", AGES)
def test_a_preset_for_ages_is_for_agedb_from_scratch(stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank-N-Contrast and the authors' code of Group-DIR use a ResNet-18, all others a ResNet-50."""
    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    config = TrialConfig.load(path_of(stem))
    assert config.data.name == "agedb"
    encoder = config.encoder.model_dump()
    depth = 18 if stem in ("ages_rank_n_contrast", "ages_group_dir_authors") else 50
    assert (encoder["name"], encoder["depth"], encoder["weights"]) == ("resnet", depth, None)


@pytest.mark.parametrize("stem", AGES)
def test_a_preset_for_ages_takes_a_step_on_photographs(stem: str, agedb: Path) -> None:
    takes_a_step(trial(stem, (f"data.root={agedb}", *SMALL)))


@pytest.mark.parametrize("stem", AGES)
def test_a_preset_for_ages_takes_a_step_on_faces(stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options stand in the head, and need no folder of data."""
    monkeypatch.delenv("GROUPDIR_DATA", raising=False)
    overrides = options(stem, " On the built-in faces: ")
    assert overrides == ["data=faces", "encoder=convnet"]
    takes_a_step(trial(stem, FACES))


@pytest.mark.parametrize("stem", AGES)
def test_the_options_for_imdb_wiki_load(stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    config = TrialConfig.load(path_of(stem), options(stem, " On IMDB-WIKI-DIR: "))
    assert config.data.name == "imdb_wiki"
    smoothing = config.method.model_dump().get("smoothing")
    assert smoothing is None or smoothing["start"] == 0
    if stem == "ages_ranksim":
        assert (config.train.batch_size, config.train.epochs, config.optim.lr) == (256, 90, 0.001)
    if stem == "ages_conr":
        assert config.method.regularizer.factor == 2 * 0.4  # type: ignore[attr-defined]
    if stem in ("ages_ranksim", "ages_conr"):
        assert config.optim.schedule.milestones == ("60/90", "80/90")  # type: ignore[attr-defined]


@pytest.mark.parametrize("stem", STSB)
def test_a_preset_for_stsb_takes_a_step(stem: str, stsb: tuple[Path, list[float]]) -> None:
    takes_a_step(trial(stem, (f"data.root={stsb[0]}", *TOKENS)))


@pytest.mark.parametrize("stem", [*AGES, *STSB])
def test_the_head_says_source_conversion_and_differences(stem: str) -> None:
    text = "\n".join(head(stem))
    for part in (
        f"groupdir train search_spaces/paper/{stem}.yaml",
        "Source: ",
        "Converted: ",
        "Differences from the source: ",
    ):
        assert part in text


@pytest.mark.parametrize("stem", AGES)
def test_the_rate_drops_at_the_epochs_of_the_source(stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are at the ends of epochs 60 and 80, whatever the number of epochs of the stage."""
    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    from groupdir.training.optim import lr_factor

    stepped = [stage for stage in TrialConfig.load(path_of(stem)).stages if stage.optim.schedule.name == "step"]
    assert stepped or stem in ("ages_group_dir", "ages_group_dir_authors", "ages_rank_n_contrast")
    for stage in stepped:
        for steps in (1, 48, 191):
            factors = [lr_factor(stage.optim, step, stage.epochs * steps) for step in range(stage.epochs * steps)]
            drops = [step for step in range(1, len(factors)) if factors[step] < factors[step - 1]]
            assert drops == [60 * steps, 80 * steps]
            assert factors[-1] == pytest.approx(0.01)
