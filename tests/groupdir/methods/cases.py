"""A small trial of every plug-in that is trained, and of combinations."""

from collections.abc import Callable
from typing import Any

from groupdir.config.trial import TrialConfig
from groupdir.registry import NAME_KEYS, TABLES, Kind

JOINT = {"name": "group_dir", "groups": 5, "recipe": "joint", "similarity": "cosine", "temperature": 0.5}
# What a method must be told so that it is in training from the first epoch; others are asked with their defaults.
SECTIONS: dict[str, dict[str, Any]] = {"group_dir": JOINT}
# Options that suit a few epochs on targets of a few network units, in place of the published ones for raw ages.
OPTIONS: dict[tuple[Kind, str], dict[str, Any]] = {
    ("regression_loss", "focal"): {"beta": 2},
    ("regression_loss", "bmc"): {"sigma": 0.1},
    ("regression_loss", "gai"): {"sigma": 0.1},
    ("regression_loss", "bni"): {"sigma": 0.1},
    ("regularizer", "ranksim"): {"factor": 1},
    ("regularizer", "conr"): {"factor": 0.1},
    ("group_loss", "rebat"): {"decay": 0.8},
    ("optimizer", "sgd"): {"lr": 0.05},
}
# On ten labels: the default kernel of 5 bins is made for a hundred.
SMOOTHING = {"size": 3, "sigma": 1}
LDS = {"mode": "sqrt_inverse", "lds": {}}

# The place of a plug-in in a trial: kind -> the sections that name an entry by a mapping.
PLACES: dict[Kind, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "method": lambda entry: {"method": SECTIONS.get(entry["name"], entry)},
    "regression_loss": lambda entry: {"method": {"name": "vanilla", "loss": entry}},
    "group_loss": lambda entry: {"method": {**JOINT, "group_loss": entry}},
    "regularizer": lambda entry: {"method": {"name": "vanilla", "regularizer": entry}},
    "weights": lambda entry: {"method": {"name": "vanilla", "weights": entry}},
    "resampling": lambda entry: {"method": {"name": "vanilla", "resampling": entry}},
    "optimizer": lambda entry: {"method": {"name": "vanilla"}, "optim": {"lr": 0.01, **entry}},
    "schedule": lambda entry: {"method": {"name": "vanilla"}, "optim": {"lr": 0.01, "schedule": entry}},
}


def sections(kind: Kind, name: str) -> dict[str, Any]:
    """Return the sections of a trial that uses a plug-in."""
    return PLACES[kind]({NAME_KEYS.get(kind, "name"): name, **OPTIONS.get((kind, name), {})})


METHOD_CASES = [f"method-{name}" for name in TABLES["method"]]
PLUG_IN_CASES = {f"{kind}-{name}": sections(kind, name) for kind in PLACES for name in TABLES[kind]}
# Combinations, and options that lead through code of their own: sections of a method.
COMBINATIONS: dict[str, dict[str, Any]] = {
    "weights-lds": {"name": "vanilla", "weights": LDS},
    "smoothing": {"name": "vanilla", "weights": LDS, "smoothing": SMOOTHING},
    "smoothing-as_published": {"name": "vanilla", "smoothing": {**SMOOTHING, "as_published": True}},
    "resampling-smogn-weighted": {"name": "vanilla", "weights": LDS, "resampling": {"name": "smogn"}},
    "pretrain-regression": {"name": "vanilla", "weights": LDS, "pretrain": {"epochs": 3}},
    "pretrain-rank_n_contrast": {
        "name": "vanilla",
        "loss": "l1",
        "pretrain": {"by": "rank_n_contrast", "epochs": 3, "views": 2},
        "encoder_lr": 1,
    },
    "der-smoothing": {"name": "der", "weights": LDS, "smoothing": SMOOTHING},
    "two_stage": {**JOINT, "recipe": "two_stage", "pretrain": {"epochs": 2}, "weights": LDS, "smoothing": SMOOTHING},
}
CASES = {**PLUG_IN_CASES, **{name: {"method": method} for name, method in COMBINATIONS.items()}}


def case_trial(case: str, **changes: Any) -> TrialConfig:
    """Return the trial of a case on the toy data set, with changes as of `trial`."""
    return trial(CASES[case]["method"], CASES[case].get("optim"), **changes)


def trial(method: dict[str, Any], optim: dict[str, Any] | None = None, **changes: Any) -> TrialConfig:
    """Return a trial of a method on the toy data set; changes by address, dots as double underscores."""
    base = TrialConfig.from_dict(
        {
            "seed": 3,
            "data": {"name": "tests.toy.parts:Waves"},
            "encoder": {"name": "mlp", "widths": [16]},
            "method": method,
            "optim": optim or {"lr": 0.01},
            "train": {"epochs": 4, "batch_size": 32},
        }
    )
    return base.replaced({name.replace("__", "."): value for name, value in changes.items()})
