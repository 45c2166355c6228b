"""A training step on photographs against the bare model and the published recipe, and where its time goes."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer
from tests.bench.bench_train import bare, ours, rates, recipe, trial
from tests.bench.jpegs import write_jpegs
from tests.gpu.part import Part, Row, Setting
from tests.gpu.phases import NAMES, phases
from tests.gpu.timing import idle_share, longest, trace

GOAL_OF_BARE, GOAL_PER_SECOND, GOAL_CARD = 0.85, 2800, "H100"
COMPILING = 50.0
"""Seconds that a compilation may take: with less left, the measurement is not begun."""


def sizes(setting: Setting) -> tuple[int, int, int, int]:
    """Return depth, pixels of a side, samples of a batch, and steps of an epoch."""
    return (18, 32, 8, 2) if setting.small else (50, 224, 128, 16)


def config_of(setting: Setting, views: int = 1, compiled: bool = False) -> TrialConfig:
    """Return the trial of this part; the first call writes its pictures."""
    depth, side, batch, steps = sizes(setting)
    folder = Path(setting.folder) / "pictures"
    if not folder.exists():
        write_jpegs(folder, batch * steps, side * 5 // 4)
    amp = "bf16" if setting.on_card else "none"
    device = setting.device.type
    return trial(
        str(folder),
        side,
        depth,
        views,
        batch_size=batch,
        threads=setting.cores,
        amp=amp,
        compile=compiled,
        device=device,
    )


def released() -> None:
    """Give the memory of earlier trainers back to the card."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def one_view(setting: Setting) -> Iterator[Row]:
    """Compare the trainer with the bare model and the published recipe, one view."""
    config = config_of(setting)
    trainer = Trainer(config)
    runs = {"ours": ours(trainer), "bare": bare(trainer, sizes(setting)[3])}
    runs["recipe"] = recipe(config, config.data.root)  # type: ignore[attr-defined]
    found = rates(runs, 2 if setting.small else 3, setting.device)
    yield from against_bare(setting, "one view", found)
    against = found["ours"] / found["recipe"]
    value = f"{against:.2f} times its {found['recipe']:,.0f} images/s"
    note = f"PIL loader with {setting.cores} workers, float32, channels first"
    yield Row("one view: against the published recipe", value, note=note, data=found)


def two_views(setting: Setting) -> Iterator[Row]:
    """Compare the trainer with the bare model, two views of each sample."""
    released()
    yield from ours_and_bare(setting, "two views", config_of(setting, views=2))


def compiled(views: int) -> Callable[[Setting], Iterator[Row]]:
    """Return the measurement of a compiled encoder."""

    def measure(setting: Setting) -> Iterator[Row]:
        name = f"{'one view' if views == 1 else 'two views'}, compiled"
        if setting.small:
            yield Row(name, verdict="skipped", note="the rehearsal compiles nothing here: it would take a minute")
            return
        if setting.left < COMPILING:
            yield Row(
                name, verdict="not reached", note=f"{setting.left:.0f} s left, a compilation may take {COMPILING:g}"
            )
            return
        released()
        torch._dynamo.reset()
        yield from ours_and_bare(setting, name, config_of(setting, views, compiled=True))

    return measure


def ours_and_bare(setting: Setting, name: str, config: TrialConfig) -> Iterator[Row]:
    """Compare the trainer of a trial with the bare model."""
    trainer = Trainer(config)
    begin = time.perf_counter()
    run = ours(trainer)
    run()
    setting.wait()
    first = time.perf_counter() - begin
    found = rates({"ours": run, "bare": bare(trainer, sizes(setting)[3])}, 2 if setting.small else 3, setting.device)
    yield from against_bare(setting, name, found, f"first epoch, which compiles and warms up, {first:.0f} s")


def against_bare(setting: Setting, name: str, found: dict[str, float], note: str = "") -> Iterator[Row]:
    """Give the rows of the trainer and of the bare model."""
    share = found["ours"] / found["bare"]
    value = f"{share:.3f} of its {found['bare']:,.0f} images/s"
    yield Row.speed(f"{name}: against the bare model", share >= GOAL_OF_BARE, value, f"{GOAL_OF_BARE}", note, **found)
    value = f"{found['ours']:,.0f} images/s"
    if setting.on_card and GOAL_CARD in torch.cuda.get_device_name(setting.device):
        yield Row.speed(
            f"{name}: images", found["ours"] >= GOAL_PER_SECOND, value, f"{GOAL_PER_SECOND:,} on {GOAL_CARD}"
        )
    else:
        yield Row(f"{name}: images", value)


def where_time_goes(setting: Setting) -> Iterator[Row]:
    """Say how long the card takes for each phase of a step, and which share of the time it is idle."""
    released()
    for views in (1, 2):
        trainer = Trainer(config_of(setting, views))
        run = ours(trainer)
        run()
        spent = phases(setting, trainer, run)
        total = sum(spent.values())
        value = ", ".join(f"{name} {spent[name] / total:.1%}" for name in NAMES)
        value += f" of {1e3 * total:.1f} ms"
        events = trace(setting, run)
        shares = [f"{kernel[:50]} {share:.1%} in {count}" for kernel, share, count in longest(events, 8)]
        if events:
            value += f"; idle {idle_share(events):.1%}"
        data = {"seconds": spent, "idle": idle_share(events), "kernels": longest(events, 25)}
        yield Row(f"where a step's time goes, {views} view(s)", value, note="; ".join(shares), data=data)


PART = Part(
    "step",
    "a training step of ResNet-50 on photographs",
    155,
    {
        "one view": one_view,
        "where the time goes": where_time_goes,
        "two views": two_views,
        "one view, compiled": compiled(1),
        "two views, compiled": compiled(2),
    },
)
