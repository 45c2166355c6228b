"""Photographs to the device as a training step wants them: ours beside the loader that people would take instead.

    python tests/bench/bench_input.py [--pictures 2000] [--side 400] [--cores N] [--quick]

Ours gathers bytes from the mapped file and crops, flips and standardises them in the batch, on the device; the rival is
torchvision's ImageFolder and DataLoader, which decodes by PIL in as many processes as there are cores, in every epoch.
Both make the same views of the same JPEGs at 224, shuffled. Prints images a second from the second epoch on, medians of
epochs that take turns, their ratio, and after how many epochs our decoding has paid for itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer
from tests.bench.jpegs import PilLoader, machine, wait, write_jpegs

SIZE = 224


def our_epoch(trainer: Trainer, batch: int) -> int:
    """Makes every batch of an epoch, and says how many pictures that were."""
    stage, generator = trainer.stages[0], torch.Generator()
    draws = trainer.epoch_trainer.draws(stage, trainer.epoch)
    for rows in torch.randperm(len(trainer.training)).split(batch):
        trainer.training.batch(rows, stage, trainer.dataset, generator, draws)
    return len(trainer.training)


def rate(epoch: Callable[[], int], device: torch.device) -> float:
    """Images a second of one epoch."""
    begin = time.perf_counter()
    count = epoch()
    wait(device)
    return count / (time.perf_counter() - begin)


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--side", type=int, default=400, help="pixels of a picture in its file")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=4, help="that are measured, after the first")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--quick", action="store_true", help="200 pictures, 2 epochs")
    options = parser.parse_args()
    if options.quick:
        options.pictures, options.epochs, options.batch = 200, 2, 50
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(Path(folder), options.pictures, options.side)
        config = TrialConfig.from_dict(
            {
                "data": {"name": "tests.toy.photos:Lamps", "root": folder, "size": SIZE},
                "encoder": {"name": "convnet"},
                "method": {"name": "vanilla"},
                "train": {"threads": options.cores, "batch_size": options.batch},
            }
        )
        begin = time.perf_counter()
        trainer = Trainer(config)
        decoding = time.perf_counter() - begin
        device = trainer.device
        rival = PilLoader(Path(folder), SIZE, options.batch, options.cores, device)
        runs = {
            "ours": lambda: our_epoch(trainer, options.batch),
            "ImageFolder": lambda: sum(len(label) for _, label in rival.epoch()),
        }
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.epochs + 1):
            for name, run in runs.items():
                rates[name].append(rate(run, device))
    print(f"{machine(device, options.cores)}; {options.pictures} JPEGs of {options.side} pixels, to {SIZE}")
    median = {name: statistics.median(found[1:]) for name, found in rates.items()}
    for name, value in median.items():
        print(f"{name:12} {value:10,.0f} images/s")
    saved = options.pictures / median["ImageFolder"] - options.pictures / median["ours"]
    print(f"ratio {median['ours'] / median['ImageFolder']:.1f}")
    print(
        f"decoded once in {decoding:.1f} s, which {decoding / saved:.1f} epochs save" if saved > 0 else "saves nothing"
    )


if __name__ == "__main__":
    main()
