"""Independent random points."""

from groupdir.config.space import StudyConfig
from launch.sampling.base import Past
from launch.sampling.design import design_point
from launch.sampling.independent import Random
from tests.launch.conftest import CONTENT


def test_each_attempt_is_another_point_and_none_is_of_the_design() -> None:
    config = StudyConfig.from_dict(CONTENT)
    first, second = (Random(Past(config.space, config.search)).suggest([7, 0, attempt]).params for attempt in range(2))
    assert first != second != design_point(config.space, 7, 0)


def test_given_parameters_are_kept() -> None:
    config = StudyConfig.from_dict(CONTENT)
    fixed = {"method.groups": 5, "method.similarity": "cosine"}
    for attempt in range(10):
        suggestion = Random(Past(config.space, config.search, fixed=fixed)).suggest([0, 0, attempt])
        assert fixed.items() <= suggestion.params.items()
        assert "method.temperature|cosine" in suggestion.params
