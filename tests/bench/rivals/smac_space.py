"""Search space in the form of ConfigSpace, which SMAC3 takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    Configuration,
    ConfigurationSpace,
    InCondition,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform
from groupdir.config.parameters import Conditional, Space, case_text
from launch.sampling.domains import encode


def config_space(space: Space, seed: int) -> ConfigurationSpace:
    """Return the space with its conditions. A choice of numbers is ordinal, other choices are categorical."""
    result = ConfigurationSpace(seed=seed)
    mine = {name: _parameter(name, domain) for name, domain in space.parameters.items()}
    result.add(*mine.values())
    for address, parameter in space.open.items():
        if not isinstance(parameter, Conditional) or parameter.by not in mine:
            continue
        parent = space.parameters[parameter.by]
        assert isinstance(parent, Choice), "cases are values of a choice"
        for case in parameter.cases:
            if child := mine.get(f"{address}|{case}"):
                values = [encode(parent, value) for value in parent.values if case_text(value) == case]
                result.add(InCondition(child, mine[parameter.by], values))
    return result


def params_of(space: Space, config: Configuration) -> Mapping[str, Any]:
    """Return our parameters of a configuration."""
    return space.suggest(lambda name, domain: _value(domain, config[name]))


def _parameter(name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in domain.values)
        values = [encode(domain, value) for value in (sorted(domain.values) if numbers else domain.values)]
        return (OrdinalHyperparameter if numbers else CategoricalHyperparameter)(name, values)
    if isinstance(domain, IntRange):
        if domain.step == 1:
            return UniformIntegerHyperparameter(name, domain.low, domain.high, log=domain.log)
        return UniformIntegerHyperparameter(name, 0, (domain.high - domain.low) // domain.step)
    if isinstance(domain, LogUniform):
        return UniformFloatHyperparameter(name, domain.low, domain.high, log=True)
    if domain.step is None:
        return UniformFloatHyperparameter(name, domain.low, domain.high)
    return UniformIntegerHyperparameter(name, 0, int((domain.high - domain.low) / domain.step + 1e-9))


def _value(domain: Domain, value: Any) -> Any:
    if isinstance(domain, Choice):
        return json.loads(str(value))
    if isinstance(domain, IntRange):
        return int(value) if domain.step == 1 else domain.low + domain.step * int(value)
    if isinstance(domain, LogUniform) or domain.step is None:
        return float(value)
    return round(domain.low + domain.step * int(value), 12)
