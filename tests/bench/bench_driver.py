"""The driver's own work in a real Ray run: 64 trials at once that only sleep, an epoch a second.

Prints the time that the searcher, the scheduler and the recorder took, as a share of wall time (aim: below 2 %), in the
whole run and while it was at full work: from when four fifths of the 64 have reported, for their processes take minutes
to start where cores are few, until the last trial is suggested. Then whether every decision and suggestion follows from
the record.
    python tests/bench/bench_driver.py [--trials 512] [--sampler random] [--quick]
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ray import tune

from groupdir.config.space import load_space
from launch.commands import audit
from launch.control.study_loop import StudyLoop
from launch.interrupt import Interrupt
from launch.on_ray.backend import Screen, quiet_ray, run_trials
from launch.on_ray.callback import Recorder
from launch.on_ray.scheduler import RecordingScheduler
from launch.on_ray.searcher import StudySearcher
from launch.schedulers import make_scheduler
from launch.simulation.searches import with_search
from launch.study.study import Study
from tests.epoch_report import report

ROOT = Path(__file__).resolve().parents[2]
EPOCHS, AT_ONCE, FULL = 30, 64, 0.8
NAMES = ("val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few")
ENTRIES: list[tuple[type, tuple[str, ...]]] = [
    (StudySearcher, ("suggest", "on_trial_complete")),
    (RecordingScheduler, ("on_trial_result",)),
    (Recorder, ("on_step_end", "on_trial_start", "on_trial_result", "on_checkpoint", "on_trial_complete")),
]


class Sleeper(tune.Trainable):
    """Sleeps for a second and reports errors that fall."""

    def setup(self, config: dict[str, Any], dataset: object = None) -> None:
        """Begins a trial."""
        self._trial, self._epoch = int(config["trial"]), 0
        self._floor = random.Random(self._trial).uniform(2, 8)

    def step(self) -> dict[str, Any]:
        """An epoch."""
        time.sleep(1.0)
        self._epoch += 1
        about = {"trial": self._trial, "seed": 0, "epoch": self._epoch, **report(self._epoch)}
        errors = {name: self._floor + place + 20 / self._epoch for place, name in enumerate(NAMES)}
        return about | errors | {"done": self._epoch == EPOCHS}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Its epoch is all that there is."""
        (Path(checkpoint_dir) / "trial.pt").write_text(str(self._epoch))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Goes on."""
        self._epoch = int((Path(checkpoint) / "trial.pt").read_text())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Becomes another trial."""
        self.setup(new_config)
        return True


@dataclass(frozen=True)
class Spent:
    """Seconds inside the watched functions and altogether, and what was done meanwhile."""

    at: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0
    calls: int = 0
    epochs: int = 0

    def since(self, before: Spent) -> Spent:
        """The difference."""
        return Spent(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

    def __str__(self) -> str:
        """Its rates."""
        rate = f"{self.epochs:,} epochs in {self.at:.0f} s ({self.epochs / self.at:.0f} epochs/s)"
        ours = f"ours {self.wall:.2f} s in {self.calls:,} calls, {self.wall / self.at:.2%} of wall time"
        return f"{rate}: {ours}; processor {self.cpu / self.at:.2%}, {1e3 * self.cpu / self.epochs:.2f} ms an epoch"


class Watch:
    """Adds up the seconds inside some functions, nested calls once, and knows when the study was at full work."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._depth = self._calls = 0
        self._wall = self._cpu = 0.0
        self.begin: Spent | None = None
        self.end: Spent | None = None

    def now(self) -> Spent:
        """What was spent until now."""
        return Spent(time.perf_counter(), self._wall, self._cpu, self._calls, self._study.state.epochs)

    def _look(self) -> None:
        """Notes the moments when full work begins and ends."""
        state = self._study.state
        if self.begin is None:
            at_work = sum(trial.status == "running" and bool(trial.rows) for trial in state.of("search"))
            self.begin = self.now() if at_work >= FULL * AT_ONCE else None
        elif self.end is None and len(state.trials) == self._study.config.search.trials:
            self.end = self.now()

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, watched."""

        @functools.wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            self._depth += 1
            begin, busy = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self._calls += 1
                    self._wall += time.perf_counter() - begin
                    self._cpu += time.thread_time() - busy
                    self._look()

        return watched

    def install(self) -> None:
        """Watches all that Ray calls of ours."""
        for owner, names in ENTRIES:
            for name in names:
                setattr(owner, name, self.around(getattr(owner, name)))


def sections(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """The `search:` section."""
    yield "trials", options.trials
    yield "sampler", {"name": options.sampler}
    yield "scheduler", {"name": "pareto_asha", "grace_period": 5, "reduction_factor": 2}
    yield "resources", {"cpu": 0.01, "gpu": 0}
    yield "concurrency", AT_ONCE


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=512)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--quick", action="store_true", help="64 trials")
    options = parser.parse_args()
    options.trials = AT_ONCE if options.quick else options.trials
    config = with_search(load_space(ROOT / "search_spaces" / "digits.yaml"), dict(sections(options)))
    with tempfile.TemporaryDirectory() as parent:
        study = Study.create(Path(parent) / "study", config)
        loop = StudyLoop(study, make_scheduler(config.search), "val_mae_all")
        watch = Watch(study)
        watch.install()
        with quiet_ray(0):
            begin, busy = watch.now(), time.process_time()
            run_trials(study, loop, None, Interrupt(None), Screen(lambda: None, print), Sleeper)
            whole, cpu = watch.now().since(begin), time.process_time() - busy
        trials = len(study.state.trials)
        study.close()
        print(f"{trials} trials, {AT_ONCE} at once\nthe whole: {whole}")
        if watch.begin is not None and watch.end is not None:
            print(f"at full work: {watch.end.since(watch.begin)}")
        else:
            print("at full work: never for as long as trials were left to begin")
        print(f"the whole driver, Ray's controller included: {cpu:.1f} s of processor time, {cpu / whole.at:.0%}")
        sys.exit(audit(Path(parent) / "study"))


if __name__ == "__main__":
    main()
