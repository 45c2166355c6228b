"""Domains as distributions."""

from typing import Any

import optuna
import pytest

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform, Uniform
from launch.sampling.domains import decode, distribution, draw, encode

DOMAINS = [
    Choice((None, True, 1, 1.0, "cosine", [1, 2], {"mode": "inverse", "lds": {"size": 5}})),
    Uniform(0.0, 0.5),
    Uniform(0.0, 0.35, 0.1),
    LogUniform(0.01, 10.0),
    IntRange(1, 10, 4),
    IntRange(1, 64, log=True),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_draws_lie_in_the_domain_and_come_back(domain: Domain) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [draw(study.ask(), "x", domain) for _ in range(60)]
    for value in drawn:
        assert decode(domain, encode(domain, value)) == value
        assert inside(domain, value)
    for end in domain.ends:
        inner = distribution(domain)
        assert inner._contains(inner.to_internal_repr(encode(domain, end))) or domain == DOMAINS[2]


def inside(domain: Domain, value: Any) -> bool:
    if isinstance(domain, Choice):
        return any(type(value) is type(known) and value == known for known in domain.values)
    if isinstance(domain, IntRange):
        return isinstance(value, int) and domain.low <= value <= domain.high and (value - domain.low) % domain.step == 0
    stepped = (
        not isinstance(domain, Uniform)
        or domain.step is None
        or abs(value / domain.step - round(value / domain.step)) < 1e-9
    )
    return domain.low <= value <= domain.high and stepped


def test_equal_looking_choices_stay_apart() -> None:
    found = distribution(Choice((1, True, 1.0)))
    assert isinstance(found, optuna.distributions.CategoricalDistribution)
    assert found.choices == ("1", "true", "1.0")
