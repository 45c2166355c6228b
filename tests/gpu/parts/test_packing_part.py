"""The rows of the part `packing`, and the processes that it trains in."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from groupdir.errors import DeviceMemoryError
from groupdir.training.device_memory import GIB, explain_out_of_memory
from tests.gpu.part import Setting
from tests.gpu.parts import packing_part
from tests.gpu.parts.packing_part import Load, estimate_row, refusal_row, results_row, speed_row
from tests.gpu.parts.packing_trials import digits
from tests.gpu.trial_process import Memory, Training, all_answers, trial_processes

CARD = Setting(torch.device("cuda"), False, 4, Path(), 1e9)
CPU = Setting(torch.device("cpu"), True, 1, Path(), 1e9)


def training(*losses: float) -> Training:
    return Training([{"train_loss": loss} for loss in losses], [1.0] * len(losses), Memory())


@pytest.mark.slow
def test_processes_train_at_once_and_report_their_errors() -> None:
    with trial_processes(2) as processes:
        for number, process in enumerate(processes):
            process.ask("build", digits(CPU, number, 1), 0.5)
        all_answers(processes, 100)
        for process in processes:
            process.ask("train")
        losses = [training.metrics[0]["train_loss"] for training in all_answers(processes, 100)]
        assert len(set(losses)) == 2
        assert all(loss > 0 for loss in losses)
        processes[0].ask("build", {"seed": -1}, 0.5)
        with pytest.raises(RuntimeError, match=r"ConfigError: .*seed"):
            processes[0].answer(100)
        with pytest.raises(TimeoutError, match="not answered"):
            processes[1].answer(0.1)
        processes[1].end()
        with pytest.raises(RuntimeError, match="ended with status -9"):
            processes[1].answer(10)
        begin = time.monotonic()
    assert time.monotonic() - begin < 5


def test_speed_is_against_one_after_the_other() -> None:
    row = speed_row(Load("toy", (2,), 1.0, lambda number, epochs: {}), [3.0, 1.0], 2.0, 7)
    assert (row.name, row.value, row.verdict) == ("2 toy trials together", "2.00 times one after the other", "measured")


@pytest.mark.parametrize(
    ("setting", "together", "verdict"),
    [
        (CPU, (2.0, 1.0), "ok"),
        (CPU, (2.0, 1.0 + 1e-9), "FAILED"),
        (CARD, (2.03, 1.0), "ok"),
        (CARD, (2.0, 1.1), "ok"),
        (CARD, (2.05, 1.0), "FAILED"),
        (CARD, (2.0, 1.2), "FAILED"),
        (CARD, (2.0, float("nan")), "FAILED"),
    ],
)
def test_results_must_be_those_of_a_trial_alone(setting: Setting, together: tuple[float, ...], verdict: str) -> None:
    assert results_row("a", [training(2.0, 1.0)], [training(*together)], setting).verdict == verdict


@pytest.mark.parametrize(
    ("reserved", "used", "processes", "verdict"),
    [
        (4.1, 1 + 2 * (4.0 + 0.8), 2, "ok"),
        (4.2, 1 + 2 * (4.0 + 0.8), 2, "FAILED"),
        (4.1, 1 + 2 * (4.0 + 0.9), 2, "FAILED"),
        (4.1, 100.0, 4, "ok"),
    ],
)
def test_a_process_keeps_to_its_share(
    reserved: float, used: float, processes: int, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=10 * GIB))
    monkeypatch.setattr(packing_part, "used_bytes", lambda device: int(used * GIB))
    monkeypatch.setattr(packing_part, "missing", lambda: "")
    memory = Memory(0, int(reserved * GIB), 4 * GIB)
    row = packing_part.share_row("a", [Training([], [], memory)] * 2, CARD, GIB, processes)
    assert row.verdict == verdict, row
    monkeypatch.setattr(packing_part, "missing", lambda: "needs a package")
    assert "needs a package" in packing_part.share_row("a", [Training([], [], memory)] * 2, CARD, GIB, processes).note


@pytest.mark.parametrize(("peak", "verdict"), [(101, "ok"), (90, "ok"), (103, "FAILED")])
def test_the_peak_may_hardly_exceed_the_estimate(peak: int, verdict: str) -> None:
    assert estimate_row("a", Memory(100, 200, 0), Memory(peak, 300, 0), CARD).verdict == verdict


def test_the_refusal_names_share_memory_and_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    total = 80 * GIB
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=total))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: GIB)
    share = 0.0078125
    with pytest.raises(DeviceMemoryError) as error, explain_out_of_memory(torch.device("cuda"), share):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. Free: 1")
    assert refusal_row("a", str(error.value), share, total).verdict == "ok"
    assert refusal_row("a", str(error.value), 0.25, total).verdict == "FAILED"
    assert refusal_row("a", "", share, total).verdict == "FAILED"
