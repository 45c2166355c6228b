"""Real steps of a preset, and their comparison with a slow reference in the units of the source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from groupdir.methods.base import Batch
from groupdir.part import Part
from groupdir.training.trainer import Trainer
from tests.search_spaces import published

NONE = slice(0, 0)
"""Columns in years of a head whose outputs are already in the unit of the source."""

Buckets = Callable[[Tensor], Tensor]
"""Function from labels to the numbers of their buckets in the source."""


@dataclass(frozen=True)
class Run:
    """Real step of a method: its features and outputs, and the gradients of its loss with respect to them."""

    z: Tensor
    outputs: Tensor
    by_z: Tensor
    by_outputs: Tensor
    batch: Batch
    terms: dict[str, Tensor]


def batch_of(trainer: Trainer, rows: tuple[int, ...], stage: int = -1) -> Batch:
    """Return a real batch of a trainer, augmented as the stage requires."""
    plan, generator = trainer.stages[stage], torch.Generator().manual_seed(0)
    draws = trainer.epoch_trainer.draws(plan, 0)
    return trainer.training.batch(torch.tensor(rows), plan, trainer.dataset, generator, draws)


def run(trainer: Trainer, rows: tuple[int, ...], stage: int = -1) -> Run:
    """Take the gradients of a stage's loss, for samples in these rows of the training set."""
    method, batch, seen = trainer.method.train(), batch_of(trainer, rows, stage), {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: object, output: Tensor) -> None:
            output.retain_grad()
            seen[name] = output

        return hook

    handles = [method.encoder.register_forward_hook(keep("z")), method.head.register_forward_hook(keep("outputs"))]  # type: ignore[operator, union-attr]
    terms = method.losses(batch, trainer.stages[stage].name)
    terms["loss"].backward()  # type: ignore[no-untyped-call]
    for handle in handles:
        handle.remove()
    z, outputs = seen["z"], seen.get("outputs", torch.zeros(0))
    by_outputs = torch.zeros(0) if outputs.grad is None else outputs.grad
    assert z.grad is not None
    return Run(z.detach(), outputs.detach(), z.grad, by_outputs, batch, terms)


def in_years(outputs: Tensor, years: slice) -> Tensor:
    """Return outputs of which some columns are in units of 10 years around 50, with those in years."""
    converted = range(*years.indices(outputs.shape[1]))
    columns = outputs.unbind(1)
    return torch.stack([50 + 10 * column if k in converted else column for k, column in enumerate(columns)], 1)


def agrees(found: Tensor, expected: Tensor) -> None:
    """Check that two gradients differ by at most 1e-6 of the largest."""
    scale = float(expected.abs().max())
    assert scale > 0
    assert float((found.double() - expected).abs().max()) <= 1e-6 * scale


def check(
    trainer: Trainer, real: Run, loss: published.Loss, factor: float, years: slice, smooth: object = None
) -> None:
    """Compare gradients with respect to outputs and features with those of `factor` times a loss in years."""
    y, w = real.batch.y.repeat(real.batch.views).double(), real.batch.weight.repeat(real.batch.views).double()
    z, outputs = real.z.double().requires_grad_(), real.outputs.double().requires_grad_()
    (factor * loss(in_years(outputs, years), z.detach(), y, w)).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    agrees(real.by_outputs, outputs.grad)
    head = trainer.method.head
    features = smooth(z, y) if callable(smooth) else z
    through = features @ head.weight.double().T + head.bias.double()  # type: ignore[union-attr, operator]
    (factor * loss(in_years(through, years), z, y, w)).backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    agrees(real.by_z, z.grad)


def train_smoothing(trainer: Trainer, reference: published.FDS, buckets: Buckets) -> None:
    """Let the method and a reference observe the features of three epochs, in batches of 8, and begin the fourth."""
    method, stage = trainer.method.train(), trainer.stages[-1]
    parts = [part for part in method.modules() if isinstance(part, Part)]
    observers: Sequence[Part] = [part for part in parts if part.observes]
    assert observers
    for epoch in range(3):
        for part in parts:
            part.begin_epoch(stage.name, epoch, stage.epochs)
        collected = []
        for rows in torch.arange(len(trainer.training)).split(8):
            batch = batch_of(trainer, tuple(rows.tolist()))
            with torch.no_grad():
                z = method.observed(batch)
            collected.append(reference.smooth(z.double(), buckets(batch.y)))
            for part in observers:
                part.observe(z.clone(), batch.label_bins)
        for part in observers:
            part.end_epoch(epoch)
        reference.update(torch.cat(collected), buckets(trainer.training.y))
    for part in parts:
        part.begin_epoch(stage.name, 3, stage.epochs)
