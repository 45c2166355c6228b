"""A small search with Ray: its results, how busy it keeps the card, and the retry of a trial that does not fit."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import torch

from groupdir.files.study_files import Status
from groupdir.study.read import event_log, read_study
from groupdir.training.device_memory import CONTEXT, GIB
from tests.checkout import ROOT
from tests.gpu import card
from tests.gpu.groupdir_command import Ended, run_command
from tests.gpu.part import Part, Row, Setting

SPACE = ROOT / "search_spaces" / "digits.yaml"
NEEDS = {
    "ray": "ray",
    "tensorboardX": "tensorboardx",
    "jsonschema": "jsonschema",
    "optuna": "optuna",
    "colorlog": "colorlog",
    "moocore": "moocore",
    "_cffi_backend": "cffi",
    "pyarrow": "pyarrow",
    "tensorboard": "tensorboard",
    "sklearn": "scikit-learn",
}
"""Packages that a search imports and the other parts do not, by the names of their modules."""

RETRY_SECONDS = 40.0
"""Seconds of the box that are kept for the retry: Ray starts in some 5 s, and a worker of a trial in some 10."""


END_SECONDS = 10.0
"""Seconds of a search before and after its time limit: imports, and the study's files at the end."""

ON_CARD = {"search.trials": "16", "search.concurrency": "4", "search.resources": "{cpu: 1, gpu: 0.25}"}
ON_CPU = {
    "search.trials": "2",
    "search.concurrency": "2",
    "search.resources": "{cpu: 0.5, gpu: 0}",
    "search.scheduler.grace_period": "1",
    "train.epochs": "2",
}
"""Changes of the search space, by address."""


def missing() -> str:
    """Return which packages are not installed, or ""."""
    lacks = [package for module, package in NEEDS.items() if importlib.util.find_spec(module) is None]
    return f"not installed: {', '.join(lacks)} (tests/gpu/wheels.py --ray fetches them)" if lacks else ""


def search(setting: Setting) -> Iterator[Row]:
    """Run the search space of the digits, and yield what it gave."""
    folder = setting.folder / "digits"
    seconds = max(5.0, setting.left - END_SECONDS - (RETRY_SECONDS if setting.on_card else 0.0))
    asks = card.missing() if setting.on_card else "needs a card"
    with nullcontext() if asks else card.Busy(setting.device) as busy:
        changes = ON_CARD if setting.on_card else ON_CPU
        changes = {"search.ablations": "{}", "search.max_hours": f"{seconds / 3600:.5f}", **changes}
        ended = run_command(search_words(folder, changes), setting.folder, seconds + END_SECONDS + 5)
    state = read_study(folder).state
    yield trials_row(ended, {status: state.count(status) for status in get_args(Status)})
    with event_log(folder) as (_, store):
        times = [event.time for event in store.events() if event.kind == "epoch"]
    yield rate_row(times)
    if busy is None:
        yield Row("busy share of the card", verdict="skipped", note=asks)
    else:
        percent = busy.mean(times[0], times[-1])
        note = "mean of NVML's utilization, asked every 0.1 s from the end of the first epoch to that of the last"
        yield Row("busy share of the card", f"{percent:.0f} %", note=note, data={"percent": percent})
    audit = run_command(["audit", str(folder)], setting.folder, max(15.0, setting.left))
    yield Row.check("audit of the search", audit.status == 0, audit.last_line)


def search_words(folder: Path, changes: Mapping[str, str]) -> list[str]:
    """Return the words of the command that searches the digits with some changes."""
    sets = [text for address, value in changes.items() for text in ("--set", f"{address}={value}")]
    return ["search", str(SPACE), "--out", str(folder), *sets]


def trials_row(ended: Ended, counts: Mapping[str, int]) -> Row:
    """Return the check that trials finished and none failed."""
    value = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    holds = ended.status == 0 and counts["finished"] > 0 and counts["failed"] == 0
    note = "" if holds else f"status {ended.status}: {ended.text[-600:]}"
    return Row.check("trials of the search", holds, value, "some finished, none failed", note, **counts)


def rate_row(times: Sequence[float]) -> Row:
    """Return the row of the epochs per second, from the unix times at which epochs ended."""
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else math.nan
    note = f"{len(times)} epochs of all trials, from the end of the first to that of the last"
    return Row("epochs of the search", f"{rate:.1f} epochs/s", note=note, data={"epochs": len(times), "rate": rate})


def retry(setting: Setting) -> Iterator[Row]:
    """Run one trial that does not fit into its share, and check that it runs again with the whole card."""
    name = "a trial that does not fit is retried on the whole card"
    if not setting.on_card:
        yield Row(name, verdict="skipped", note="needs a card: a CPU has no caps")
        return
    total = torch.cuda.get_device_properties(setting.device).total_memory
    share = math.ceil(1e4 * (CONTEXT + GIB / 32) / total) / 1e4  # Ray counts GPUs in steps of 0.0001
    folder = setting.folder / "retry"
    changes = {
        "search.ablations": "{}",
        "search.trials": "1",
        "search.resources": f"{{cpu: 1, gpu: {share:.4f}}}",
        "method.views": "2",
        "train.batch_size": "2500",  # 327 MB for the first layer's outputs
        "train.epochs": "5",
    }
    ended = run_command(search_words(folder, changes), setting.folder, setting.left + END_SECONDS)
    yield retry_row(name, ended.text, read_study(folder).state.count("finished"), share)


def retry_row(name: str, text: str, finished: int, share: float) -> Row:
    """Return the check of a trial that was refused on its share and finished on the whole card."""
    needed = ("does not fit into", f"{share:g} of the", "retried on a whole GPU")
    lacks = [part for part in needed if part not in text]
    lines = [line for line in text.splitlines() if "does not fit" in line]
    holds = not lacks and finished == 1
    note = " ".join(lines) if lines and holds else text[-600:]
    return Row.check(name, holds, f"{finished} of 1 finished", note=note, lacks=lacks)


PART = Part(
    "search",
    "a small search with Ray",
    115,
    {"a search of the digits": search, "a trial that does not fit": retry},
    missing,
)
