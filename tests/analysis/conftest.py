"""A study folder as a search leaves it, made up but of the real shape."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.config.space import StudyConfig
from groupdir.config.trial import digest
from groupdir.files.parquet import write_parquet
from tests.epoch_report import report

OBJECTIVES = {"val_mae_many": "min", "val_mae_median": "min", "val_mae_few": "min"}
SHOTS = ("all", "many", "median", "few")


SPACE: dict[str, Any] = {
    "data": {"name": "digits"},
    "encoder": {"name": "convnet"},
    "method": {
        "name": "group_dir",
        "groups": {"int_range": [2, 40]},
        "beta": {"log_uniform": [0.2, 4.1]},
        "similarity": {"choice": ["cosine", "negative_l2"]},
        "temperature": {
            "by": "method.similarity",
            "cases": {"cosine": {"uniform": [0.1, 2]}, "negative_l2": {"uniform": [0.1, 2]}},
        },
        "weights": {"choice": [None, {"mode": "inverse", "lds": {"kernel": "gaussian", "size": 5}}]},
    },
    "train": {"epochs": 30, "keep": "best"},
}


def _curve(
    rng: np.random.Generator, groups: int, weighted: bool, epochs: int, shift: float = 0.0
) -> list[dict[str, float]]:
    """Errors that fall to an optimum near 8 groups; weights trade many for few."""
    rows = []
    off = 0.4 * abs(math.log(groups / 8)) + shift
    for epoch in range(1, epochs + 1):
        slow = 8 * math.exp(-epoch / 7) + rng.normal(0, 0.08)
        many = 2.6 + off + slow + (0.5 if weighted else 0) + rng.normal(0, 0.08)
        few = 7.6 + 2 * off + 2 * slow - (1.0 if weighted else 0) + rng.normal(0, 0.4)
        median = 4.1 + off + slow + rng.normal(0, 0.1)
        values = {"many": many, "median": median, "few": few, "all": (many + 2 * median + few) / 4}
        rows.append({f"val_mae_{shot}": value for shot, value in values.items()})
    return rows


def write_study(
    folder: Path, *, searched: int = 40, ablations: bool = True, name: str = "digits", **search: Any
) -> Path:
    """Trials finished, stopped (every third) and failed (number 5), and three ablations with three seeds."""
    rng = np.random.default_rng(0)
    trials, epochs, configs = [], [], {}
    suggested: list[dict[str, Any]] = []
    study = StudyConfig.from_dict(
        {**SPACE, "name": name, "search": {"objectives": OBJECTIVES, "trials": searched, **search}}
    )

    def add(
        trial: int,
        seed: int,
        role: str,
        label: str,
        status: str,
        curve: list[dict[str, float]],
        params: dict[str, Any],
        config: dict[str, Any],
    ) -> None:
        rows = [
            {
                "trial": trial,
                "seed": seed,
                "epoch": epoch,
                **report(epoch, seconds=0.4),
                "time": 1.7e9 + epoch,
                **row,
            }
            for epoch, row in enumerate(curve, 1)
        ]
        epochs.extend(rows)
        finite = [row for row in rows if math.isfinite(row["val_mae_all"])]
        best = min(finite, key=lambda row: row["val_mae_all"]) if finite else rows[-1]
        named = {f"param:{key}": json.dumps(value) for key, value in params.items()}
        own = {"trial": trial, "seed": seed, "role": role, "label": label, "status": status, "message": ""}
        configs[str(trial)] = {**config, "seed": seed}
        reached = {
            "digest": digest(configs[str(trial)]),
            "epochs": len(rows),
            "epoch": best["epoch"],
            "seconds": 0.4 * len(rows),
        }
        trials.append({**own, **reached, **named, **{key: best[key] for key in best if key.startswith("val_")}})

    for trial in range(searched):
        similarity = ["cosine", "negative_l2"][trial % 2]
        weights = [None, {"mode": "inverse", "lds": {"kernel": "gaussian", "size": 5}}][trial // 2 % 2]
        groups = int(rng.integers(2, 41))
        params = {
            "method.groups": groups,
            "method.beta": float(np.exp(rng.uniform(-1.4, 1.4))),
            "method.similarity": similarity,
            f"method.temperature|{similarity}": float(rng.uniform(0.1, 2)),
            "method.weights": weights,
        }
        status = "failed" if trial == 5 else "stopped" if trial % 3 == 1 else "finished"
        curve = _curve(
            rng, groups, weights is not None, {"failed": 2, "stopped": 5 if trial % 2 else 15}.get(status, 30)
        )
        if status == "failed":
            curve[-1] = dict.fromkeys(curve[-1], math.nan)
        config = study.space.build(params).to_dict()
        suggested.append(params)
        add(trial, trial % 5, "search", "", status, curve, params, config)
    chosen = suggested[0]
    for number, (label, shift) in enumerate({"as chosen": 0.0, "without L_grc": -0.1, "hard labels": 0.5}.items()):
        for seed in range(3 if ablations else 0):
            config = study.space.build(chosen).to_dict() | ({} if label == "as chosen" else {"label": label})
            curve = _curve(rng, chosen["method.groups"], chosen["method.weights"] is not None, 30, shift)
            add(searched + 3 * number + seed, 100 + seed, "ablation", label, "finished", curve, chosen, config)
    footer = {"study": study.to_dict(), "configs": configs}
    folder.mkdir(parents=True)
    write_parquet(folder / "trials.parquet", trials, footer)
    write_parquet(folder / "epochs.parquet", epochs, footer)
    return folder


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Writes a study folder of a given name."""

    def make(folder: str = "digits", **options: Any) -> Path:
        return write_study(tmp_path / "results" / folder, **options)

    return make
