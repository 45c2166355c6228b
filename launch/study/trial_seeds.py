"""Training seeds of the trials of a search, and of the trainings that follow a search."""

from __future__ import annotations

from typing import Self

from groupdir.config.search import SearchConfig
from groupdir.config.space import StudyConfig
from groupdir.config.stage import shareable
from groupdir.config.trial import TrialConfig, digest
from groupdir.seeds import SEARCH, shared_seed, study_seed
from launch.study.study import Study


class TrialSeeds:
    """Seeds of the trials of a search, which follow from the options of the search and the trials so far.

    With `seeds: own`, a trial's seed follows from `search.seed`, the `seed` of the file and the number of the trial. A
    first stage that several trials have (a pre-training) must have one seed, or it could not be trained once for all
    of them. The first trial with this stage trains it with its own seed. The later trials take this seed as their
    `stage_seed` and train their other stages with their own seeds.

    Args:
        search: Options of the search.
    """

    def __init__(self, search: SearchConfig) -> None:
        self._search = search
        self._of_stage: dict[str, int] = {}

    @classmethod
    def of(cls, study: Study) -> Self:
        """Return the seeds of an open study, with the trials of its event log."""
        seeds = cls(study.config.search)
        if any(shareable(stages) for stages in study.config.space.corner_stages):
            for trial in study.state.of("search"):
                seeds.add(TrialConfig.from_dict(trial.config, f"trial {trial.number}"))
        return seeds

    def add(self, config: TrialConfig) -> None:
        """Add a trial of the event log. Add the trials by number, before any call of `seeded`."""
        if (stage := _shared_stage(config)) is not None:
            self._of_stage.setdefault(stage, config.first_seed)

    def seeded(self, config: TrialConfig, number: int) -> TrialConfig:
        """Return the configuration of a new trial with its seeds, and add the trial.

        Args:
            config: Configuration from the search space, with the seed of the file.
            number: Number of the trial.
        """
        if self._search.seeds == "shared":
            return config.with_seed(shared_seed(config.seed))
        config = config.with_seed(study_seed(SEARCH, self._search.seed, config.seed, number))
        if (stage := _shared_stage(config)) is None:
            return config
        seed = self._of_stage.setdefault(stage, config.seed)
        return config if seed == config.seed else config.replaced({"stage_seed": seed})


def later_seeds(study: StudyConfig, purpose: range, count: int) -> list[int]:
    """Return the seeds of trainings that follow the search of a study. The search has used none of them.

    All configurations are trained with the same seeds, so that they are compared in pairs. Train them with
    `TrialConfig.with_seed`, which drops the `stage_seed` of the search.

    Args:
        study: Configuration of the study.
        purpose: `groupdir.seeds.ABLATION` or `groupdir.seeds.CONFIRMATION`.
        count: Number of seeds. A larger number only appends seeds.
    """
    trial = int(study.space.fixed.get("seed", 0))
    return [study_seed(purpose, study.search.seed, trial, number) for number in range(count)]


def _shared_stage(config: TrialConfig) -> str | None:
    """Return a name of the first stage that is the same for all seeds, or None if the stage cannot be shared."""
    first = shareable(config.stages)
    return None if first is None else digest(config.shared_stage_key(first) | {"seed": None})
