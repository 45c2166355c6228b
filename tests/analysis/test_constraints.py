"""What breaks a constraint is not on the front."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.load import StudyResults, load_results
from analysis.select import find_front
from groupdir.errors import DataError

MakeStudy = Callable[..., Path]


def constrained(study: StudyResults, **constraints: str) -> StudyResults:
    search = {**study.study["search"], "constraints": constraints}
    return dataclasses.replace(study, study={**study.study, "search": search})


def test_the_front_keeps_to_constraints(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    free = find_front(constrained(study))
    limit = float(free["val_mae_many"].median())
    assert (free["val_mae_many"] > limit).any()
    kept = find_front(constrained(study, val_mae_many=f"<= {limit}"))
    assert (kept["val_mae_many"] <= limit).all()
    assert set(free[free["val_mae_many"] <= limit]["trial"]) <= set(kept["trial"])
    above = find_front(constrained(study, val_mae_many=f">= {limit}"))
    assert (above["val_mae_many"] >= limit).all()


def test_nobody_keeps_to_them(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    with pytest.raises(
        DataError, match=r"none of \d+ trials satisfies .*: val_mae_many <= 0.001 \(the nearest trial has \d.*looser"
    ):
        find_front(constrained(study, val_mae_many="<= 0.001"))
    with pytest.raises(DataError, match="no trial has this metric"):
        find_front(constrained(study, val_unknown_all="<= 1"))
