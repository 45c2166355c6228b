"""A configuration that breaks a constraint is neither on the front nor chosen."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.estimates import estimates_of
from analysis.front import find_front
from analysis.load import StudyResults, load_results
from analysis.select import choose
from groupdir.errors import DataError
from groupdir.files.study_files import MEAN

MakeStudy = Callable[..., Path]


def constrained(study: StudyResults, **constraints: str) -> StudyResults:
    search = {**study.study["search"], "constraints": constraints}
    return dataclasses.replace(study, study={**study.study, "search": search})


def test_the_front_keeps_to_constraints_by_the_estimates(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    free = find_front(constrained(study))
    mean = MEAN + "val_mae_many"
    limit = float(free[mean].median())
    assert (free[mean] > limit).any()
    kept = find_front(constrained(study, val_mae_many=f"<= {limit}"))
    assert (kept[mean] <= limit).all()
    assert set(free[free[mean] <= limit]["trial"]) <= set(kept["trial"])
    above = find_front(constrained(study, val_mae_many=f">= {limit}"))
    assert (above[mean] >= limit).all()


def test_a_rule_keeps_to_constraints(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    means = estimates_of(study).of("val_mae_many").mean
    limit = float(np.sort(means)[3])
    study = constrained(study, val_mae_many=f"<= {limit}")
    choice = choose(study, "few")
    assert choice.candidates == 4
    assert means[choice.index] <= limit


def test_no_configuration_keeps_to_them(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    with pytest.raises(
        DataError,
        match=r"none of 26 configurations satisfies .*: val_mae_many <= 0.001 \(the nearest estimate is \d.*looser",
    ):
        find_front(constrained(study, val_mae_many="<= 0.001"))
    with pytest.raises(DataError, match="no configuration has this metric"):
        find_front(constrained(study, val_pearson_few=">= 0"))
    with pytest.raises(DataError, match=r"cannot be read: .*search\.constraints\.val_unknown_all"):
        find_front(constrained(study, val_unknown_all="<= 1"))
