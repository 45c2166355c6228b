"""Training of one configuration on several seeds with a test on the test set, optionally next to a second method."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError
from groupdir.files.study_files import LAST_CHECKPOINT, RESULT, TENSORBOARD, TEST_RESULTS, seed_folder
from groupdir.files.write_whole import whole_file, write_whole
from groupdir.metrics import find_metric


@dataclass(frozen=True)
class Run:
    """Training of one seed with its test metrics.

    Attributes:
        label: Name of the method.
        seed: Seed of the training.
        epoch: Epoch whose weights are tested.
        metrics: Values of the metrics `test_*`, in label units.
    """

    label: str
    seed: int
    epoch: int
    metrics: dict[str, float]


def rerun(
    config: TrialConfig,
    *,
    seeds: int,
    beside: str | None,
    folder: Path,
    jobs: int | None = None,
    resume: bool = False,
    trained: Path | None = None,
    quiet: bool = False,
) -> list[Run]:
    """Train a configuration on seeds `config.seed`, `config.seed + 1`, ..., with several trainings at the same time.

    Args:
        config: Configuration to train.
        seeds: Number of seeds.
        beside: Name of a second method, trained with the same data, encoder, optimizer, batches and number of epochs.
        folder: Folder for `<method>/seed_<n>/checkpoint.pt` and `result.json`. Must be new unless `resume` is set.
        jobs: Number of trainings at the same time; None for one per core, or one on a GPU.
        resume: Skip the finished trainings in `folder` and continue the others.
        trained: Checkpoint of `config` from a search. Its seed continues from this checkpoint.
        quiet: Print no line for each training.

    Raises:
        ConfigError: If the folder exists, or `beside` does not fit.
    """
    plans = {config.method.name: config}
    if beside is not None:
        if beside == config.method.name:
            raise ConfigError(
                f"--beside {beside}: must differ from the method of the configuration: name another method"
            )
        plans[beside] = _beside(config, beside)
    if folder.exists() and not resume:
        raise ConfigError(
            f"{folder}: the folder exists already: choose another folder with --out, or continue with --resume"
        )
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (label, plan.replaced({"seed": config.seed + index}), folder / label / seed_folder(config.seed + index))
        for index in range(seeds)
        for label, plan in plans.items()
    ]
    first = tasks[0][2] / LAST_CHECKPOINT
    if trained is not None and not first.exists():
        first.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(first) as partial:
            shutil.copyfile(trained, partial)
    runs = _run_all(tasks, jobs or _jobs(config), Console(quiet=quiet))
    return sorted(runs, key=lambda run: (list(plans).index(run.label), run.seed))


def report(runs: list[Run], folder: Path) -> None:
    """Print the mean and standard deviation of every test metric over the seeds, and write `test.csv`."""
    labels = list(dict.fromkeys(run.label for run in runs))
    names = sorted(runs[0].metrics, key=lambda name: not _by_shot(name))
    count = len(runs) // len(labels)
    table = Table(title=f"test set, mean and standard deviation over {count} seed{'s' if count > 1 else ''}")
    table.add_column("metric")
    for label in labels:
        table.add_column(label, justify="right")
    for name in names:
        table.add_row(
            name.removeprefix("test_"),
            *(_spread([run for run in runs if run.label == label], name) for label in labels),
        )
    console = Console()
    console.print(table)
    path = folder / TEST_RESULTS
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        columns = list(dict.fromkeys(name for run in runs for name in run.metrics))
        writer.writerow(["method", "seed", "epoch", *columns])
        writer.writerows(
            [run.label, run.seed, run.epoch, *(run.metrics.get(name, "") for name in columns)] for run in runs
        )
    first = folder / labels[0] / seed_folder(runs[0].seed) / LAST_CHECKPOINT
    console.print(f"every seed: {path}\ncheckpoint: {first}", soft_wrap=True, highlight=False)


def _by_shot(name: str) -> bool:
    """Return whether a metric has a value for each shot and is not a diagnostic (oracle) metric."""
    parsed = find_metric(name)
    return parsed is not None and parsed.shot is not None and not parsed.oracle


def _spread(runs: list[Run], name: str) -> str:
    values = np.array([run.metrics[name] for run in runs if name in run.metrics])
    if not len(values):
        return ""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values.mean():.3f}"


def _beside(config: TrialConfig, name: str) -> TrialConfig:
    """Return the trial with another method, trained for the number of epochs of all stages together."""
    data = config.to_dict() | {"method": {"name": name}}
    return TrialConfig.from_dict(data, "--beside").with_total_epochs(config.total_epochs)


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


def _run_all(tasks: list[tuple[str, TrialConfig, Path]], jobs: int, console: Console) -> list[Run]:
    runs: list[Run] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
        waiting = [pool.submit(train_one, label, config, folder) for label, config, folder in tasks]
        try:
            for future in as_completed(waiting):
                run = future.result()
                runs.append(run)
                mae_few, mae_all = run.metrics["test_mae_few"], run.metrics["test_mae_all"]
                text = f"{len(runs)}/{len(tasks)}  {run.label} seed {run.seed}: epoch {run.epoch}"
                text += f", test MAE all {mae_all:.3f}, few {mae_few:.3f}"
                console.print(text, highlight=False, soft_wrap=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return runs


def train_one(label: str, config: TrialConfig, folder: Path) -> Run:
    """Train one seed and test it on the test set. Continue from the checkpoint in the folder if there is one.

    Raises:
        DataError: If the folder has the result of another configuration.
    """
    result = folder / RESULT
    if result.exists():
        content = json.loads(result.read_text(encoding="utf-8"))
        if content["digest"] != config.digest:
            raise DataError(f"{result}: the result is from another configuration: choose another folder with --out")
        return Run(label, config.seed, content["epoch"], content["metrics"])
    from groupdir.files.tensorboard import TrialWriter
    from groupdir.training.trainer import Trainer

    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / LAST_CHECKPOINT
    trainer = Trainer(config)
    if checkpoint.exists():
        trainer.load(checkpoint)
    with TrialWriter(folder / TENSORBOARD) as writer:
        for epoch in trainer.epochs():
            writer.epoch(epoch.epoch, epoch.metrics)
            if epoch.last or epoch.epoch % 5 == 0:
                epoch.save(checkpoint)
    chosen = trainer.take_best()
    metrics = trainer.evaluate("test")
    text = json.dumps({"digest": config.digest, "epoch": chosen, "metrics": metrics}, indent=1)
    write_whole(result, text, durable=True)
    return Run(label, config.seed, chosen, metrics)
