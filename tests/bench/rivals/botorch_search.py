"""BoTorch's noisy expected hypervolume improvement (qLogNEHVI), as in its tutorial."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from botorch.optim import optimize_acqf
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from botorch.utils.sampling import draw_sobol_samples, manual_seed
from gpytorch.mlls import SumMarginalLogLikelihood

from groupdir.config.space import StudyConfig
from tests.bench.rivals.rival import Rival
from tests.bench.rivals.unit_box import Array, UnitBox

RESTARTS, RAW_SAMPLES, MC_SAMPLES = 10, 512, 128  # as in the tutorial, with the options of its optimiser
OPTIONS: dict[str, bool | float | int | str] = {"batch_limit": 5, "maxiter": 200}

# BoTorch compiles a faster C++ form of the acquisition on its first use. That takes minutes on a busy machine, and a
# search that is ended meanwhile leaves a lock for which all later ones wait. Its form in Python gives the same values.
logei._load_attempted = True


class BotorchDriver(Rival):
    """qLogNEHVI over full trainings, one suggestion at a time, with the running trials as pending points.

    - Each objective has its own `SingleTaskGP` with standardised outcomes and noise that it fits.
    - The first 2 (d + 1) trials are points of a scrambled Sobol sequence, and so are later ones until d + 1 trials have
      finished (Ax waits for half of its first points too). d counts parameters, not coordinates.
    - The reference point is inferred from the front of the finished trials, as Ax does without thresholds.
    - Values are rounded after the acquisition is optimised, and the models see the rounded points.

    Args:
        config: Study: its space, objectives, number of trials and seed.
        metric: Metric whose best value selects the epoch that represents a training.
    """

    def __init__(self, config: StudyConfig, metric: str = "val_mae_all") -> None:
        super().__init__(config, metric)
        self._box = UnitBox(self.space)
        self._points: list[Array] = []
        self._gains: dict[int, list[float]] = {}
        self._running: set[int] = set()
        first = 2 * (len(self.space.parameters) + 1)
        self._fewest = first // 2
        self._design = self._sobol(max(first, 1024))
        self._first = first

    def _sobol(self, count: int) -> Array:
        bounds = torch.stack([torch.zeros(self._box.size), torch.ones(self._box.size)]).double()
        return draw_sobol_samples(bounds, n=count, q=1, seed=self.search.seed).squeeze(1).numpy()

    def suggest(self, number: int) -> Mapping[str, Any]:
        """Return the point of the greatest expected improvement, or a point of the first design."""
        if number < self._first or len(self._gains) < self._fewest:
            point = self._design[number % len(self._design)]
        else:
            with manual_seed((self.search.seed * 1_000_003 + number) % 2**31), warnings.catch_warnings():
                warnings.simplefilter("ignore", BotorchWarning)
                warnings.simplefilter("ignore", RuntimeWarning)  # of line searches, which BoTorch repeats
                point = self._best()
        self._points.append(self._box.rounded(point))
        self._running.add(number)
        return self._box.params(self._points[-1])

    def tell(self, trial: int, how: str) -> None:
        """Keep the negated costs of a finished trial, because BoTorch maximises."""
        self._running.discard(trial)
        costs = self.costs(trial) if how == "finished" else None
        if costs:
            self._gains[trial] = [-cost for cost in costs]

    def _best(self) -> Array:
        known = torch.as_tensor(np.stack([self._points[trial] for trial in self._gains]))
        gains = torch.tensor(list(self._gains.values()), dtype=torch.double)
        running = [self._points[trial] for trial in sorted(self._running)]
        columns = [gains[:, [index]] for index in range(gains.shape[1])]
        model = ModelListGP(*[SingleTaskGP(known, column, outcome_transform=Standardize(m=1)) for column in columns])
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model=model,
            ref_point=infer_reference_point(gains[is_non_dominated(gains)]),
            X_baseline=known,
            X_pending=torch.as_tensor(np.stack(running)) if running else None,
            prune_baseline=True,
            sampler=SobolQMCNormalSampler(sample_shape=torch.Size([MC_SAMPLES])),
        )
        bounds = torch.stack([torch.zeros(self._box.size), torch.ones(self._box.size)]).double()
        found, _ = optimize_acqf(
            acquisition, bounds, q=1, num_restarts=RESTARTS, raw_samples=RAW_SAMPLES, options=OPTIONS
        )
        return found.detach().numpy()[0]
