"""Failed trials that get a second chance: those of a search that equal failures have ended, after the repair."""

from __future__ import annotations

from groupdir.config.search import SearchConfig
from groupdir.files.study_files import STUDY_CONFIG
from groupdir.study.state import StudyState
from launch.study.study import Study


def run_again_by_resume(state: StudyState) -> list[int]:
    """Return the failed trials that a resume runs again, after equal failures have ended the search.

    These are the trials of the last driver that failed before their first epoch. Nothing depends on them yet. A trial
    that failed later stays failed: its epochs are recorded, and have had a part in decisions about other trials.

    Args:
        state: State of the study before the resume.
    """
    if not state.ended:
        return []
    trials = [trial for trial in state.of("search") if trial.status == "failed" and trial.run == state.runs]
    return [trial.number for trial in trials if not trial.rows]


def after_equal_failures(search: SearchConfig, state: StudyState) -> str:
    """Return what a resume does after equal failures have ended the search."""
    again, new = len(run_again_by_resume(state)), search.trials - len(state.of("search"))
    if not again and not new:
        return f"a resume has no trial left to run: set search.trials above {search.trials} in {STUDY_CONFIG} first"
    parts = [f"the {again} that failed before their first epoch again"] * bool(again)
    parts += [f"{new} new trial{'s' * (new != 1)}"] * bool(new)
    return f"a resume runs {' and '.join(parts)}"


def reopen(study: Study) -> list[int]:
    """Reopen the trials that a resume runs again, before its driver starts, and return their numbers."""
    numbers = run_again_by_resume(study.state)
    for number in numbers:
        study.append("reopened", trial=number)
    return numbers
