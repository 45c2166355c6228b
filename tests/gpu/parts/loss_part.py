"""The group-aware contrastive loss against its floor: two products and one exponential."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from groupdir.losses.group_contrastive import fused
from tests.bench.bench_group_contrastive import floor, inputs, ours
from tests.gpu.part import Part, Row, Setting
from tests.gpu.timing import busy, longest, medians, peak_bytes, trace

BATCHES, FEATURES, GROUPS = (128, 256, 512, 1024, 2048, 4096), (512, 2048), 25
GOAL, FROM = 1.25, 512
"""Largest number of floors, for batches of at least this size."""


def batch_of(setting: Setting, batch: int, features: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return features `(B, D)`, groups `(B,)` and raw targets `(B,)` on the device."""
    z, group = inputs(batch, features, GROUPS)
    raw = torch.rand(batch, generator=torch.Generator().manual_seed(batch))
    z = z.detach().to(setting.device).requires_grad_()
    return z, group.to(setting.device), raw.to(setting.device)


def times(setting: Setting) -> Iterator[Row]:
    """Time forward and backward for every size, groups and raw targets."""
    for features in FEATURES:
        for batch in (64, 130) if setting.small else BATCHES:
            z, group, raw = batch_of(setting, batch, features)
            calls = {
                "floor": lambda z=z, group=group: floor(z, group),
                "groups": lambda z=z, group=group: ours(z, group),
                "raw targets": lambda z=z, raw=raw: ours(z, raw),
            }
            repeats = 2 if setting.small else max(3, min(50, int(1e11 / (batch**2 * features))))
            seconds = medians(setting, calls, 3 if setting.small else 7, repeats)
            memory = {name: peak_bytes(setting, call) for name, call in calls.items()}
            with fused(False):
                seconds["groups, unfused"] = medians(setting, {"": calls["groups"]}, 3, repeats)[""]
            yield _row(batch, features, seconds, memory)


def _row(batch: int, features: int, seconds: dict[str, float], memory: dict[str, int]) -> Row:
    floors = {name: value / seconds["floor"] for name, value in seconds.items() if name != "floor"}
    value = ", ".join(f"{name} {ratio:.2f}" for name, ratio in floors.items())
    value += f" floors of {1e3 * seconds['floor']:.3f} ms; memory {memory['groups'] / 2**20:.1f} MiB, "
    value += f"floor {memory['floor'] / 2**20:.1f}"
    name = f"B {batch}, D {features}"
    numbers = {"seconds": seconds, "bytes": memory, "floors": floors}
    if batch < FROM:
        return Row(name, value, data=numbers)
    reached = max(floors["groups"], floors["raw targets"]) <= GOAL
    return Row.speed(name, reached, value, f"{GOAL} floors", **numbers)


def two_views(setting: Setting) -> Iterator[Row]:
    """Time a batch of two augmented views, whose near duplicates float32 cannot serve."""
    views, features = (32, 64) if setting.small else (128, 512)
    z, group, _ = batch_of(setting, views, features)
    noise = torch.randn(views, features, generator=torch.Generator().manual_seed(0)).to(setting.device)
    z = torch.cat([z.detach(), z.detach() + 0.01 * noise]).requires_grad_()
    group = group.repeat(2)
    repeats, call = (2 if setting.small else 20), lambda: ours(z, group)
    seconds = medians(setting, {"floor": lambda: floor(z, group), "fused": call}, 3, repeats)
    with fused(False):
        seconds["unfused"] = medians(setting, {"unfused": call}, 3, repeats)["unfused"]
    value = ", ".join(f"{name} {1e3 * time:.3f} ms" for name, time in seconds.items())
    yield Row(f"two views, B {2 * views}, D {features}", value, data={"seconds": seconds})


def profile(setting: Setting) -> Iterator[Row]:
    """Say what the card does during one forward and backward: kernels, and how long it works."""
    for batch in (64,) if setting.small else (512, 4096):
        z, group, _ = batch_of(setting, batch, 512)
        for name, call in (("loss", ours), ("floor", floor)):
            for _ in range(3):
                call(z, group)
            events = trace(setting, lambda call=call, z=z, group=group: call(z, group))
            worked, span = busy(events)
            shares = [f"{kernel[:40]} {share:.0%}" for kernel, share, _ in longest(events, 4)]
            value = f"{len(events)} kernels and copies, {worked:.0f} us of work in {span:.0f} us"
            numbers = {"kernels": longest(events), "worked_us": worked, "span_us": span}
            yield Row(f"what the card does, B {batch}, D 512: {name}", value, note="; ".join(shares), data=numbers)


PART = Part(
    "loss",
    "the contrastive loss against its floor",
    35,
    {"time and memory": times, "two views": two_views, "what the card does": profile},
)
