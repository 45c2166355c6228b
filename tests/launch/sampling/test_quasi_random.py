"""The design as a sampler."""

from groupdir.config.space import StudyConfig
from launch.sampling.base import Past
from launch.sampling.design import design_point
from launch.sampling.quasi_random import QMC
from launch.sampling.searcher import propose
from tests.launch.conftest import CONTENT


def test_every_trial_is_a_point_of_the_design() -> None:
    config = StudyConfig.from_dict(CONTENT | {"search": {"sampler": {"name": "qmc"}, "seed": 7}})
    assert propose(config.space, config.search, []).params == design_point(config.space, 7, 0)
    assert QMC(Past(config.space, config.search)).suggest([7, 0, 0]) is None
