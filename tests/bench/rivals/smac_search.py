"""SMAC3 with ParEGO, over full trainings or with Hyperband."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joblib import parallel_config
from smac import HyperparameterOptimizationFacade, MultiFidelityFacade, Scenario
from smac.multi_objective.parego import ParEGO
from smac.runhistory.dataclasses import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType

from groupdir.config.space import StudyConfig
from launch.control.study_loop import OVER, WAIT, Next
from launch.schedulers.base import Action
from tests.bench.rivals.rival import Rival
from tests.bench.rivals.smac_space import config_space, params_of


class SmacDriver(Rival):
    """SMAC3's facade for hyperparameters or for several fidelities, asked and told trial by trial.

    All options are SMAC3's defaults, with one exception. Over full trainings SMAC3 trains its best configurations again
    with up to two further seeds. With Hyperband, a configuration of which SMAC3 wants more epochs continues from its
    checkpoint, so that only the further epochs count. Its smallest number of epochs is `longest` / 3^k, not below the
    grace period. The exception: with Hyperband, SMAC3 compares its incumbents at the greatest number of epochs only.
    With its default it ends with an AssertionError as soon as there are several objectives
    (https://github.com/automl/SMAC3/issues/1050), and this is the way out that its maintainers name.

    SMAC3 walks over sets of configurations, so that a search can be repeated only with the same PYTHONHASHSEED.

    Args:
        config: Study: its space, objectives, grace period, number of trials (that SMAC3 is asked for) and seed.
        hyperband: Whether SMAC3 runs Hyperband.
        planned: Number of trials that SMAC3 is told, a quarter of which is the most for its first design. By default
            the study's.
        deterministic: Whether SMAC3 trains each configuration once. The default is SMAC3's own.
        metric: Metric whose best value selects the epoch that represents a training.
        longest: Number of epochs of a training.
    """

    def __init__(
        self,
        config: StudyConfig,
        hyperband: bool = False,
        planned: int | None = None,
        deterministic: bool = False,
        metric: str = "val_mae_all",
        longest: int = 30,
    ) -> None:
        super().__init__(config, metric)
        self._hyperband, self._longest, self._asked = hyperband, longest, 0
        self._infos: dict[int, TrialInfo] = {}
        self._numbers: dict[Any, int] = {}
        self._running: set[int] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="smac")  # SMAC3 always writes its settings
        names = list(self.search.objectives)
        budgets = {"min_budget": self.search.scheduler.grace_period, "max_budget": longest} if hyperband else {}
        scenario = Scenario(
            config_space(self.space, self.search.seed),
            objectives=names if len(names) > 1 else names[0],
            n_trials=planned or self.search.trials,
            deterministic=deterministic,
            seed=self.search.seed,
            output_directory=Path(self._folder.name),
            **budgets,
        )
        logging.getLogger("smac").setLevel(logging.ERROR)
        facade = MultiFidelityFacade if hyperband else HyperparameterOptimizationFacade
        at_the_end = {"incumbent_selection": "highest_budget"} if hyperband else {}
        self._smac = facade(
            scenario,
            target_function=None,
            intensifier=facade.get_intensifier(scenario, **at_the_end),
            multi_objective_algorithm=ParEGO(scenario) if len(names) > 1 else None,
            logging_level=False,
            overwrite=True,
        )

    def following(self) -> Next:
        """Return a new trial, or one that continues with more epochs."""
        if self._asked >= self.search.trials:
            return OVER
        try:
            with _one_thread():
                info = self._smac.ask()
        except StopIteration:
            return WAIT if self._running else OVER
        self._asked += 1
        key = (info.config, info.seed)
        if key not in self._numbers:
            self._numbers[key] = self.add(params_of(self.space, info.config))
        number = self._numbers[key]
        self._infos[number] = info
        self._running.add(number)
        return number

    def suggest(self, number: int) -> Mapping[str, Any]:
        """Return the parameters of a trial that SMAC3 has suggested."""
        return params_of(self.space, self._infos[number].config)

    def decide(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Pause a trial that has the number of epochs for which SMAC3 asked."""
        budget = self._infos[trial].budget
        enough = budget is not None and round(budget) < self._longest and int(row["fidelity"]) >= round(budget)
        return "pause" if enough else "continue"

    def tell(self, trial: int, how: str) -> None:
        """Tell the costs at the selected epoch so far."""
        self._running.discard(trial)
        costs = self.costs(trial) if how != "failed" else None
        many = len(self.search.objectives) > 1
        worst = [float("inf")] * len(self.search.objectives)
        told = (costs or worst) if many else (costs or worst)[0]
        status = StatusType.SUCCESS if costs else StatusType.CRASHED
        self._smac.tell(self._infos[trial], TrialValue(cost=told, status=status), save=False)


def _one_thread() -> Any:
    """Keep SMAC3's forest, which takes all cores, to one thread. Its trees are the same."""
    return parallel_config(backend="sequential")
