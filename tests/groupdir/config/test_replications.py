"""Blocks of a benchmark: the first one is the file's, seeds never meet, and the data set says which seeds it has."""

from pathlib import Path

import pytest

from groupdir.config.benchmark import load_benchmark
from groupdir.config.replications import data_seeds, measured_seed, study_in_block, trial_in_block
from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError
from groupdir.seeds import SEARCH
from tests.groupdir.config.test_benchmark import TABLE, write

DIGITS = {"data": {"name": "digits", "seed": 3}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
TABULAR = {**DIGITS, "data": {"name": "table", "root": "/nowhere"}, "encoder": {"name": "mlp"}}
FIXED = {**DIGITS, "data": {"name": "stsb", "root": "/nowhere"}, "encoder": {"name": "mlp"}}


def test_a_block_adds_to_every_seed_of_the_file() -> None:
    study = StudyConfig.from_dict(
        {**DIGITS, "name": "A", "seed": 7, "search": {"seed": 2}, "optim": {"lr": {"uniform": [0.1, 0.2]}}}
    )
    first, third = study_in_block(study, 1), study_in_block(study, 3)
    assert first.space.build({"optim.lr": 0.1}) == study.space.build({"optim.lr": 0.1})
    assert first.search == study.search
    config = third.space.build({"optim.lr": 0.1})
    assert (third.search.seed, config.seed, config.data.seed) == (4, 9, 5)  # type: ignore[attr-defined]
    assert (first.name, third.name) == ("A-1", "A-3"), "in a storage each study has a place of its own"


@pytest.mark.parametrize(
    ("content", "seeds"),
    [(DIGITS, {"data.seed": 3}), (TABULAR, {"data.split_seed": 666}), (FIXED, {})],
    ids=["drawn", "split", "fixed"],
)
def test_a_data_set_has_the_seeds_of_its_draw(content: dict[str, object], seeds: dict[str, int]) -> None:
    config = TrialConfig.from_dict(content)
    assert data_seeds(config.data) == seeds
    moved = trial_in_block(config, 2)
    assert data_seeds(moved.data) == {address: seed + 1 for address, seed in seeds.items()}
    assert moved.seed == config.seed


def test_no_two_blocks_are_measured_on_one_seed() -> None:
    searched = TrialConfig.from_dict({**DIGITS, "seed": SEARCH[5]})
    grid = TrialConfig.from_dict({**DIGITS, "seed": 4})
    assert [measured_seed(searched, block, 2) for block in (1, 2, 3)] == [0, 2, 4]
    assert [measured_seed(grid, block, 3) for block in (1, 2)] == [4, 7]


def test_a_search_that_varies_a_seed_cannot_be_replicated(tmp_path: Path) -> None:
    text = TABLE.replace("seeds: 2", "seeds: 2, replications: 2")
    text = text.replace('name: "tests.toy.parts:Waves"', "name: digits, seed: {choice: [0, 1]}")
    text = text.replace("{name: mlp, widths: [16]}", "{name: convnet}")
    with pytest.raises(ConfigError, match=r"small\.yaml:2: benchmark\.replications: row VANILLA: each block sets the"):
        load_benchmark(write(tmp_path, text))
