"""Seeds of trainings: a separate range of numbers for each purpose, so that no two purposes can share a seed.

| Range | Purpose |
|---|---|
| `MEASUREMENT`, 0 to 2^30 - 1 | `groupdir train` and benchmarks, which measure on the test set |
| `CONFIRMATION`, from 2^30 | trainings that confirm the best trials of a search |
| `ABLATION`, from 3 * 2^29 | ablations after a search |
| `SEARCH`, 2^31 to 2^32 - 1 | trials of a search |

A search chooses trials partly for the luck of their seeds. A choice is therefore confirmed and measured with seeds that
the search cannot have used.
"""

from __future__ import annotations

import numpy as np

MEASUREMENT = range(2**30)
CONFIRMATION = range(2**30, 3 * 2**29)
ABLATION = range(3 * 2**29, 2**31)
SEARCH = range(2**31, 2**32)


def mixed_seed(*parts: int) -> int:
    """Return a seed that differs for every combination of parts.

    >>> mixed_seed(1, 2) == mixed_seed(1, 2), mixed_seed(1, 2) == mixed_seed(2, 1)
    (True, False)
    """
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def study_seed(purpose: range, search: int, trial: int, number: int) -> int:
    """Return a seed for a training of a study. Different numbers give different seeds.

    Args:
        purpose: `SEARCH`, `CONFIRMATION` or `ABLATION`.
        search: Seed of the search, `search.seed`.
        trial: Seed of the trial in the file of the study, `seed`.
        number: Number of the training among those of the purpose, such as the number of the trial.

    >>> [study_seed(SEARCH, 0, 0, number) - study_seed(SEARCH, 0, 0, 0) for number in range(3)]
    [0, 1, 2]
    """
    return purpose[(mixed_seed(search, trial) + number) % len(purpose)]


def shared_seed(trial: int) -> int:
    """Return the seed of all trials of a search with shared seeds.

    Args:
        trial: Seed of the trial in the file of the study, `seed`.

    >>> shared_seed(5) - SEARCH[0], shared_seed(shared_seed(5)) == shared_seed(5)
    (5, True)
    """
    return SEARCH[trial % len(SEARCH)]


def measurement_seeds(seed: int, count: int) -> list[int]:
    """Return the seeds on which a configuration is measured.

    Args:
        seed: Seed of the configuration. Seeds are counted from it, or from 0 if the configuration is from a study.
        count: Number of seeds.

    >>> measurement_seeds(7, 2), measurement_seeds(shared_seed(7), 2)
    ([7, 8], [0, 1])
    """
    first = seed if seed in MEASUREMENT else MEASUREMENT[0]
    return [MEASUREMENT[(first + index) % len(MEASUREMENT)] for index in range(count)]
