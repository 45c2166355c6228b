"""Folder of a finished study of thousands of trials, whose epochs no training has produced."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig, load_space
from launch.control.study_loop import OVER, WAIT, StudyLoop
from launch.schedulers import make_scheduler
from launch.simulation.searches import with_search
from launch.study.study import Study
from tests.epoch_report import report

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ("all", "many", "median", "few")
METRICS = ("mae", "gm", "mse", "bmae", "pearson")
AT_ONCE = 8
EPOCHS = 20


def config_of(trials: int, **search: Any) -> StudyConfig:
    """Return the space of the quickstart with more trials, a random sampler, and no confirmation or ablations."""
    options = {
        "trials": trials,
        "sampler": {"name": "random"},
        "scheduler": {"name": "pareto_asha", "grace_period": 5, "reduction_factor": 2},
        "confirm": None,
        "ablations": {},
    }
    space = load_space(ROOT / "search_spaces" / "digits.yaml", [f"train.epochs={EPOCHS}"])
    return with_search(space, options | search)


def build(folder: Path, config: StudyConfig) -> Study:
    """Write a finished study to a folder through the study loop, and return it open.

    Trials end in the order of their numbers except that `AT_ONCE` of them run at a time.
    """
    study = Study.create(folder, config)
    loop = StudyLoop(study, make_scheduler(config.search), "val_mae_all")
    study.append("driver", payload={"action": "start", "pid": 1, "host": "bench"})
    running: dict[int, int] = {}
    over = False
    while running or not over:
        while not over and len(running) < AT_ONCE:
            number = loop.following()
            if number in (OVER, WAIT):
                over = number == OVER
                break
            running[int(number)] = study.state.trials[int(number)].epoch
            study.append("started", trial=int(number))
        for number in list(running):
            running[number] += 1
            epoch = running[number]
            row = {**curve(study.config, study.state.trials[number].params, number, epoch), **report(epoch)}
            row |= {"epoch": epoch, "seed": study.state.trials[number].seed, "done": epoch == EPOCHS}
            action = loop.report(number, row)
            if action != "continue" or row["done"]:
                study.append("stopped" if action == "stop" else "finished", trial=number)
                del running[number]
    study.append("driver", payload={"action": "end", "pid": 1})
    return study


def curve(config: StudyConfig, params: Mapping[str, Any], number: int, epoch: int) -> dict[str, float]:
    """Return the metrics of an epoch: errors that fall to floors that depend on the parameters, with noise."""
    rng = np.random.default_rng([number, epoch])
    beta, mse = math.log(params["method.beta"]), math.log(params["method.lambda_mse"])
    hard = {"many": 4 + 0.4 * beta**2 + 0.3 * mse, "median": 5 + 0.5 * (beta - 0.5) ** 2, "few": 8 - 0.5 * mse}
    floors = {**hard, "all": sum(hard.values()) / 3}
    values = {"train_loss": 1.0 / epoch + 0.01 * rng.standard_normal()}
    for shot in SHOTS:
        error = floors[shot] + 12 / epoch + 0.2 * rng.standard_normal()
        scaled = {
            "mae": error,
            "gm": 0.6 * error,
            "mse": 1.6 * error**2,
            "bmae": 1.1 * error,
            "pearson": 1 - error / 40,
        }
        values |= {f"val_{metric}_{shot}": scaled[metric] for metric in METRICS}
    return values
