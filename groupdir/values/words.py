"""Texts of values and choices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from groupdir.values.choice import Choice
from groupdir.values.posterior import FEWEST
from groupdir.values.values import CONFIDENCE, Value, Values

SHOWN_RIVALS = 3  # rivals of a choice that are named


def trainings_text(trainings: int) -> str:
    """Return the number of training seeds in words.

    >>> trainings_text(1), trainings_text(4)
    ('one seed', '4 seeds')
    """
    return "one seed" if trainings == 1 else f"{trainings} seeds"


def number_text(value: float, digits: int = 3) -> str:
    """Return a number in a few digits, or a dash if it is not finite. Only extreme numbers have an exponent.

    >>> number_text(5.487), number_text(0.01234), number_text(12345.6), number_text(float("nan")), number_text(-0.0)
    ('5.49', '0.0123', '12346', '-', '0')
    """
    if not math.isfinite(value):
        return "-"
    value += 0.0  # minus zero becomes zero
    rounded = float(f"{value:.{digits - 1}e}")  # 0.9996 has as many decimals as 1.00
    decimals = digits - 1 - math.floor(math.log10(abs(rounded))) if rounded else 0
    return f"{value:.{max(0, decimals)}f}" if abs(decimals) <= 9 else f"{value:.{digits}g}"


def value_text(value: Value) -> str:
    """Return the estimate of a metric with its interval.

    >>> value_text(Value(5.912, 5.602, 6.23, 5.49, 1)), value_text(Value(5.49, math.nan, math.nan, 5.49, 1))
    ('5.91 [5.60, 6.23]', '5.49')
    """
    if not math.isfinite(value.low):
        return number_text(value.mean)
    return f"{number_text(value.mean)} [{number_text(value.low)}, {number_text(value.high)}]"


def chance_text(chance: float) -> str:
    """Return a probability in percent that is never rounded to certainty.

    >>> chance_text(0.997), chance_text(0.81), chance_text(0.001)
    ('over 99 %', '81 %', 'under 1 %')
    """
    if chance > 0.99:
        return "over 99 %"
    return "under 1 %" if chance < 0.01 else f"{chance:.0%}".replace("%", " %")


def trials_text(trials: Sequence[int], most: int = SHOWN_RIVALS) -> str:
    """Return the numbers of trials as a list in words, of which at most `most` are named.

    >>> trials_text([18]), trials_text([18, 21]), trials_text([1, 2, 3, 4, 5])
    ('trial 18', 'trials 18 and 21', 'trials 1, 2, 3 and 2 more')
    """
    if len(trials) == 1:
        return f"trial {trials[0]}"
    shown = [str(trial) for trial in trials[:most]]
    more = len(trials) - len(shown)
    last = f"{more} more" if more else shown.pop()
    return f"trials {', '.join(shown)} and {last}"


def choice_text(values: Values, choice: Choice) -> str:
    """Return how sure a choice is: its probability of being the best, and what cannot be told apart from it."""
    if not math.isfinite(choice.chance):
        return f"how sure this is cannot be said: fewer than {FEWEST} trainings have finished"
    text = f"the best of {choice.candidates} with probability {chance_text(choice.chance)}"
    if choice.compared < choice.candidates:
        text += f", compared with the {choice.compared} nearest to the front"
    if choice.rivals:
        text += f"; it cannot be told apart from {trials_text([values.trials[other] for other in choice.rivals])}"
    return text


def interval_text() -> str:
    """Return the meaning of the brackets behind a value."""
    return f"[low, high] holds the mean over training seeds with probability {CONFIDENCE:.0%}".replace("%", " %")


def no_interval_text() -> str:
    """Return why values have no interval."""
    return f"fewer than {FEWEST} trainings have finished, so there is no interval"
