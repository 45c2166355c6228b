"""Every method, and every part that a method can be composed of, as the section of a small trial."""

from typing import Any

from groupdir.config.trial import TrialConfig
from groupdir.registry import LOSSES, METHODS, REGULARIZERS

JOINT = {"name": "group_dir", "groups": 5, "recipe": "joint", "similarity": "cosine", "temperature": 0.5}
GROUP_LOSSES = ("soft", "ce", "logit_adjusted", "nc", "do", "rebat")
# What a method must be told so that it is in training from the first epoch; others are asked with their defaults.
SECTIONS: dict[str, dict[str, Any]] = {"group_dir": JOINT}
# Factors and scales for targets of a few network units, instead of the published ones for raw ages.
LOSS_OPTIONS: dict[str, dict[str, Any]] = {
    "focal": {"beta": 2},
    "bmc": {"sigma": 0.1},
    "gai": {"sigma": 0.1},
    "bni": {"sigma": 0.1},
}
REGULARIZER_OPTIONS: dict[str, dict[str, Any]] = {"ranksim": {"factor": 1}, "conr": {"factor": 0.1}}
# On ten labels: the default kernel of 5 bins is made for a hundred.
SMOOTHING = {"size": 3, "sigma": 1}
LDS = {"mode": "sqrt_inverse", "lds": {}}

METHOD_CASES = {name: SECTIONS.get(name, {"name": name}) for name in METHODS}
PART_CASES: dict[str, dict[str, Any]] = {
    **{
        f"loss-{name}": {"name": "vanilla", "loss": {"name": name, **LOSS_OPTIONS.get(name, {})}}
        for name in LOSSES
        if name != "mse"
    },
    **{
        f"regularizer-{name}": {"name": "vanilla", "regularizer": {"name": name, **REGULARIZER_OPTIONS.get(name, {})}}
        for name in REGULARIZERS
    },
    **{f"criterion-{name}": {**JOINT, "group_loss": name, "rebat": {"decay": 0.8}} for name in GROUP_LOSSES[1:]},
    "weights": {"name": "vanilla", "weights": LDS},
    "smoothing": {"name": "vanilla", "weights": LDS, "smoothing": SMOOTHING},
    "smoothing-as_published": {"name": "vanilla", "smoothing": {**SMOOTHING, "as_published": True}},
    "resampling-smoter": {"name": "vanilla", "resampling": {"name": "smoter"}},
    "resampling-smogn": {"name": "vanilla", "weights": LDS, "resampling": {"name": "smogn"}},
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
CASES = {**METHOD_CASES, **PART_CASES}


def trial(method: dict[str, Any], **changes: Any) -> TrialConfig:
    """A trial of a method on the toy data set; changes by address, dots as double underscores."""
    base = TrialConfig.from_dict(
        {
            "seed": 3,
            "data": {"name": "tests.toy.parts:Waves"},
            "encoder": {"name": "mlp", "widths": [16]},
            "method": method,
            "optim": {"lr": 0.01},
            "train": {"epochs": 4, "batch_size": 32},
        }
    )
    return base.replaced({name.replace("__", "."): value for name, value in changes.items()})
