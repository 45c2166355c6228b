"""Pictures to the card: resident on it, mapped from a file in memory, and streamed from the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer
from tests.bench.bench_input import our_epoch
from tests.bench.bench_train import ours, rates
from tests.gpu.part import Part, Row, Setting
from tests.gpu.parts.step_part import config_of, released, sizes
from tests.gpu.timing import idle_share, trace

PLACES = {"resident on the card": 1.0, "mapped from the file": 0.0}
"""`train.device_share` of each place of the pictures."""


def trial_in(setting: Setting, share: float) -> TrialConfig:
    """Return the trial whose pictures lie on the card, or are mapped from the file."""
    return config_of(setting).replaced({"train.device_share": share})


def places(setting: Setting) -> Iterator[Row]:
    """Measure making batches alone, and whole steps with the card's idle share, for each place of the pictures."""
    for place, share in PLACES.items():
        released()
        trainer = Trainer(trial_in(setting, share))
        batch = trainer.config.train.batch_size
        where = trainer.training.inputs[0].device.type
        expected = "cuda" if share and setting.on_card else "cpu"
        yield Row.check(f"{place}: where the pictures lie", where == expected, where)
        step = ours(trainer)
        found = rates({"batches": partial(our_epoch, trainer, batch), "steps": step}, 3, setting.device)
        idle = idle_share(trace(setting, step))
        value = f"{found['batches']:,.0f} images/s alone, {found['steps']:,.0f} in training, idle {idle:.1%}"
        yield Row(place, value, data={**found, "idle": idle})


def cold(setting: Setting) -> Iterator[Row]:
    """Measure the first epoch whose pictures must be read from the disk."""
    released()
    trainer = Trainer(trial_in(setting, 0.0))
    file = max(Path(setting.folder).rglob("*.pictures"), key=lambda path: path.stat().st_size)
    del trainer
    released()
    forget(file)
    trainer = Trainer(trial_in(setting, 0.0))
    begin = time.perf_counter()
    count = our_epoch(trainer, sizes(setting)[2])
    setting.wait()
    yield Row("streamed from the disk, batches alone", f"{count / (time.perf_counter() - begin):,.0f} images/s")


def forget(file: Path) -> None:
    """Drop a file from the machine's memory, so that it is read from the disk again."""
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


PART = Part("input", "pictures to the card", 30, {"places": places, "from the disk": cold})
