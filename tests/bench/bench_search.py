"""Worth of the front that a search shows at the price of 28, 56 and 112 full trainings: ours beside other tools.

Each row of `search_rows.py` runs on the virtual workers of `launch.simulation` over each source of `search_sources.py`,
with 20 seeds. Every 3.5 full trainings the front that the tool shows its user is judged: ours by the estimates that
`groupdir select` prints, others by the values that trials reported. It is worth the volume of its configurations
without the noise of seeds, as a share of the best known one. Each run is added to a file as one line, so that a
benchmark of many hours can be stopped and goes on where it was.
    python tests/bench/bench_search.py --out runs.jsonl [--sources faces stsb] [--rows ours quasi] [--seeds 20]
    python tests/bench/bench_search.py --show runs.jsonl
Rows of BoTorch and SMAC3 need the extra `bench`. At 64 and 500 workers compare times, which a run has too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.files.parquet import read_parquet, write_parquet
from launch.simulation.searches import with_search
from tests.bench.rivals.rows import left_out
from tests.bench.search_judge import judged
from tests.bench.search_rows import MOST_TRIALS, rows
from tests.bench.search_sources import SOURCES, not_recorded, searched
from tests.bench.search_tables import BUDGETS, Run, volumes_table

EVERY = 7  # half trainings between two judgements
Job = tuple[str, str, int, int, int]  # source, row, workers, seed, full trainings


def one(job: Job) -> dict[str, Any]:
    """Run one search up to its budget."""
    source, row, workers, seed, trainings = job
    here = searched(source)
    config = with_search(here.config, {"trials": MOST_TRIALS, "seed": seed})
    begin = time.process_time()
    moments = [round(step * here.longest / 2) for step in range(EVERY, 2 * trainings + 1, EVERY)]
    points = judged(rows(here)[row](config), config, here, workers, seed, moments)
    about = {"source": source, "row": row, "workers": workers, "seed": seed, "longest": here.longest}
    columns = {
        "epochs": [point.epochs for point in points],
        "times": [round(point.time, 3) for point in points],
        "volumes": [round(point.hypervolume, 5) for point in points],
    }
    return about | {"cpu": round(time.process_time() - begin, 2)} | columns


def load(paths: list[Path]) -> list[Run]:
    """Return the runs of files of lines, or of packs."""
    runs: list[Run] = []
    for path in paths:
        if path.suffix == ".parquet":
            runs += read_parquet(path)[0].to_pylist()
        elif path.exists():
            runs += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return runs


def missing(options: argparse.Namespace, known: list[Run]) -> list[Job]:
    """Return the searches that the file lacks, those of the first seeds first."""
    gaps = not_recorded(options.sources)
    print("".join(f"left out: {name}: {reason}\n" for name, reason in gaps.items()), end="")
    done = {(run["source"], run["row"], run["workers"], run["seed"]) for run in known}
    jobs = []
    sources = [name for name in options.sources if name not in gaps]
    for seed, source, workers in itertools.product(range(1, options.seeds + 1), sources, options.workers):
        names = [name for name in rows(searched(source)) if any(part in name for part in options.rows or [""])]
        absent = left_out(names)
        if seed == 1:
            print("".join(f"left out: {name}: {reason}\n" for name, reason in absent.items()), end="")
        jobs += [(source, name, workers, seed, options.trainings) for name in names if name not in absent]
    return [job for job in jobs if job[:4] not in done]


def show(runs: list[Run]) -> None:
    """Print one table for each source and number of workers."""
    for source, workers in dict.fromkeys((run["source"], run["workers"]) for run in runs):
        mine = [run for run in runs if (run["source"], run["workers"]) == (source, workers)]
        print(f"\n**{source}, {workers} workers**\n\n" + "\n".join(volumes_table(mine)))


def main() -> None:
    """Runs what is missing, then prints the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[8])
    parser.add_argument("--sources", nargs="+", choices=list(SOURCES), default=list(SOURCES))
    parser.add_argument("--trainings", type=int, default=BUDGETS[-1], help="price of a search in full trainings")
    parser.add_argument("--rows", nargs="+", help="parts of the names of rows")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/bench_search.jsonl"), help="file of the runs")
    parser.add_argument("--show", type=Path, nargs="+", help="print the tables of such files, and run nothing")
    parser.add_argument("--pack", type=Path, help="write all runs to this Parquet file")
    options = parser.parse_args()
    if not options.show:
        jobs = missing(options, load([options.out]))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        os.environ["PYTHONHASHSEED"] = "0"  # of the processes of the pool: see `SmacDriver`
        pool = multiprocessing.get_context("spawn").Pool(options.jobs)
        with pool, options.out.open("a", encoding="utf-8") as file:
            for result in pool.imap_unordered(one, jobs, chunksize=1):
                file.write(json.dumps(result) + "\n")
                file.flush()
    runs = load(options.show or [options.out])
    show(runs)
    if options.pack:
        write_parquet(options.pack, [dict(run) for run in runs], {})


if __name__ == "__main__":
    main()
