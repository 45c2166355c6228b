"""The driver's own work in a real Ray run: 64 trials at once that only sleep, an epoch a second.

Prints the time that the searcher, the scheduler and the recorder took, as a share of wall time (aim: below 2 %), and
then whether every decision and suggestion follows from the record.
    python tests/bench/bench_driver.py [--trials 192] [--sampler random] [--quick]
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ray import tune

from groupdir.space import load_study
from launch.commands import audit
from launch.director import Director
from launch.engine import Interrupt, Screen, quiet_ray, run_trials
from launch.ray_searcher import StudySearcher
from launch.recorder import Recorder
from launch.schedulers import SCHEDULERS
from launch.schedulers.recording import RecordingScheduler
from launch.simulation import with_search
from launch.study import Study

ROOT = Path(__file__).resolve().parents[2]
EPOCHS, AT_ONCE = 30, 64
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
        about = {"trial": self._trial, "seed": 0, "epoch": self._epoch, "stage": "fit", "seconds": 1.0}
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


class Watch:
    """Adds up the seconds inside some functions, nested calls once."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.calls, self._depth = 0, 0

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
                    self.calls += 1
                    self.wall += time.perf_counter() - begin
                    self.cpu += time.thread_time() - busy

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
    parser.add_argument("--trials", type=int, default=192)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--quick", action="store_true", help="64 trials")
    options = parser.parse_args()
    options.trials = AT_ONCE if options.quick else options.trials
    config = with_search(load_study(ROOT / "search_spaces" / "digits.yaml"), dict(sections(options)))
    watch = Watch()
    watch.install()
    with tempfile.TemporaryDirectory() as parent:
        study = Study.create(Path(parent) / "study", config)
        director = Director(study, SCHEDULERS["pareto_asha"].from_config(config.search), "val_mae_all")
        with quiet_ray(0):
            begin, busy = time.perf_counter(), time.process_time()
            run_trials(study, director, None, Interrupt(None), Screen(lambda: None, print), Sleeper)
            wall, cpu = time.perf_counter() - begin, time.process_time() - busy
        epochs, trials = study.state.epochs, len(study.state.trials)
        study.close()
        print(f"{trials} trials, {AT_ONCE} at once, {epochs:,} epochs in {wall:.0f} s ({epochs / wall:.0f} epochs/s)")
        print(f"ours: {watch.wall:.2f} s in {watch.calls:,} calls, {watch.wall / wall:.2%} of wall time")
        print(
            f"ours, processor time: {watch.cpu:.2f} s, {watch.cpu / wall:.2%}, {1e3 * watch.cpu / epochs:.2f} ms/epoch"
        )
        print(f"the whole driver, Ray's controller included: {cpu:.1f} s of processor time, {cpu / wall:.0%}")
        sys.exit(audit(Path(parent) / "study"))


if __name__ == "__main__":
    main()
