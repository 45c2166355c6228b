"""Ablations: the chosen configuration trained again without one part, over seeds, on validation data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from analysis.estimates import metric_of, shot_metrics_of
from analysis.load import StudyResults
from groupdir.metrics import ALL, sign

BASELINE = "as chosen"
"""Label of the trials that train the chosen configuration unchanged."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) of a metric over seeds, NaN for the deviation of one seed.

    >>> str(Spread(4.2, 0.1, 3)), str(Spread(4.2, math.nan, 1))
    ('4.20 ± 0.10', '4.20 (one seed)')
    """

    mean: float
    deviation: float
    seeds: int

    def __str__(self) -> str:
        """Return mean and deviation as a text with two decimals."""
        if math.isnan(self.mean):
            return "–"
        return (
            f"{self.mean:.2f} (one seed)" if math.isnan(self.deviation) else f"{self.mean:.2f} ± {self.deviation:.2f}"
        )


def ablations(study: StudyResults) -> dict[str, dict[str, Spread]]:
    """Return the spread over finished seeds by label and metric, the chosen configuration first."""
    rows = study.trials[(study.trials["role"] == "ablation") & (study.trials["status"] == "finished")]
    labels = sorted(rows["label"].unique().tolist(), key=lambda label: label != BASELINE)
    table: dict[str, dict[str, Spread]] = {}
    for label in labels:
        runs = rows[rows["label"] == label]
        table[str(label)] = {
            metric: Spread(float(runs[metric].mean()), float(runs[metric].std(ddof=1)), int(runs[metric].count()))
            for metric in shot_metrics_of(study)
        }
    return table


def findings(study: StudyResults, table: Mapping[str, Mapping[str, Spread]]) -> list[str]:
    """Return one sentence for each ablation: the two errors over all samples and their difference.

    The sentence says whether the difference exceeds both standard deviations over seeds.
    """
    metric = metric_of(study, ALL)
    if BASELINE not in table or metric not in table[BASELINE]:
        return []
    chosen = table[BASELINE][metric]
    return [_finding(label, metric, row[metric], chosen) for label, row in table.items() if label != BASELINE]


def _finding(label: str, metric: str, changed: Spread, chosen: Spread) -> str:
    numbers = f"{label}: {metric} {changed} against {chosen} {BASELINE}"
    part = label.removeprefix("without ")
    effect = f"gain from {part}" if part != label else "loss"
    if math.isnan(changed.mean) or math.isnan(chosen.mean):
        return f"{numbers}: not measured."
    difference = sign(metric) * (changed.mean - chosen.mean)  # above 0: the change makes it worse
    deviations = [spread.deviation for spread in (changed, chosen)]
    if any(math.isnan(deviation) for deviation in deviations):
        verdict = f"{abs(difference):.2f} {'worse' if difference > 0 else 'better'}, but too few seeds to judge"
    elif difference > max(deviations):
        verdict = f"a {effect} of {difference:.2f} here, more than the spread"
    elif difference > 0:
        verdict = f"a {effect} of {difference:.2f} here, which is within the spread"
    elif -difference > max(deviations):
        verdict = f"no {effect} here; it is better by {-difference:.2f}, more than the spread"
    else:
        verdict = f"no {effect} here"
    return f"{numbers}: {verdict}."
