"""Summary of a study that no driver runs: counts, choices, failures, and the next command."""

from __future__ import annotations

import math
from pathlib import Path

from groupdir.command_line.next_command import next_command
from groupdir.config.space import StudyConfig
from groupdir.errors import DiskFullError, FileWriteError, GroupdirError
from groupdir.files.study_files import BENCHMARK
from groupdir.rules import metrics_of_rule, rules_of_objectives
from groupdir.shots import SHOTS
from groupdir.study.failures import failure_lines
from groupdir.study.state import StudyState
from launch.control.confirmation import ended_round
from launch.control.second_chance import after_equal_failures
from launch.interrupt import Interrupt
from launch.screen.choices import choice_lines
from launch.screen.counts import phase_counts
from launch.screen.progress import clock, status_lines
from launch.study.study import Study

FEW = SHOTS[-1]


def summary(study: Study, interrupt: Interrupt, again: str | None = None, problem: GroupdirError | None = None) -> str:
    """Return the summary of a search and the next command.

    Args:
        study: The study.
        interrupt: Condition for an early end.
        again: Command that continues the search; None for `groupdir resume`.
        problem: Error of a disk or a machine that ended the search, or None.
    """
    why = ""
    if isinstance(problem, FileWriteError | DiskFullError):
        full = isinstance(problem, DiskFullError) or problem.disk_full
        cause = "a disk is full" if full else "a file cannot be written"
        why = f"{cause}, and nothing that was recorded is lost" + (": free some space" if full else "")
    elif problem is not None:
        why = str(problem)
    elif interrupt.asked:
        why = "interrupted"
    elif interrupt.out_of_time:
        why = f"the time is up ({clock((study.config.search.max_hours or 0) * 3600)})"
    elif study.state.ended:
        remedy = f"correct the cause; {after_equal_failures(study.config.search, study.state)}"
        why = f"ended: {study.state.ended}; {remedy}"
    return "\n" + summary_text(study.config, study.state, study.folder, why, again)


def summary_text(
    config: StudyConfig, state: StudyState, folder: Path, interrupted: str = "", again: str | None = None
) -> str:
    """Return the summary of a study and the next command.

    Args:
        config: Configuration of the study.
        state: State of the study.
        folder: Folder of the study.
        interrupted: Why the study ended before its last trial; empty if it did not, or if nobody knows why.
        again: Command that continues the study; None for `groupdir resume`.
    """
    lines = status_lines(config, state, state.last_time, active=False, settled=True)
    if state.count("finished"):
        lines += choice_lines(config, state)
    lines += failures_of(state)
    if interrupted or unfinished(config, state):
        return "\n".join(
            [*lines, f"{interrupted or 'trials are left'}; continue with:", f"  {continuation(folder, again)}"]
        )
    if not state.count("finished"):
        why = "see the failures above" if state.count("failed") else "the scheduler stopped all of them"
        return "\n".join([*lines, f"no trial finished: {why}"])
    if why := ended_round(state, config):
        lines.append(why)
    select = next_command("select", shown(folder), "--shot", rule_to_choose_by(config, state))
    return "\n".join([*lines, "next, see the front and choose from it:", f"  {select}"])


def rule_to_choose_by(config: StudyConfig, state: StudyState) -> str:
    """Return the rule of the next command: few shots, if they were confirmed and have a validation sample.

    Otherwise it is the first rule that was confirmed, or the first one whose metric is an objective.
    """
    confirmed = state.round.rules if state.round else ()
    objectives = list(config.search.objectives)
    if confirmed and FEW not in confirmed:
        return confirmed[0]
    rows = [row for trial in state.finished("search") if (row := trial.selected) is not None]
    metric = metrics_of_rule(FEW, objectives, sorted({name for row in rows for name in row}))[0]
    if any(math.isfinite(row.get(metric, math.nan)) for row in rows):
        return FEW
    return rules_of_objectives(objectives)[0]


def continuation(folder: Path, again: str | None = None) -> str:
    """Return the command that continues a study.

    Args:
        folder: Folder of the study.
        again: The command, or None if it is unknown. A row of a benchmark is continued by the command of the
            benchmark, because the row is then measured too.
    """
    if again is not None:
        return again
    if any((parent / BENCHMARK).is_file() for parent in (folder.parent, folder.parent.parent)):
        return "the `groupdir benchmark` command that started it, because this study is a row of a benchmark"
    return next_command("resume", shown(folder))


def failures_of(state: StudyState) -> list[str]:
    """Return one line for each message of the failed trials; see `failure_lines`."""
    return failure_lines((trial.number, trial.message) for trial in state.trials.values() if trial.status == "failed")


def unfinished(config: StudyConfig, state: StudyState) -> bool:
    """Return whether a study has trials to run: open ones, or ones of a phase that has not ended or not begun."""
    if any(trial.status in ("running", "paused") for trial in state.trials.values()):
        return True
    if any(phase.counts["waiting"] for phase in phase_counts(config, state, active=False, settled=True)):
        return True
    return config.search.confirm is not None and state.round is None and bool(state.finished("search"))


def shown(folder: Path) -> Path:
    """Return a folder as a person would type it, relative to the current folder if possible."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
