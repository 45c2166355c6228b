"""Tolerances of a choice: how much worse than the best a metric may be, such as `--within val_mae_all=2%`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

_NUMBER = re.compile(r"^([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")


def parse_tolerance(text: str) -> tuple[str, float]:
    """Return the metric and the share of a tolerance.

    Raises:
        ValueError: If the text is not `METRIC=SHARE`. A share above 1 without % is refused as well, because 2 may mean
            2 % or twice as much.

    >>> parse_tolerance("val_mae_all=2%"), parse_tolerance("val_mae_all = 0.02")
    (('val_mae_all', 0.02), ('val_mae_all', 0.02))
    """
    metric, equals, number = (part.strip() for part in text.partition("="))
    percent = number.endswith("%")
    digits = number.removesuffix("%").strip()
    share = float(digits) / (100 if percent else 1) if _NUMBER.match(digits) else math.nan
    if not metric or not equals or not math.isfinite(share) or (share > 1 and not percent):
        raise ValueError(f"must be METRIC=SHARE with a share such as 2% or 0.02, got {text!r}")
    return metric, share


def parse_tolerances(texts: Iterable[str]) -> dict[str, float]:
    """Return the share of each metric.

    Raises:
        ValueError: If a text is not a tolerance, or a metric is named twice.
    """
    tolerances: dict[str, float] = {}
    for metric, share in map(parse_tolerance, texts):
        if metric in tolerances:
            raise ValueError(f"must name each metric once, got {metric} twice")
        tolerances[metric] = share
    return tolerances


def tolerances_text(tolerances: Mapping[str, float]) -> str:
    """Return tolerances as a person reads them.

    >>> tolerances_text({"val_mae_all": 0.02, "val_mae_many": 0.125})
    'val_mae_all within 2 % of the best and val_mae_many within 12.5 % of the best'
    """
    return " and ".join(f"{metric} within {100 * share:.6g} % of the best" for metric, share in tolerances.items())
