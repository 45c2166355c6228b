"""What is taken over from an earlier study."""

from pathlib import Path
from typing import Any

import pytest

from groupdir.config.domains import Domain, IntRange, LogUniform, Uniform
from groupdir.config.space import StudyConfig
from launch.search import resume
from launch.study.study import Study
from launch.study.warm_start import fits
from tests.launch.conftest import CONTENT


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (IntRange(2, 10, 2), [2, 4, 10], [3, 2.5, 12, True, "4", None]),
        (IntRange(1, 9, log=True), [1, 7], [0, 2.5]),
        (Uniform(0.0, 1.0, 0.1), [0.0, 0.3, 0.7, 1], [0.35, 1.1]),
        (Uniform(0.0, 1.0), [0.35], [-0.1]),
        (LogUniform(0.1, 10.0), [0.1, 10], [0.01]),
    ],
    ids=repr,
)
def test_only_values_that_could_be_drawn_fit(domain: Domain, inside: list[Any], outside: list[Any]) -> None:
    """Optuna raises at any other: the search would break when it first asks the sampler."""
    assert all(fits(domain, value) for value in inside)
    assert not any(fits(domain, value) for value in outside)


def test_a_resume_takes_over_what_a_dead_driver_had_not_yet(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = Study.create(results / "earlier", StudyConfig.from_dict(CONTENT))
    earlier.close()
    content = {**CONTENT, "search": {**CONTENT["search"], "warm_start": [str(results / "earlier")]}}
    Study.create(results / "later", StudyConfig.from_dict(content)).close()  # and here the driver died
    driven: list[Study] = []
    monkeypatch.setattr("launch.search.prepared", lambda config: None)

    def drive(study: Study, *options: object) -> int:
        driven.append(study)
        return 0

    monkeypatch.setattr("launch.search.run_study", drive)
    assert resume(results / "later") == 0
    assert [event.kind for event in driven[0].events()] == ["warm"]
    driven[0].close()
