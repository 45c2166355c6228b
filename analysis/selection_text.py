"""Text of a choice: the front, the chosen configuration, how sure it is, what it costs, and the next command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.constraints import keep_constraints
from analysis.estimates import estimates_of, failed_confirmations, failures_text, recorded_metrics, shown_metrics
from analysis.front import estimated_rows, front_table
from analysis.load import StudyResults
from analysis.select import Selection
from analysis.within import tolerances_text
from groupdir.command_line.console import new_console, say, say_on
from groupdir.command_line.next_command import next_command
from groupdir.config.confirmation import ConfirmationConfig
from groupdir.metrics import sign
from groupdir.rules import metrics_of_rule
from groupdir.values.values import Values
from groupdir.values.words import choice_text, interval_text, no_interval_text, number_text, trainings_text, value_text

LEAST_PARAMETERS = 40  # narrowest useful column of parameters; below it they have a table of their own


def print_selection(study: StudyResults, selection: Selection, console: Console | None = None) -> None:
    """Print the front with the chosen trial marked, how sure the choice is, the written file and the next command."""
    console = console or new_console()
    sentences = [*_front_sentences(study, selection), "", *_choice_sentences(study, selection), ""]
    header, rows = front_table(study, _shown_rows(study, selection))
    if study.left:
        say(study.unfinished)
    marked = [["*" if row[0] == str(selection.trial) else "", *row] for row in rows]
    price = price_rows(study, selection)
    if console.is_terminal:
        _print_tables(console, study, ["", *header], marked)
        for sentence in sentences:
            say_on(console, sentence)
        if _width(price[0], price[1:], 2) > console.width:
            price = [[name.replace(" ", "\n") for name in price[0]], *_in_two_lines(price[1:])]
        console.print(_table(price[0], price[1:]))
    else:
        _print_aligned([["", *header], *marked])
        print(*sentences, sep="\n")
        _print_aligned(price)
    print()
    print(f"wrote {selection.file}")
    command, train = confirm_command(study, selection), train_command(selection)
    print(f"next: {command or train}")
    if command:
        print(f"then: {train}")


def train_command(selection: Selection) -> str:
    """Return the command that trains the chosen configuration and measures it on the test set."""
    return next_command("train", selection.file, "--seeds", 5, "--beside", "vanilla")


def confirm_command(study: StudyResults, selection: Selection) -> str | None:
    """Return the command that trains the contenders of the choice on fresh seeds, or None if there is no need.

    A choice that has further trainings, or is the best with the probability that ends a confirmation, needs none. A
    trial that the scheduler stopped cannot be confirmed.
    """
    options = study.config.search.confirm or ConfirmationConfig()
    if selection.configuration.confirmed or selection.choice.chance >= options.stop:
        return None
    finished = set(estimates_of(study).trials)
    if finished.isdisjoint(training.trial for training in selection.configuration.trainings):
        return None
    return next_command("confirm", study.folder, "--rule", selection.rule)


def price_rows(study: StudyResults, selection: Selection) -> list[list[str]]:
    """Return a header and a row for each metric: the estimate of the choice, its raw value, and the best estimate."""
    values, chosen = selection.values, selection.choice.index
    candidates = keep_constraints(study, values)
    seen = study.trials[study.trials["trial"] == selection.trial].iloc[0]
    rows = [["", f"trial {selection.trial}", "search saw", "best estimate", ""]]
    for metric in shown_metrics(study):
        costs = values.of(metric).costs[candidates]
        best = int(candidates[np.nanargmin(costs)]) if np.isfinite(costs).any() else None
        nearest = "-" if best is None else f"{number_text(values.of(metric).mean[best])} (trial {values.trials[best]})"
        price = "" if best is None else _price(values, metric, chosen, best)
        rows.append([metric, value_text(values.of(metric).value(chosen)), number_text(seen[metric]), nearest, price])
    return rows


def _price(values: Values, metric: str, chosen: int, best: int) -> str:
    """Return how much worse the choice is than the best estimate of a metric."""
    mean = values.of(metric).mean
    loss = float(sign(metric) * (mean[chosen] - mean[best]))
    if chosen == best or not loss > 0:
        return "the best" if loss == 0 else ""
    if not mean[best]:
        return f"{number_text(loss)} worse"
    share = 100 * loss / abs(float(mean[best]))
    return f"{share:.0f} % worse" if share >= 0.5 else "under 1 % worse"


def _shown_rows(study: StudyResults, selection: Selection) -> pd.DataFrame:
    """Return the rows of the front, and that of the choice if it is not on the front."""
    front = selection.front
    if selection.trial in set(front["trial"]):
        return front
    rows = estimated_rows(study, include_stopped=selection.include_stopped)
    return pd.concat([front, rows.iloc[[selection.choice.index]]])


def _front_sentences(study: StudyResults, selection: Selection) -> list[str]:
    """Return how many configurations are on the front, and the meaning of the brackets behind the estimates."""
    values, front = selection.values, selection.front
    stopped = int((front["status"] == "stopped").sum())
    note = f" ({stopped} stopped before the last epoch)" if stopped else ""
    known = all(values.of(metric).posterior is not None for metric in study.objectives)
    meaning = interval_text() if known else no_interval_text()
    verb = "is" if len(front) == 1 else "are"
    return [f"{len(front)} of {len(values.configurations)} configurations {verb} on the front{note}", meaning]


def _choice_sentences(study: StudyResults, selection: Selection) -> list[str]:
    """Return what the rule chose, how sure that is, and which further trainings failed."""
    values, choice = selection.values, selection.choice
    metrics = metrics_of_rule(choice.rule, list(study.objectives), recorded_metrics(study))
    if len(metrics) == 1:
        reason = f"{metrics[0]} {_reason(study, selection, metrics[0])}"
    else:
        reason = f"the best compromise, from {trainings_text(len(selection.configuration.trainings))}"
    within = f" among those with {tolerances_text(selection.tolerances)}" if selection.tolerances else ""
    apart = "" if selection.trial in set(selection.front["trial"]) else ", not on the front"
    sure = choice_text(values, choice)
    sentences = [
        f"rule {choice.rule} chooses trial {selection.trial} (marked *{apart}){within}: {reason}",
        f"trial {selection.trial} is {sure}" if isfinite(choice.chance) else sure,
    ]
    shown = {*selection.front["trial"], selection.trial}
    failed = {trial: count for trial, count in failed_confirmations(study).items() if trial in shown}
    return [*sentences, *(f"trial {trial}: {failures_text(*count)}" for trial, count in failed.items())]


def _reason(study: StudyResults, selection: Selection, metric: str) -> str:
    """Return the estimate of the choice, its number of seeds, and the raw value that the search saw."""
    value = selection.values.of(metric).value(selection.choice.index)
    seen = float(study.trials.loc[study.trials["trial"] == selection.trial, metric].iloc[0])
    more = f" from {trainings_text(value.trainings)}, whose mean is {number_text(value.raw)}"
    saw = f"the search saw {number_text(seen)} with {trainings_text(1)}"
    return f"{value_text(value)}{more if value.trainings > 1 else ''}; {saw}"


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    """Print plain columns for a program or a file."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _print_tables(console: Console, study: StudyResults, header: list[str], rows: list[list[str]]) -> None:
    """Print the front for a terminal.

    Numbers are never cut: an interval that does not fit has a line of its own. The parameters have a column if there is
    room, else a table of their own.
    """
    numbers = len(header) - len(study.param_names)
    heads = [name.replace("_", "\n").replace(" ", "\n") for name in header[:numbers]]
    gap = 2 if _width(heads, [row[:numbers] for row in rows], 2) <= console.width else 1
    if _width(heads, [row[:numbers] for row in rows], gap) > console.width:
        rows = [
            [*two, *row[numbers:]] for two, row in zip(_in_two_lines([r[:numbers] for r in rows]), rows, strict=True)
        ]
    params = [
        ", ".join(f"{name} {text}" for name, text in zip(header[numbers:], row[numbers:], strict=True)) for row in rows
    ]
    styles = ["bold green" if row[0] else "" for row in rows]
    title = f"front of {study.name}"
    if _width(heads, [row[:numbers] for row in rows], gap) + LEAST_PARAMETERS > console.width:
        console.print(_table(heads, [row[:numbers] for row in rows], styles, title=title, gap=gap))
        console.print()
        pairs = [[*row[:2], text] for row, text in zip(rows, params, strict=True)]
        console.print(_table(["", "trial", "parameters"], pairs, styles, wrapped=True))
    else:
        whole = [[*row[:numbers], text] for row, text in zip(rows, params, strict=True)]
        console.print(_table([*heads, "parameters"], whole, styles, title=title, wrapped=True))
    console.print()


def _in_two_lines(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return cells whose interval, or another addition to a number, is in a line of its own."""
    return [[re.sub(r" ([\[(]|worse)", r"\n\1", text) for text in row] for row in rows]


def _width(header: Sequence[str], rows: Sequence[Sequence[str]], gap: int) -> int:
    """Return the width of a table: its columns, whose cells may have several lines, and a gap between them."""
    lines = [header, *rows]
    columns = ([line for text in cells for line in text.split("\n")] for cells in zip(*lines, strict=True))
    return sum(max(len(line) for line in column) + gap for column in columns) - gap


def _table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str] | None = None,
    *,
    title: str | None = None,
    wrapped: bool = False,
    gap: int = 2,
) -> Table:
    """Return a table for a terminal with a gap between the columns. Only the last column may wrap, if at all."""
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0), title=title and Text(title)
    )
    for name in header[:-1]:
        table.add_column(Text(name), no_wrap=True)
    table.add_column(Text(header[-1]), no_wrap=not wrapped)
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        table.add_row(*(Text(text) for text in row), style=style)  # Text: square brackets of a list are no markup
    return table
