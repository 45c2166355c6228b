"""A whole training step on photographs, beside the same model that is fed one batch from memory, with nothing around.

    python tests/bench/bench_train.py [--depth 50] [--size 224] [--batch 128] [--quick]

The step is Group-DIR's joint one: a ResNet, group head and experts, the contrastive loss. Ours is the trainer's epoch:
rows gathered and augmented, the method, the optimizer, the terms kept. "bare" runs the same method and optimizer in the
same precision on one batch of floats that is there already. On a GPU, "recipe" is what people would run instead: the
PIL loader, float32, and torch's defaults. Prints images a second, medians of rounds that take turns, and the ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.config.trial import TrialConfig
from groupdir.methods.base import Batch, Method
from groupdir.training.optim import build_optimizer
from groupdir.training.trainer import Trainer
from tests.bench.jpegs import PilLoader, machine, wait, write_jpegs


def trial(folder: str, size: int, depth: int, views: int = 1, **train: Any) -> TrialConfig:
    """Return the configuration of ours, as one would set it on the machine."""
    return TrialConfig.from_dict(
        {
            "data": {"name": "tests.toy.photos:Lamps", "root": folder, "size": size},
            "encoder": {"name": "resnet", "depth": depth},
            "method": {"name": "group_dir", "groups": 10, "recipe": "joint", "views": views},
            "train": {"epochs": 1000, **train},
        }
    )


def step(method: Method, optimizer: torch.optim.Optimizer, batch: Batch, autocast: Any) -> None:
    """Take one step: forward, backward and the optimizer's."""
    with autocast:
        loss = method.losses(batch, "fit")["loss"]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def ours(trainer: Trainer) -> Callable[[], int]:
    """Return an epoch of the trainer, without validation, that returns the number of its pictures."""
    stage = trainer.stages[0]
    trainer.optimizer = build_optimizer(trainer.method, stage)

    def run() -> int:
        assert trainer.optimizer is not None
        trainer.epoch_trainer.train(stage, trainer.epoch, trainer.epoch, trainer.optimizer)
        return len(trainer.training) * stage.views

    return run


def bare(trainer: Trainer, steps: int) -> Callable[[], int]:
    """Return steps of the same method, precision and optimizer on one batch; call `ours` of the trainer first."""
    stage = trainer.stages[0]
    rows = torch.arange(trainer.config.train.batch_size) % len(trainer.training)
    draws = trainer.epoch_trainer.draws(stage, trainer.epoch)
    batch = trainer.training.batch(rows, stage, trainer.dataset, torch.Generator(), draws)

    def run() -> int:
        trainer.method.train()
        assert trainer.optimizer is not None
        for _ in range(steps):
            step(trainer.method, trainer.optimizer, batch, trainer.epoch_trainer.autocast())
        return steps * len(rows) * stage.views

    return run


def recipe(config: TrialConfig, folder: str) -> Callable[[], int]:
    """Return an epoch of the alternative: the PIL loader, float32, channels first, torch's default optimizer."""
    trainer = Trainer(config.replaced({"train.amp": "none", "train.compile": False}))
    method = trainer.method.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adam(method.parameters(), config.optim.lr)
    data = config.data
    loader = PilLoader(Path(folder), data.size, config.train.batch_size, config.train.threads, trainer.device)  # type: ignore[attr-defined]

    def batches() -> Iterator[Batch]:
        for pictures, label in loader.epoch():
            y = label.float()
            yield Batch((pictures.contiguous(),), y, torch.ones_like(y), None, 1, label)

    def run() -> int:
        method.train()
        count = 0
        for batch in batches():
            step(
                method,
                optimizer,
                replace(batch, group=method.true_group(batch.y)),
                torch.autocast("cuda", enabled=False),
            )
            count += len(batch.y)
        return count

    return run


def rates(runs: dict[str, Callable[[], int]], rounds: int, device: torch.device) -> dict[str, float]:
    """Return images per second of each, in rounds of which the first warms up."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            wait(device)
            begin = time.perf_counter()
            count = run()
            wait(device)
            found[name].append(count / (time.perf_counter() - begin))
    return {name: statistics.median(values[1:]) for name, values in found.items()}


def main() -> None:
    """Run the benchmark."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=50 if on_gpu else 18)
    parser.add_argument("--size", type=int, default=224 if on_gpu else 96)
    parser.add_argument("--batch", type=int, default=128 if on_gpu else 32)
    parser.add_argument("--steps", type=int, default=32 if on_gpu else 8, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--quick", action="store_true", help="on a CPU 2 steps of 8 pictures of 64 pixels, 2 rounds")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 2
        if not on_gpu:
            options.size, options.batch, options.steps = 64, 8, 2
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(Path(folder), options.batch * options.steps, 300)
        config = trial(
            folder,
            options.size,
            options.depth,
            batch_size=options.batch,
            threads=options.cores,
            amp="bf16" if on_gpu else "none",
            compile=options.compile,
        )
        trainer = Trainer(config)
        runs = {"ours": ours(trainer), "bare": bare(trainer, options.steps)}
        if on_gpu:
            runs["recipe"] = recipe(config, folder)
        found = rates(runs, options.rounds, trainer.device)
    about = f"ResNet-{options.depth}, {options.size} pixels, batch {options.batch}, {config.train.amp}"
    print(f"{machine(trainer.device, options.cores)}; {about}")
    for name, value in found.items():
        print(f"{name:7} {value:10,.1f} images/s")
    print(f"ours / bare {found['ours'] / found['bare']:.3f}")
    if on_gpu:
        print(f"ours / recipe {found['ours'] / found['recipe']:.2f}")


if __name__ == "__main__":
    main()
