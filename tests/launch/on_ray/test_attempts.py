"""Each process of a trial has a number; who is given up is in a file that every node reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from groupdir.config.space import StudyConfig
from groupdir.files.fence import Fence
from groupdir.files.study_files import GIVEN_UP
from launch.on_ray.attempts import Attempts
from launch.study.study import Study
from tests.launch.conftest import CONTENT

STAGED = {"name": "group_dir", "recipe": "two_stage", "beta": {"log_uniform": [0.25, 4]}, "pretrain": {"epochs": 2}}


@pytest.fixture
def study(results: Path) -> Iterator[Study]:
    """A study whose trials share a first stage."""
    made = Study.create(results / "staged", StudyConfig.from_dict({**CONTENT, "method": STAGED}))
    yield made
    made.close()


def fence_of(study: Study) -> Fence:
    assert study.stages is not None
    return Fence(Path(str(study.stages)) / GIVEN_UP)


def test_a_retry_gives_up_the_attempt_before_it(study: Study) -> None:
    said: list[str] = []
    attempts, fence = Attempts(study, "run-1", said.append), fence_of(study)
    first, other = attempts.begin(3), attempts.begin(4)
    assert first == "run-1/3/0"
    assert not fence.excludes(first)
    second = attempts.begin(3)
    assert [fence.excludes(attempt) for attempt in (first, second, other)] == [True, False, False]
    attempts.give_up(4)
    assert fence.excludes(other)
    assert not said


def test_a_new_driver_gives_up_all_of_the_last_one(study: Study) -> None:
    first = Attempts(study, "run-1", print).begin(0)
    second = Attempts(study, "run-2", print).begin(0)
    assert [fence_of(study).excludes(attempt) for attempt in (first, second)] == [True, False]


def test_a_fence_that_cannot_be_written_is_said_and_ends_nothing(study: Study, tmp_path: Path) -> None:
    (fence_of(study).path).parent.write_text("a file where the folder of stages would be")
    said: list[str] = []
    attempts = Attempts(study, "run-1", said.append)
    attempts.begin(0)
    attempts.begin(0)
    assert len(said) == 2
    assert "cannot be written, so trials may wait" in said[0]


def test_without_shared_stages_nothing_is_written(results: Path) -> None:
    study = Study.create(results / "joint", StudyConfig.from_dict(CONTENT))
    attempts = Attempts(study, "run-1", print)
    assert (attempts.begin(0), attempts.begin(0)) == ("run-1/0/0", "run-1/0/1")
    assert not list(study.folder.rglob(GIVEN_UP))
    study.close()
