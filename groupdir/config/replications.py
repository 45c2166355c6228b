"""Replications of a benchmark: the seeds of each block.

A block repeats the whole pipeline of every row: the draw of the data, the search, the choice and the measurement. Block
b adds b - 1 to the seeds in the file, the same in all rows, so that rows can be compared in pairs by block. Block 1 is
the benchmark without replications. Each block is measured on training seeds of its own.
"""

from __future__ import annotations

from groupdir.config.change import change
from groupdir.config.datasets import DATA_SEEDS
from groupdir.config.space import StudyConfig
from groupdir.config.trial import DatasetConfig, TrialConfig
from groupdir.seeds import measurement_seeds


def study_in_block(study: StudyConfig, block: int) -> StudyConfig:
    """Return the study of a row with the seeds of a block, and with a name of its own in a storage.

    Args:
        study: Study of the row in the file. Its seeds are fixed, see `open_seeds`.
        block: Number of the block, from 1.
    """
    first = study.space.build(next(study.space.corners()))
    data = study.to_dict() | {"name": f"{study.name}-{block}"}
    seeds = {"search.seed": study.search.seed, "seed": first.seed, **data_seeds(first.data)}
    for address, seed in seeds.items():
        change(TrialConfig, data, tuple(address.split(".")), seed + block - 1)
    return StudyConfig.from_dict(data, study.file)


def trial_in_block(config: TrialConfig, block: int) -> TrialConfig:
    """Return a trial of a grid with the data of a block, the first of which is 1. Its training seed stays the same."""
    return config.replaced({address: seed + block - 1 for address, seed in data_seeds(config.data).items()})


def data_seeds(data: DatasetConfig) -> dict[str, int]:
    """Return address -> value of the seeds of a data set. A published data set with fixed splits has none."""
    names = {address: address.rpartition(".")[2] for address in DATA_SEEDS}
    return {address: int(getattr(data, name)) for address, name in names.items() if hasattr(data, name)}


def open_seeds(study: StudyConfig) -> list[str]:
    """Return the addresses of seeds that the space of a study leaves open, so that a block cannot set them."""
    return [address for address in study.space.open if address in ("seed", *DATA_SEEDS)]


def measured_seed(config: TrialConfig, block: int, seeds: int) -> int:
    """Return the first of the seeds on which a block measures a configuration. No two blocks share a seed.

    Args:
        config: Chosen trial of a search, or trial of a grid.
        block: Number of the block, from 1.
        seeds: Number of seeds of each block.
    """
    return measurement_seeds(config.seed, block * seeds)[-seeds]
