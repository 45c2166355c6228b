"""Front and choices of a study in its report: the table of the front, and how sure each choice is."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd

from analysis.estimates import estimates_of, failed_confirmations, failures_text
from analysis.front import estimated_rows, front_table
from analysis.load import StudyResults
from analysis.page.table import table_html
from groupdir.files.study_files import TRAININGS
from groupdir.values.choice import Choice
from groupdir.values.values import CONFIDENCE
from groupdir.values.words import choice_text, interval_text, no_interval_text, number_text, trainings_text


def brackets_note(study: StudyResults) -> str:
    """Return the meaning of the brackets behind the estimates. Without intervals, return the reason instead."""
    return interval_text() if _known(study) else f"{no_interval_text()}, and the estimates are the raw values"


def bars_note(study: StudyResults) -> str:
    """Return the meaning of the bars in the plot of the front. Without intervals, return the reason instead."""
    if not _known(study):
        return f"{no_interval_text().capitalize()}."
    return f"A bar holds the mean over training seeds with probability {CONFIDENCE:.0%}.".replace("%", " %")


def _known(study: StudyResults) -> bool:
    """Return whether all objectives have intervals."""
    values = estimates_of(study)
    return all(values.of(metric).posterior is not None for metric in study.objectives)


def front_html(study: StudyResults, front: pd.DataFrame, chosen: Mapping[str, Choice]) -> str:
    """Return the table of the front, and of the configurations that a rule chooses without being on it."""
    every, on_front = estimated_rows(study), set(front["trial"])
    rules: dict[int, list[str]] = {}
    for rule, choice in chosen.items():
        rules.setdefault(int(every["trial"].iloc[choice.index]), []).append(rule)
    shown = pd.concat([front, every[every["trial"].isin(rules.keys() - on_front)]])
    header, texts = front_table(study, shown)
    cut = header.index("seeds") + 1 + len(study.objectives)  # the raw values follow the estimates
    rows: list[list[str]] = []
    for cells, (_, row) in zip(texts, shown.iterrows(), strict=True):
        cells[header.index("seeds")] = trainings_text(int(row[TRAININGS]))
        raw = ", ".join(number_text(row[metric]) for metric in study.objectives)
        rows.append([", ".join(rules.get(int(row["trial"]), [])), *cells[:cut], raw, *cells[cut:]])
    header = ["chosen by", *header[:cut], "the search saw", *header[cut:]]
    return table_html(header, rows, [bool(cells[0]) for cells in rows])


def choices_html(study: StudyResults, chosen: Mapping[str, Choice]) -> str:
    """Return a list that says for each rule how sure its choice is."""
    values, failed = estimates_of(study), failed_confirmations(study)
    items: list[str] = []
    for rule, choice in chosen.items():
        trial = values.trials[choice.index]
        failures = f"; {failures_text(*failed[trial])}" if trial in failed else ""
        seeds = trainings_text(len(values.configurations[choice.index].trainings))
        items.append(f"{rule}: trial {trial}, {seeds}: {choice_text(values, choice)}{failures}.")
    return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in items)}</ul>"
