"""Conversion between our domains and Optuna's distributions."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform


def distribution(domain: Domain) -> BaseDistribution:
    """Return the Optuna distribution of a domain.

    The categories of a choice are the JSON texts of its values, because values may be lists and mappings, and because
    true, 1 and 1.0 are equal in Python.

    >>> distribution(Choice((1, True, None, {"lr": 0.1})))
    CategoricalDistribution(choices=('1', 'true', 'null', '{"lr":0.1}'))
    """
    if isinstance(domain, Choice):
        return CategoricalDistribution([encode(domain, value) for value in domain.values])
    if isinstance(domain, IntRange):
        return IntDistribution(domain.low, domain.ends[1], log=domain.log, step=domain.step)
    if isinstance(domain, LogUniform):
        return FloatDistribution(domain.low, domain.high, log=True)
    if domain.step is None:
        return FloatDistribution(domain.low, domain.high)
    low, high, step = (Decimal(str(number)) for number in (domain.low, domain.high, domain.step))  # 3 * 0.1 is not 0.3
    return FloatDistribution(domain.low, float(low + (high - low) // step * step), step=domain.step)


def encode(domain: Domain, value: Any) -> Any:
    """Return a value in the form that Optuna stores."""
    return json.dumps(value, separators=(",", ":")) if isinstance(domain, Choice) else value


def decode(domain: Domain, value: Any) -> Any:
    """Return our value from the form that Optuna stores."""
    return json.loads(value) if isinstance(domain, Choice) else value


def draw(trial: Trial, name: str, domain: Domain) -> Any:
    """Return a value for a parameter, suggested by Optuna."""
    as_optuna = distribution(domain)
    if isinstance(as_optuna, CategoricalDistribution):
        return decode(domain, trial.suggest_categorical(name, as_optuna.choices))
    if isinstance(as_optuna, IntDistribution):
        return trial.suggest_int(name, as_optuna.low, as_optuna.high, step=as_optuna.step, log=as_optuna.log)
    assert isinstance(as_optuna, FloatDistribution)
    return trial.suggest_float(name, as_optuna.low, as_optuna.high, step=as_optuna.step, log=as_optuna.log)
