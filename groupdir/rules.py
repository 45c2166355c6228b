"""Rules that choose one configuration of a study: their names, and the metrics that they read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from groupdir.registry import did_you_mean
from groupdir.shots import ALL, ALL_AND_SHOTS, SHOTS

KNEE = "knee"
"""Rule that chooses the point of the front nearest to the ideal point."""

RULES = (*SHOTS, ALL, KNEE)
"""All rules: the best value of one shot, the best value over all samples, and the knee."""


def known_rule(name: str) -> str:
    """Return the name of a rule.

    Raises:
        ValueError: If no rule has this name.
    """
    if name not in RULES:
        raise ValueError(f"unknown rule '{name}': {did_you_mean(name, RULES)}")
    return name


def metric_of_shot(shot: str, objectives: Sequence[str], recorded: Collection[str]) -> str:
    """Return the validation metric that stands for a shot in a study.

    If an objective is of this shot, the metric is that objective. Otherwise it is the metric of an objective at this
    shot (`val_mse_few` for the objective `val_mse_all`), or else the mean absolute error.

    Args:
        shot: A shot, or "all".
        objectives: Objectives of the study.
        recorded: Metrics that the study has recorded.

    >>> metric_of_shot("few", ["val_mse_all"], ["val_mse_all", "val_mse_few"])
    'val_mse_few'
    """
    from groupdir.metrics import metric_name, parse_metric  # here, because `--help` reads the names of the rules

    parsed = {name: parse_metric(name) for name in objectives}
    of_shot = [name for name, parts in parsed.items() if parts.shot == shot]
    related = [metric_name(parts.split, parts.metric.name, shot) for parts in parsed.values() if parts.shot]
    return [*of_shot, *(name for name in related if name in recorded), metric_name("val", "mae", shot)][0]


def metrics_of_rule(rule: str, objectives: Sequence[str], recorded: Collection[str]) -> list[str]:
    """Return the metrics that a rule reads: all objectives for the knee, else the metric of the rule's shot.

    Raises:
        ValueError: If the rule is unknown.
    """
    return list(objectives) if known_rule(rule) == KNEE else [metric_of_shot(rule, objectives, recorded)]


def rules_of_objectives(objectives: Sequence[str]) -> tuple[str, ...]:
    """Return the rules whose metric is an objective, in the order of `RULES`; the knee if there is none.

    >>> rules_of_objectives(["val_mae_few", "val_mae_many"]), rules_of_objectives(["val_group_accuracy"])
    (('many', 'few'), ('knee',))
    """
    from groupdir.metrics import parse_metric  # here, because `--help` reads the names of the rules

    shots = {parse_metric(name).shot for name in objectives}
    return tuple(rule for rule in RULES if rule in ALL_AND_SHOTS and rule in shots) or (KNEE,)
