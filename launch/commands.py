"""Commands that start no search: audit, export-curves, simulate."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track
from rich.table import Table

from groupdir.command_line.console import new_console, say
from groupdir.files.parquet import write_parquet
from groupdir.files.study_files import SIMULATION
from groupdir.files.write_whole import make_folder
from groupdir.study.read import event_log, first_config
from launch.control.audit import audit as audit_events
from launch.schedulers import make_scheduler
from launch.simulation.curves import Curves, load_curves, write_curves
from launch.simulation.kinds import Kinds
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import Result, rows, table
from launch.simulation.searches import simulate as simulate_one
from launch.simulation.surrogate import Interpolated, Source


def audit(folder: Path) -> int:
    """Replay a study's decisions. Return 0 if all come out the same, else 1."""
    with event_log(folder) as (now, store):
        outcome = audit_events(store.events(), first_config(store, folder), lambda: make_scheduler(now.search))
    say(", ".join(f"{count} {kind}" for kind, count in outcome.checked.items()) + " replayed")
    say("\n".join(outcome.wrong) or "each follows from the event log")
    return 1 if outcome.wrong else 0


def export_curves(studies: Sequence[Path], out: Path) -> int:
    """Write the learning curves of studies into one file."""
    curves = load_curves(studies)
    make_folder(out.parent)
    write_curves(curves, out)
    trainings = sum(len(seeds) for seeds in curves.curves)
    say(f"wrote {out}: {len(curves.params)} configurations, {trainings} trainings, {out.stat().st_size:,} bytes")
    return 0


def simulate(studies: Sequence[Path], kinds: Kinds, out: Path, quiet: bool = False) -> int:
    """Simulate searches, print what they reach, and write every point and a figure."""
    kinds.check()
    curves = load_curves(studies)
    source = kinds.source_of(curves)
    quality = FrontQuality(source.known(), list(curves.config.search.objectives.values()))
    if not quiet:
        _print_source(curves, source, quality)
    progress = new_console(stderr=True, quiet=quiet)
    results = [
        simulate_one(curves, source, quality, search, workers, seed, kinds.faults_per_epoch())
        for search, workers, seed in track(
            kinds.jobs(), "simulating", console=progress, disable=quiet or not progress.is_terminal
        )
    ]
    _print_results(results)
    make_folder(out)
    write_parquet(out / SIMULATION, rows(results), {"source": source.name, "studies": [*map(str, studies)]})
    # analysis draws the figure in another process, because launch does not import analysis
    figure = [sys.executable, "-m", "groupdir", "figures", "simulation", str(out)]
    return subprocess.run(figure, check=False).returncode


def _print_source(curves: Curves, source: Source, quality: FrontQuality) -> None:
    say(f"{len(curves.params)} recorded configurations; trials report: {source.name}; epochs are those that predict")
    if isinstance(source, Interpolated):
        shares = ", ".join(f"{name} {share:.2f}" for name, share in source.explained.items())
        say(f"explained variance of configurations, by leave-one-out: {shares}")
    say(f"{quality.front_size} on the best known front; hypervolume is a share of its own")


def _print_results(results: Sequence[Result]) -> None:
    spent = max(result.epochs for result in results)
    header, *lines = table(results, [spent // 4, spent // 2, spent])
    shape = Table(*header)
    for line in lines:
        shape.add_row(*line)
    new_console(width=160 if not sys.stdout.isatty() else None).print(shape)
