"""Studies with values by hand, for tests of a choice."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.load import StudyResults, load_results

MakeStudy = Callable[..., Path]


def study_of(
    make_study: MakeStudy, values: Mapping[str, Sequence[float]], objectives: Mapping[str, str]
) -> StudyResults:
    """A study whose first trials have these values; the others of the search did not finish."""
    study = load_results(make_study(ablations=False))
    trials, count = study.trials.copy(), len(next(iter(values.values())))
    trials["status"] = ["finished"] * count + ["stopped"] * (len(trials) - count)
    for name, column in values.items():
        trials[name] = [*column, *[0.0] * (len(trials) - count)]
    return dataclasses.replace(study, trials=trials, objectives=objectives)


def confirmed(study: StudyResults, base: int, values: Sequence[Mapping[str, float] | None]) -> StudyResults:
    """The study with further trainings of a trial's configuration. None is a training that failed."""
    rows, number = [], int(study.trials["trial"].max())
    first = study.trials[study.trials["trial"] == base].iloc[0].to_dict()
    fresh = range(number + 1, number + 1 + len(values))
    for trial, metrics in zip(fresh, values, strict=True):
        status = "failed" if metrics is None else "finished"
        changes = {"trial": trial, "seed": 10_000 + trial, "status": status, "role": "confirmation"}
        rows.append({**first, **changes, "label": f"of trial {base}", **(metrics or {})})
    return dataclasses.replace(
        study,
        trials=pd.concat([study.trials, pd.DataFrame(rows)], ignore_index=True),
        configs={**study.configs, **{trial: {**study.configs[base], "seed": 10_000 + trial} for trial in fresh}},
        suggested={**study.suggested, **dict.fromkeys(fresh, study.suggested[base])},
        params={**study.params, **dict.fromkeys(fresh, study.params[base])},
    )
