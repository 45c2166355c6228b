"""Several trials on one card: their speed together, the estimate of their memory, and a trial that does not fit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from groupdir.training.device_memory import CONTEXT, GIB
from tests.gpu.card import missing, used_bytes
from tests.gpu.part import Part, Row, Setting
from tests.gpu.parts.packing_trials import digits, lamps_root, resnet
from tests.gpu.trial_process import Memory, Training, TrialProcess, all_answers, trial_processes

FIRST_EPOCH, ALL_EPOCHS = 0.02, 0.05
"""Largest relative difference of the training loss between a trial alone and together with others, in the first epoch
and in the mean of all. A card adds in another order each time, in bfloat16 with 3 digits, and training amplifies it."""

ABOVE_ESTIMATE = 1.02
"""Largest ratio of the true peak of the memory to the dry run's. An epoch holds in addition the terms of the loss of
each step, which is well below 2 % for a trial of some 100 MB. The cap of a share leaves `CONTEXT` free as well."""


@dataclass(frozen=True)
class Load:
    """Kind of trial that is packed.

    Attributes:
        name: Its name in the table.
        counts: How many trials run together, in ascending order.
        seconds: Seconds that a trial should train when it is alone.
        content: Function from a trial's number and its epochs to its configuration.
    """

    name: str
    counts: Sequence[int]
    seconds: float
    content: Callable[[int, int], Mapping[str, Any]]


def pack_digits(setting: Setting) -> Iterator[Row]:
    """Train digits-sized trials together and one after the other."""
    seconds = 0.3 if setting.small else 1.5
    counts = (2,) if setting.small else (2, 4)
    yield from packed(Load("digits", counts, seconds, lambda n, epochs: digits(setting, n, epochs)), setting)


def pack_resnets(setting: Setting) -> Iterator[Row]:
    """Train ResNet-18 trials together and one after the other."""
    root, seconds = lamps_root(setting), 0.3 if setting.small else 1.5
    yield from packed(Load("ResNet-18", (2,), seconds, lambda n, epochs: resnet(setting, root, n, epochs)), setting)


def packed(load: Load, setting: Setting) -> Iterator[Row]:
    """Yield the rows of one kind of trial: speed for each number of trials, results, and memory."""
    before = used_before(setting)
    most = load.counts[-1]
    with trial_processes(most) as processes:
        epochs = epochs_for(load, processes, setting)
        alone, seconds = [], []
        for number, process in enumerate(processes):
            [training], took = trained([process], [load.content(number, epochs)], 1 / most, setting)
            alone.append(training)
            seconds.append(took)
        for count in load.counts:
            contents = [load.content(number, epochs) for number in range(count)]
            trainings, took = trained(processes[:count], contents, 1 / count, setting)
            yield speed_row(load, seconds[:count], took, epochs)
            yield results_row(f"{count} {load.name} trials: results as alone", alone, trainings, setting)
            yield share_row(f"{count} {load.name} trials: each in its share", trainings, setting, before, most)


def used_before(setting: Setting) -> int:
    """Return the bytes of the card in use before the trials' processes start, this process included; 0 if unknown."""
    if not setting.on_card or missing():
        return 0
    torch.zeros(1, device=setting.device)  # makes this process's CUDA context, so that it is counted
    return used_bytes(setting.device)


def epochs_for(load: Load, processes: Sequence[TrialProcess], setting: Setting) -> int:
    """Warm all processes up, time an epoch of the first, and return how many epochs fill the load's seconds."""
    count = len(processes)
    if setting.on_card:  # where the first steps load kernels
        trained(processes, [load.content(number, 1) for number in range(count)], 1 / count, setting)
    [timed], _ = trained(processes[:1], [load.content(0, 2)], 1 / count, setting)
    return max(2, min(500, round(load.seconds / timed.seconds[-1])))


def trained(
    processes: Sequence[TrialProcess], contents: Sequence[Mapping[str, Any]], share: float, setting: Setting
) -> tuple[list[Training], float]:
    """Build trials, wait until all are ready, train them at once, and return the results and the seconds of all."""
    for process, content in zip(processes, contents, strict=True):
        process.ask("build", content, share)
    all_answers(processes, setting.left)
    begin = time.perf_counter()
    for process in processes:
        process.ask("train")
    trainings = all_answers(processes, setting.left)
    return trainings, time.perf_counter() - begin


def speed_row(load: Load, alone: Sequence[float], together: float, epochs: int) -> Row:
    """Return the row of the time together against one after the other."""
    ratio = sum(alone) / together
    note = f"{together:.2f} s together, {sum(alone):.2f} s one after the other; {epochs} epochs each"
    data = {"together": together, "alone": list(alone), "epochs": epochs}
    return Row(
        f"{len(alone)} {load.name} trials together", f"{ratio:.2f} times one after the other", note=note, data=data
    )


def results_row(name: str, alone: Sequence[Training], together: Sequence[Training], setting: Setting) -> Row:
    """Return the check that trials give together what each gives alone: the same bits on a CPU, else within bounds."""
    pairs = [
        ([row["train_loss"] for row in one.metrics], [row["train_loss"] for row in other.metrics])
        for one, other in zip(alone, together, strict=False)
    ]
    first = max(abs(one[0] / other[0] - 1) for one, other in pairs)
    means = max(abs(sum(one) / sum(other) - 1) for one, other in pairs)
    bounds = (FIRST_EPOCH, ALL_EPOCHS) if setting.on_card else (0.0, 0.0)
    holds = first <= bounds[0] and means <= bounds[1] and math.isfinite(first + means)
    value = f"training loss differs by {first:.2g} in the first epoch, {means:.2g} in the mean"
    return Row.check(name, holds, value, f"<= {bounds[0]:g} and {bounds[1]:g}, relative", first=first, means=means)


def share_row(name: str, trainings: Sequence[Training], setting: Setting, before: int, processes: int) -> Row:
    """Return the check that each process kept to its share: tensors under the cap, the rest under `CONTEXT`.

    Args:
        name: Name of the row.
        trainings: Results of the trials that ran together.
        setting: Where the part runs.
        before: Bytes of the card in use before the processes started.
        processes: Number of processes that are alive.
    """
    if not setting.on_card:
        return Row(name, verdict="skipped", note="needs a card: a CPU has no caps")
    total = torch.cuda.get_device_properties(setting.device).total_memory
    cap = total / len(trainings) - CONTEXT
    reserved = max(training.memory.reserved for training in trainings)
    value, data = f"{reserved / GIB:.2f} of {cap / GIB:.1f} GiB", {"reserved": reserved, "cap": cap}
    if reason := missing():
        note = f"{reason} for the memory beside tensors"
        return Row.check(name, reserved <= cap, value, note=note, **data)
    if processes != len(trainings):  # the others hold memory of their own
        return Row.check(name, reserved <= cap, value, **data)
    context = (used_bytes(setting.device) - before - sum(training.memory.held for training in trainings)) / processes
    value, goal = f"{value}, and {context / GIB:.2f} GiB besides tensors", f"<= {CONTEXT / GIB:g} GiB besides tensors"
    note = "" if context <= CONTEXT else "raise CONTEXT in groupdir/training/device_memory.py"
    return Row.check(name, reserved <= cap and context <= CONTEXT, value, goal, note, context=context, **data)


def estimate(setting: Setting) -> Iterator[Row]:
    """Compare the peak of the dry run with that of two epochs, validation and the copy of the best weights."""
    root = lamps_root(setting)
    joint = {"recipe": "joint", "views": 2}
    two_stage = {"recipe": "two_stage", "pretrain": {"epochs": 1, "views": 2}}
    trials = {
        "ResNet-18, one view": resnet(setting, root, 0, 2),
        "ResNet-18, two views": resnet(setting, root, 0, 2, joint),
        "ResNet-18, pretraining": resnet(setting, root, 0, 2, two_stage),
    }
    with trial_processes(1) as [process]:
        for name, content in trials.items():
            process.ask("build", content, 0.5)
            dry: Memory = process.answer(setting.left)
            process.ask("train")
            real: Memory = process.answer(setting.left).memory
            yield estimate_row(f"peak against the dry run's: {name}", dry, real, setting)


def estimate_row(name: str, dry: Memory, real: Memory, setting: Setting) -> Row:
    """Return the check of one trial's estimate."""
    if not setting.on_card:
        return Row(name, verdict="skipped", note="needs a card: the trial was built and trained")
    ratio, reserved = real.allocated / dry.allocated, real.reserved / dry.reserved
    note = f"{real.allocated / GIB:.2f} GiB of tensors; reserved by torch: {reserved:.3f}"
    data = {"dry": vars(dry), "real": vars(real)}
    return Row.check(name, ratio <= ABOVE_ESTIMATE, f"{ratio:.3f}", f"<= {ABOVE_ESTIMATE:g}", note, **data)


def too_large(setting: Setting) -> Iterator[Row]:
    """Build a trial on a share that cannot hold it, and train it on the whole card in the same process."""
    content = resnet(setting, lamps_root(setting), 0, 1)
    with trial_processes(1) as [process]:
        if setting.on_card:
            total = torch.cuda.get_device_properties(setting.device).total_memory
            share = (CONTEXT + GIB / 16) / total  # 64 MiB of tensors: the weights and their copy take 90
            process.ask("refusal", content, share)
            yield refusal_row("a trial that does not fit", process.answer(setting.left), share, total)
        else:
            yield Row("a trial that does not fit", verdict="skipped", note="needs a card: a CPU has no caps")
        [training], _ = trained([process], [content], 1.0, setting)
        loss = training.metrics[-1]["train_loss"]
        yield Row.check("the same process then trains it on the whole card", math.isfinite(loss), f"loss {loss:.3g}")


def refusal_row(name: str, message: str, share: float, total: int) -> Row:
    """Return the check that the error names the share, the card's memory and what to do."""
    needed = (
        f"{share:g} of the {total / GIB:.1f} GiB",
        "GiB for the CUDA context",
        "reduce train.batch_size",
        f"raise search.resources.gpu above {share:g}",
    )
    lacks = [text for text in needed if text not in message]
    return Row.check(
        name, not lacks, "refused" if message else "fits", note=message or "it trained on its share", lacks=lacks
    )


PART = Part(
    "packing",
    "several trials on one card",
    60,
    {
        "digits trials together": pack_digits,
        "ResNet-18 trials together": pack_resnets,
        "the dry run's estimate": estimate,
        "a trial that does not fit": too_large,
    },
)
