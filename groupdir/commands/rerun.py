"""Training of configurations on several seeds, each with a test on the test set."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from groupdir.command_line.console import new_console, say, say_on
from groupdir.command_line.signals import interruptible
from groupdir.commands.plans import Plan
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError, MethodError
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.predictions import SavedPredictions, fingerprint
from groupdir.files.study_files import LAST_CHECKPOINT, PREDICTIONS, RESULT, TENSORBOARD, seed_folder
from groupdir.files.training_result import TrainingResult, read_result
from groupdir.files.write_whole import make_folder
from groupdir.seeds import measurement_seeds

if TYPE_CHECKING:
    from groupdir.training.trainer import Trainer

STOPPING = "stopping: the trainings continue from their last checkpoints when the command is run again"


@dataclass(frozen=True)
class Run:
    """Training of one seed with its test metrics.

    Attributes:
        label: Label of the configuration.
        seed: Seed of the training.
        epoch: Epoch whose weights are tested.
        metrics: Values of the metrics `test_*`, in label units.
        predictions: File with the predictions for the test set.
        warning: Warning about the ledger of the test split, or None.
    """

    label: str
    seed: int
    epoch: int
    metrics: dict[str, float]
    predictions: Path
    warning: str | None = None


@dataclass(frozen=True)
class Task:
    """Training of one seed.

    Attributes:
        label: Label of the configuration.
        config: The configuration with the seed of this training.
        folder: Folder of the training.
        ledger: Ledger that records the reading of the test split.
        command: Command that reads it, for the ledger.
    """

    label: str
    config: TrialConfig
    folder: Path
    ledger: Ledger
    command: str


def rerun(
    plans: Sequence[Plan],
    *,
    seeds: int,
    folder: Path,
    command: str,
    again: str,
    jobs: int | None = None,
    resume: bool = False,
    same_seed: bool = False,
    quiet: bool = False,
) -> list[Run]:
    """Train configurations on the same seeds, which no search has used, with several trainings at the same time.

    Args:
        plans: Configurations to train.
        seeds: Number of seeds. See `groupdir.seeds.measurement_seeds`.
        folder: Folder for the files `<label>/seed_<n>/*` of each training. Must be new or empty unless `resume` is set.
        command: Command that reads the test split, for the ledger.
        again: Command that continues the trainings after an interruption.
        jobs: Number of trainings at the same time; None for one per core, or one on a GPU.
        resume: Skip the finished trainings in `folder` and continue the others.
        same_seed: Train the seed of the first configuration only, which repeats the trial of a search.
        quiet: Print no line for each training.

    Raises:
        ConfigError: If the folder is not empty, or `same_seed` is set with several seeds.
        FileWriteError: If the folder cannot be created.
        KeyboardInterrupt: If Ctrl-C, SIGTERM or SIGHUP has ended the trainings.
        MethodError: If a training fails, or its process is killed.
    """
    if same_seed and seeds > 1:
        raise ConfigError(f"--same-seed trains the seed of the file only, got --seeds {seeds} too: drop one of them")
    is_used = next(make_folder(folder).iterdir(), None) is not None
    if is_used and not resume:
        raise ConfigError(
            f"{folder}: the folder exists already: choose another folder with --out, or continue with --resume"
        )
    first = plans[0].config
    configs = [
        (plan.label, plan.config if same_seed and plan.config.seed == seed else plan.config.with_seed(seed))
        for seed in ([first.seed] if same_seed else measurement_seeds(first.seed, seeds))
        for plan in plans
    ]
    tasks = [_task(label, config, folder, command) for label, config in configs]
    runs = _run_all(tasks, jobs or _jobs(first), new_console(quiet=quiet), again)
    for warning in dict.fromkeys(run.warning for run in runs if run.warning is not None):
        say(f"warning: {warning}", err=True)
    labels = [plan.label for plan in plans]
    return sorted(runs, key=lambda run: (labels.index(run.label), run.seed))


def _task(label: str, config: TrialConfig, folder: Path, command: str) -> Task:
    ledger = Ledger.of(getattr(config.data, "root", None), folder)
    return Task(label, config, folder / label / seed_folder(config.seed), ledger, command)


def _jobs(config: TrialConfig) -> int:
    if config.train.device.startswith("cuda"):
        return 1
    import torch

    if config.train.device == "auto" and torch.cuda.is_available():
        return 1
    return max(
        1,
        (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        // config.train.threads,
    )


def _run_all(tasks: Sequence[Task], jobs: int, console: Console, again: str) -> list[Run]:
    runs = [run for task in tasks if (run := _finished(task)) is not None]  # a process takes seconds to start
    finished = {(run.label, run.seed) for run in runs}
    remaining = [task for task in tasks if (task.label, task.config.seed) not in finished]
    for run in runs:
        say_on(console, f"{run.label} seed {run.seed}: finished before")
    if not remaining:
        return runs
    others = set(multiprocessing.active_children())
    context, workers = multiprocessing.get_context("spawn"), min(jobs, len(remaining))
    with interruptible(STOPPING), ProcessPoolExecutor(workers, context, _leave_signal_to_parent) as pool:
        try:
            waiting = [pool.submit(train_one, task) for task in remaining]
            for future in as_completed(waiting):
                run = future.result()
                runs.append(run)
                mae_few, mae_all = run.metrics["test_mae_few"], run.metrics["test_mae_all"]
                text = f"{len(runs)}/{len(tasks)}  {run.label} seed {run.seed}: epoch {run.epoch}"
                text += f", test MAE all {number(mae_all)}, few {number(mae_few)}"
                say_on(console, text)
        except BrokenProcessPool as error:
            less = f"--jobs {jobs // 2}, fewer trainings at the same time" if jobs > 1 else "a smaller train.batch_size"
            raise MethodError(
                f"a training was killed, probably because the memory was full: continue with --resume and {less}"
            ) from error
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
                say(
                    f"interrupted: {len(runs)} of {len(tasks)} trainings have finished, continue with `{again}`",
                    err=True,
                )
            raise
    return runs


def _leave_signal_to_parent() -> None:
    """Ignore SIGINT in a process that trains, because its parent receives it too and ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def number(value: float) -> str:
    """Return a test metric as text, with a dash for NaN: the shot has no test sample, or the metric is undefined."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def train_one(task: Task) -> Run:
    """Train one seed and test it on the test set. Continue from the checkpoint in the folder if there is one.

    Raises:
        DataError: If the folder has a broken result, or the result of another configuration.
    """
    if (run := _finished(task)) is not None:
        return run
    config = task.config
    trainer = _trained(config, task.folder)
    epoch = trainer.take_best()
    predictions = task.folder / PREDICTIONS
    metrics, warning = _test(trainer, task, predictions)
    TrainingResult(config.digest, epoch, metrics).write(task.folder / RESULT)  # last: the training is then finished
    return Run(task.label, config.seed, epoch, metrics, predictions, warning)


def _finished(task: Task) -> Run | None:
    """Return the result in the folder of a training, or None if it has no result or no predictions.

    Raises:
        DataError: If the folder has a broken result, or the result of another configuration.
    """
    result, predictions = task.folder / RESULT, task.folder / PREDICTIONS
    if not result.exists():
        return None
    read = read_result(result, "--resume")
    if read.digest != task.config.digest:
        raise DataError(f"{result}: the result is from another configuration: choose another folder with --out")
    if not predictions.exists():
        return None
    return Run(task.label, task.config.seed, read.epoch, dict(read.metrics), predictions)


def _trained(config: TrialConfig, folder: Path) -> Trainer:
    """Return a trainer after its last epoch."""
    from groupdir.files.tensorboard import TrialWriter
    from groupdir.training.trainer import Trainer

    trainer = Trainer(config)
    make_folder(folder)  # only now: a configuration that cannot run leaves no folder
    checkpoint = folder / LAST_CHECKPOINT
    if checkpoint.exists() and (message := trainer.resume(checkpoint)):
        say(f"warning: {folder}: {message}", err=True)
    with TrialWriter(folder / TENSORBOARD) as writer:
        for epoch in trainer.epochs():
            writer.epoch(epoch.epoch, epoch.metrics)
            if epoch.last or epoch.epoch % 5 == 0:
                epoch.save(checkpoint)
    return trainer


def _test(trainer: Trainer, task: Task, path: Path) -> tuple[dict[str, float], str | None]:
    """Write the predictions for the test set. Return their metrics, and a warning if the ledger has one.

    The ledger is written before the predictions exist, so that a killed process leaves no unrecorded reading.
    """
    from groupdir.training.evaluate import true_groups

    config, y = task.config, trainer.dataset.split("test").y
    configuration, samples = config.digest_without_seed, fingerprint(y, config.data.drawn_with)
    entry = Reading.now(config.data.name, samples, configuration, config.seed, task.label, task.command)
    warning = task.ledger.record(entry)
    predictions = trainer.predict("test")
    SavedPredictions(
        config=config.to_dict(),
        configuration=configuration,
        samples=samples,
        shots=trainer.dataset.shots,
        split="test",
        seed=config.seed,
        target=y,
        prediction=predictions.value,
        group=predictions.group,
        true_group=None if predictions.group is None else true_groups(trainer.method, y),
    ).write(path)
    return trainer.errors("test", predictions), warning
