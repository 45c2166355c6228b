"""Time and memory on a card: medians by the card's own clock, peaks, and what the card did in a trace."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from tests.gpu.part import Setting

WORK = ("kernel", "gpu_memcpy", "gpu_memset")
"""Categories of a trace in which the card works."""

Call = Callable[[], Any]


def medians(setting: Setting, calls: Mapping[str, Call], rounds: int, repeats: int) -> dict[str, float]:
    """Return the seconds of one call of each, the median of rounds that take turns; a first round warms up.

    A round queues `repeats` calls and waits once, as a training does, so that the host may run ahead of the card.

    Args:
        setting: The device.
        calls: Functions by name.
        rounds: Number of rounds that count.
        repeats: Number of calls per round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            setting.wait()
            begin = time.perf_counter()
            for _ in range(repeats):
                call()
            setting.wait()
            seconds[name].append((time.perf_counter() - begin) / repeats)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def peak_bytes(setting: Setting, call: Call) -> int:
    """Return by how much one call raises the memory that tensors hold on the card; 0 on a CPU."""
    if not setting.on_card:
        return 0
    call()  # what libraries reserve at their first use is no part of it
    setting.wait()
    torch.cuda.reset_peak_memory_stats(setting.device)
    before = torch.cuda.memory_allocated(setting.device)
    call()
    setting.wait()
    return torch.cuda.max_memory_allocated(setting.device) - before


def trace(setting: Setting, call: Call) -> list[dict[str, Any]]:
    """Return what the card did during a call: events with `name`, `ts` and `dur` in microseconds; none on a CPU."""
    if not setting.on_card:
        call()
        return []
    setting.wait()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        call()
        setting.wait()
    file = Path(setting.folder) / "trace.json"
    profiler.export_chrome_trace(str(file))
    events = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    file.unlink()
    return [event for event in events if event.get("cat") in WORK]


def busy(events: list[dict[str, Any]]) -> tuple[float, float]:
    """Return for how many microseconds the card worked, and how many there are from its first work to its last.

    >>> busy([{"ts": 0, "dur": 4}, {"ts": 2, "dur": 4}, {"ts": 8, "dur": 2}])
    (8.0, 10.0)
    """
    worked, end = 0.0, -1.0
    ordered = sorted(events, key=lambda event: event["ts"])
    for event in ordered:
        begin = max(event["ts"], end)
        end = max(end, event["ts"] + event["dur"])
        worked += max(0, end - begin)
    return worked, float(end - ordered[0]["ts"]) if ordered else 0.0


def idle_share(events: list[dict[str, Any]]) -> float:
    """Return the share of the time during which the card did nothing; NaN without events."""
    worked, span = busy(events)
    return 1 - worked / span if span else float("nan")


def longest(events: list[dict[str, Any]], most: int = 12) -> list[tuple[str, float, int]]:
    """Return the kernels that took longest: name, their share of the work, and how often they ran."""
    spent: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for event in events:
        spent[event["name"]] += event["dur"]
        runs[event["name"]] += 1
    total = sum(spent.values()) or 1
    return [(name, duration / total, runs[name]) for name, duration in spent.most_common(most)]
