"""Ablations: the chosen configuration trained again without one part, over seeds, on validation data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.estimates import metric_of, shot_metrics_of
from analysis.intervals import half_width
from analysis.load import StudyResults
from groupdir.metrics import ALL, sign

BASELINE = "as chosen"
"""Label of the trials that train the chosen configuration unchanged."""


@dataclass(frozen=True)
class Runs:
    """Values of a metric by training seed. Only finite values are kept.

    >>> str(Runs({0: 4.1, 1: 4.3})), str(Runs({0: 4.2})), str(Runs({}))
    ('4.20 ± 0.14', '4.20 (one seed)', '–')
    """

    values: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Mean over seeds, NaN without a value."""
        return math.fsum(self.values.values()) / len(self.values) if self.values else math.nan

    def __str__(self) -> str:
        """Return mean and standard deviation (n - 1) as a text with two decimals."""
        if not self.values:
            return "–"
        if len(self.values) == 1:
            return f"{self.mean:.2f} (one seed)"
        return f"{self.mean:.2f} ± {np.std(list(self.values.values()), ddof=1):.2f}"


def ablations(study: StudyResults) -> dict[str, dict[str, Runs]]:
    """Return the finished runs by label and metric, the chosen configuration first."""
    rows = study.trials[(study.trials["role"] == "ablation") & (study.trials["status"] == "finished")]
    labels = sorted(rows["label"].unique().tolist(), key=lambda label: label != BASELINE)
    metrics = shot_metrics_of(study)
    return {str(label): {metric: _runs(rows[rows["label"] == label], metric) for metric in metrics} for label in labels}


def _runs(rows: pd.DataFrame, metric: str) -> Runs:
    pairs = zip(rows["seed"].tolist(), rows[metric].tolist(), strict=True)
    return Runs({int(seed): float(value) for seed, value in pairs if math.isfinite(value)})


def findings(study: StudyResults, table: Mapping[str, Mapping[str, Runs]]) -> list[str]:
    """Return one sentence for each ablation: its difference to the chosen configuration, and whether that is shown.

    All ablations have the same seeds, so differences are paired by seed. A difference in the metric over all samples is
    shown if the 95 % interval of its mean (Student's t) leaves out 0.
    """
    metric = metric_of(study, ALL)
    if BASELINE not in table or metric not in table[BASELINE]:
        return []
    chosen = table[BASELINE][metric]
    return [_finding(label, metric, row[metric], chosen) for label, row in table.items() if label != BASELINE]


def _finding(label: str, metric: str, changed: Runs, chosen: Runs) -> str:
    common = [seed for seed in changed.values if seed in chosen.values]
    if not common:
        return f"{label}: {metric} is not measured on a common seed."
    differences = np.array([changed.values[seed] - chosen.values[seed] for seed in common])
    mean, half = float(differences.mean()), float(half_width(differences))
    start = f"{label}: {metric} {mean:+.2f}"
    if len(common) == 1:
        return f"{start} against {BASELINE}, with one seed, which cannot show a difference."
    part = label.removeprefix("without ")
    verdict = "not shown"
    if abs(mean) > half:
        worse = f"{part} helps here" if part != label else "it is worse here"
        verdict = f"shown, {worse if sign(metric) * mean > 0 else 'it is better here'}"
    interval = f"[{mean - half:+.2f}, {mean + half:+.2f}]"
    return f"{start} {interval} against {BASELINE}, over {len(common)} pairs of seeds: {verdict}."
