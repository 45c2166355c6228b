"""What takes long or much memory in a large study, each against the way before: verbs, rungs, values, smoothing.

Builds a finished study of 5,000 trials (about 50,000 epochs), then runs each verb in a process of its own and prints
its processor time and its memory above that of the imports. Then it prints, with the ratio to the slow rule in the same
process: one arrival at a rung with an epsilon, the comparison of all configurations, and the smoothing over buckets.
    python tests/bench/bench_size.py [--trials 5000] [--quick]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.smoothing.moments import ReflectedConvolution
from groupdir.study.read import read_study
from groupdir.values import values as values_module
from groupdir.values.choice import choose, front_chances
from groupdir.values.trainings import configurations, trainings_of
from groupdir.values.values import Values
from launch.pareto import fronts
from launch.schedulers.rung import Rung
from launch.study.export import write_tables
from tests.bench.large_study import build, config_of

ROOT = Path(__file__).resolve().parents[2]
READ = "import analysis.__main__, scipy.linalg; from analysis.load import load_results as r"
VERBS: dict[str, tuple[str, str]] = {  # name -> modules to import before the clock starts, and the call
    "first resume": ("import ray, torch, sklearn.datasets, launch.search as m", "m.resume(folder, skip_doctor=True)"),
    "resume again": ("import ray, torch, sklearn.datasets, launch.search as m", "m.resume(folder, skip_doctor=True)"),
    "select": (
        f"{READ}; import analysis.select as m",
        "m.select_config(r(folder), 'few')",
    ),
    "report": (
        f"{READ}; import analysis.page.report as m",
        "m.write_report(r(folder))",
    ),
    "figures front": (
        f"{READ}; import analysis.figures.trade_off as m",
        "m.front_figure(r(folder), folder / 'figure.png')",
    ),
    "watch --once": ("import scipy.linalg, launch.screen.watch as m", "m.glance([folder])"),
    "watch --json": ("import scipy.linalg, launch.screen.watch as m", "m.standing(folder)"),
    "watch": ("import scipy.linalg, launch.screen.watch as m", "m.watch(folder)"),
    "audit": ("import launch.commands as m", "m.audit(folder)"),
}
MEASURE = """
import sys, time, pathlib
folder = pathlib.Path(sys.argv[1])
{imports}
from tests.bench.bench_size import peak
before, begin = peak(), time.process_time()
{call}
print(f"{{time.process_time() - begin:.1f}} s, {{peak() - before:.0f}} MB above the imports", file=sys.stderr)
"""


def peak() -> float:
    """Return the largest memory of this process since its last reset, in MB, and reset it to the present memory.

    Unlike `ru_maxrss` it does not count what the parent process had taken.
    """
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Return the processor seconds of a call."""
    begin = time.process_time()
    function(*arguments)
    return time.process_time() - begin


def verbs(folder: Path) -> None:
    """Print the cost of each verb, and the sizes of its files."""
    for name, (imports, call) in VERBS.items():
        code = MEASURE.format(imports=imports, call=call)
        command = [sys.executable, "-c", code, str(folder)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        print(f"{name}: {result.stderr.strip().splitlines()[-1]}", flush=True)
    sizes = [f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(folder.iterdir()) if path.is_file()]
    print(f"files: {', '.join(sizes)}")


def arrive(rung: Rung, trial: int, cost: np.ndarray) -> None:
    """Add a trial to a rung and decide about it."""
    rung.add(trial, cost.tolist())
    rung.is_top(trial, len(rung) // 3)


def rungs() -> None:
    """Print the time of one arrival at rungs with an epsilon, against a new sort of all members."""
    for objectives, size in ((2, 200), (3, 200), (3, 800), (3, 1_600), (2, 3_000), (3, 3_000)):
        costs = np.random.default_rng(0).random((size + 20, objectives))
        for epsilon in (0.01, 0.1):
            rung = Rung(["min"] * objectives, epsilon=epsilon)
            for trial in range(size):
                rung.add(trial, costs[trial].tolist())

            fast = np.median([seconds(arrive, rung, trial, costs[trial]) for trial in range(size, size + 20)])
            slow = seconds(fronts, costs[:size], np.full(objectives, epsilon))
            shown = f"{1e3 * fast:.2f} ms, by a new sort {1e3 * slow:.0f} ms, {slow / fast:.0f} times as long"
            print(f"arrival at {size:,} members, {objectives} objectives, epsilon {epsilon:g}: {shown}", flush=True)


def judge(of_study: Values) -> None:
    """Choose a configuration and compute the chances of the front."""
    every = np.arange(len(of_study.configurations))
    choose(of_study, "few", of_study.objectives, of_study.recorded, every)
    front_chances(of_study, of_study.objectives, every)


def values(folder: Path) -> None:
    """Print the time of a choice and the chances of the front, against a comparison of all configurations."""
    read = read_study(folder)
    objectives = list(read.config.search.objectives)
    compared = configurations(trainings_of(read.state))
    taken = []
    for most in (values_module.MOST, len(compared)):
        values_module.MOST = most

        taken.append(seconds(judge, Values(read.config.space.parameters, compared, objectives)))
    shown = f"{taken[0]:.1f} s, with all compared {taken[1]:.1f} s, {taken[1] / taken[0]:.1f} times as long"
    print(f"choice and front of {len(compared):,} configurations: {shown}", flush=True)


def smoothing() -> None:
    """Print time and memory of the smoothing over buckets, against a dense matrix where that fits."""
    window = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1], dtype=torch.float64)
    for buckets in (100, 5_000, 1_000_000):
        table, convolution = torch.randn(buckets, 8, dtype=torch.float64), ReflectedConvolution(window, buckets)
        peak()
        before = peak()
        fast = seconds(convolution, table)
        grown = peak() - before
        text = f"{1e3 * fast:.1f} ms, {grown:.0f} MB beside the table of {table.nbytes / 2**20:.0f} MB"
        if buckets <= 5_000:
            dense = convolution(torch.eye(buckets, dtype=torch.float64))
            slow = seconds(torch.matmul, dense, table)
            text += f"; by a matrix of {dense.nbytes / 2**20:.0f} MB {slow / fast:.1f} times as long"
        print(f"smoothing of {buckets:,} buckets with 8 features: {text}", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=5_000)
    parser.add_argument("--quick", action="store_true", help="300 trials")
    options = parser.parse_args()
    trials = 300 if options.quick else options.trials
    torch.set_num_threads(1)
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}"
    print(f"{versions}, {os.cpu_count()} cores, one thread; processor seconds, n = 1 (rungs: median of 20)")
    rungs()
    smoothing()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "study"
        study = build(folder, config_of(trials))
        counts = {status: study.state.count(status) for status in ("finished", "stopped")}
        print(f"study: {trials:,} trials, {study.state.epochs:,} epochs, {counts}")
        write_tables(study)
        study.close()
        verbs(folder)
        values(folder)


if __name__ == "__main__":
    main()
