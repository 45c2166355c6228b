"""HTML report of a study in one file that needs no network and no other file."""

from __future__ import annotations

import html
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from analysis.ablations import BASELINE, Runs, ablations, findings
from analysis.estimates import estimates_of, metric_of
from analysis.figures.trade_off import front_figure
from analysis.front import find_front
from analysis.load import StudyResults
from analysis.page.front_section import bars_note, brackets_note, choices_html, front_html
from analysis.page.plots import SHARE_TEXTS, curves_plot, front_plot, parallel_plot
from analysis.page.table import table_html
from analysis.page.thinning import thinning_note
from analysis.select import choices
from groupdir import __version__
from groupdir.command_line.next_command import next_command
from groupdir.files.study_files import FRONT_FIGURE, REPORT, STUDY_CONFIG, best_file
from groupdir.files.write_whole import output_folder, write_whole
from groupdir.metrics import ALL
from groupdir.values.choice import Choice

_CSS = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.5rem 4rem; background: #fff; color: #1f2937;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.75rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; }
p { margin: .3rem 0 .8rem; max-width: 75ch; } .note { color: #4b5563; font-size: .92rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: .7rem; margin: 1rem 0; }
dl div { border: 1px solid #e2e8f0; border-radius: 8px; padding: .55rem .8rem; }
dt { color: #4b5563; font-size: .8rem; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; text-align: left; border-bottom: 1px solid #e2e8f0; white-space: nowrap; }
th { color: #4b5563; font-weight: 600; border-bottom: 2px solid #94a3b8; } tr.chosen td { background: #fff7ed; }
tr.chosen td:first-child { font-weight: 700; color: #c2410c; } td small { color: #4b5563; }
pre { background: #f1f5f9; border-radius: 8px; padding: .8rem 1rem; overflow-x: auto; font-size: .88rem; }
footer { margin-top: 3rem; color: #4b5563; font-size: .85rem; border-top: 1px solid #e2e8f0; padding-top: .8rem; }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } .modebar { display: none; } }
"""


def write_report(study: StudyResults) -> Path:
    """Write report.html and front.png into the study's folder, or into the current one if that is read-only.

    Raises:
        DataError: If no trial finished or the folder cannot be written.
    """
    folder = output_folder(study.folder)
    front_figure(study, folder / FRONT_FIGURE)
    return write_whole(folder / REPORT, report_page(study))


def report_page(study: StudyResults) -> str:
    """Return the HTML text. Everything that a person wrote (names, labels, values) is escaped.

    Raises:
        DataError: If no trial finished.
    """
    front = find_front(study)
    chosen = choices(study)
    trials = {estimates_of(study).trials[choice.index] for choice in chosen.values()}
    counts = study.counts()
    thinning = thinning_note([counts.get("stopped", 0), counts.get("finished", 0) - len(front)])
    all_metric = html.escape(metric_of(study, ALL))
    sections = [
        _section(
            "The front",
            "A configuration is on the front if no other finished one is at least as good by the estimates of every "
            f"objective and better by one. {bars_note(study)} Hover for details. Axes are zoomed to finished trials; "
            f"double-click to show all.{thinning}",
            _plot(front_plot(study, front), "front", SHARE_TEXTS),
        ),
        _section(
            "Configurations on the front",
            f"Estimates of the validation metrics at each trial's selected epoch: {brackets_note(study)}. The best raw "
            "value of many is too good on average, and an estimate corrects for that. A rule chooses by the estimates, "
            "before the test set is read. “On front” is the probability of being on the front.",
            front_html(study, front, chosen) + choices_html(study, chosen),
        ),
        _section(
            "Parameters and results",
            f"One line per trial; trials on the front are orange. Drag along an axis to select a range.{thinning}",
            _plot(parallel_plot(study, front), "parallel"),
        ),
        _section(
            "Learning curves",
            f"{all_metric} by epoch. Trials that the scheduler stopped end early.{thinning}",
            _plot(curves_plot(study, front, trials), "curves"),
        ),
        *_ablation_sections(study),
        *_failure_sections(study),
        _section(
            "Reproduce",
            "Run the same search into an empty results folder, and write this page.",
            _commands(study, chosen),
        ),
    ]
    name = html.escape(study.name)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{name}: report</title>\n'
        f"<style>{_CSS}</style>\n<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<h1>Study {name}</h1>\n"
        f"{_notice(study)}"
        f"{_facts(study, front)}\n{''.join(sections)}\n<footer>{_versions()}</footer>\n</body>\n</html>\n"
    )


def _section(title: str, note: str, body: str) -> str:
    return f'<section>\n<h2>{title}</h2>\n<p class="note">{note}</p>\n{body}\n</section>\n'


def _plot(figure: go.Figure, name: str, script: str | None = None) -> str:
    config = {"displaylogo": False, "responsive": True, "displayModeBar": False}
    text = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config, post_script=script)
    return str(text)


def _notice(study: StudyResults) -> str:
    """Return a paragraph which says that the search is unfinished, or an empty text."""
    return f"<p><strong>{html.escape(study.unfinished)}</strong></p>\n" if study.left else ""


def _facts(study: StudyResults, front: pd.DataFrame) -> str:
    counts = study.counts()
    objectives = ", ".join(f"{metric} ({direction})" for metric, direction in study.objectives.items())
    facts = {
        "Trials of the search": f"{len(study.searched)}: "
        + ", ".join(f"{number} {status}" for status, number in counts.items()),
        "On the front": str(len(front)),
        "Objectives": objectives,
        "Sampler": study.config.search.sampler.text,
        "Scheduler": study.config.search.scheduler.text,
        "Trial time, summed": _duration(float(study.trials["seconds"].sum())),
        "Epochs trained": f"{len(study.epochs):,}",
    }
    cells = (f"<div><dt>{name}</dt><dd>{html.escape(text)}</dd></div>" for name, text in facts.items())
    return f"<dl>{''.join(cells)}</dl>"


def _ablation_sections(study: StudyResults) -> list[str]:
    table = ablations(study)
    if not table:
        return []
    metrics = list(next(iter(table.values())))
    rows = [
        [label, str(max(len(runs.values) for runs in row.values())), *_spreads(table, label, metrics)]
        for label, row in table.items()
    ]
    sentences = "".join(f"<li>{html.escape(text)}</li>" for text in findings(study, table))
    note = (
        f"Mean ± standard deviation over seeds on validation data; in brackets the difference to “{BASELINE}”. "
        "All ablations have the same seeds. A difference over all samples is shown if the 95 % interval of its mean "
        "over pairs of seeds leaves out 0."
    )
    body = table_html(["", "seeds", *metrics], rows, [label == BASELINE for label in table])
    return [_section("Ablations", note, f"{body}\n<ul>{sentences}</ul>")]


def _failure_sections(study: StudyResults) -> list[str]:
    """Return the section about the failed trials, or none."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in study.failures())
    note = "Messages of the trials that failed. Messages that differ only in their numbers are counted together."
    return [_section("Failed trials", note, f"<ul>{items}</ul>")] if items else []


def _spreads(table: dict[str, dict[str, Runs]], label: str, metrics: Sequence[str]) -> list[str]:
    if label == BASELINE or BASELINE not in table:
        return [str(table[label][metric]) for metric in metrics]
    return [f"{table[label][m]} ({table[label][m].mean - table[BASELINE][m].mean:+.2f})" for m in metrics]


def _commands(study: StudyResults, chosen: dict[str, Choice]) -> str:
    rule = "few" if "few" in chosen else next(iter(chosen), ALL)
    lines = [
        next_command("search", study.folder / STUDY_CONFIG),
        next_command("select", study.folder, "--shot", rule),
        next_command("train", study.folder / best_file(rule), "--seeds", 5, "--beside", "vanilla"),
        next_command("report", study.folder),
    ]
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def _versions() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("plotly", "pandas", "pyarrow", "moocore"))
    return f"Written by groupdir {__version__} with Python {platform.python_version()}, {libraries}."


def _duration(seconds: float) -> str:
    """Return a duration in hours, minutes and seconds.

    >>> _duration(3725.4)
    '1 h 2 min 5 s'
    """
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
