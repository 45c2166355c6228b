"""Processes that train trials on shares of one card when asked, as the workers of a search do, without Ray."""

from __future__ import annotations

import gc
import multiprocessing
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from groupdir.config.trial import TrialConfig
from groupdir.errors import DeviceMemoryError
from groupdir.node.gpu_share import trainer_on_share
from groupdir.training.trainer import Trainer
from tests.checkout import ROOT

PRELOADED = ["tests.gpu.trial_process", "sklearn.datasets", "tests.toy.photos"]
"""Modules that all processes share, so that each starts in a moment. None of them touches the card."""


LONGEST = 3600.0
"""Seconds that an answer may take at most."""


@dataclass(frozen=True)
class Memory:
    """Largest memory of the tensors of a process, in bytes: 0 without a card.

    Attributes:
        allocated: Bytes of tensors.
        reserved: Bytes that torch has taken from the card for them.
        held: Bytes that torch has reserved at the end.
    """

    allocated: int = 0
    reserved: int = 0
    held: int = 0


@dataclass(frozen=True)
class Training:
    """Result of a training: the metrics and seconds of each epoch, and the memory."""

    metrics: list[dict[str, float]]
    seconds: list[float]
    memory: Memory


class Trials:
    """Trials of one process, one after the other."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None

    def build(self, config: Mapping[str, Any], share: float) -> Memory:
        """Build a trial on a share of the card, with its dry run, and return the memory that this took.

        Raises:
            DeviceMemoryError: If the trial does not fit.
        """
        self._trainer = None  # keep only one trial in memory
        gc.collect()
        self._trainer = trainer_on_share(TrialConfig.from_dict(config), None, None, share)
        return self._memory()

    def refusal(self, config: Mapping[str, Any], share: float) -> str:
        """Build a trial and return the message of the error that it does not fit, or "" if it fits."""
        try:
            self.build(config, share)
        except DeviceMemoryError as error:
            return str(error)
        return ""

    def train(self) -> Training:
        """Train all epochs of the trial that was built."""
        assert self._trainer is not None, "build a trial first"
        if self._trainer.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._trainer.device)
        results = list(self._trainer.epochs())
        return Training([row.metrics for row in results], [row.seconds for row in results], self._memory())

    def _memory(self) -> Memory:
        assert self._trainer is not None
        device = self._trainer.device
        if device.type != "cuda":
            return Memory()
        return Memory(
            torch.cuda.max_memory_allocated(device),
            torch.cuda.max_memory_reserved(device),
            torch.cuda.memory_reserved(device),
        )


@dataclass(frozen=True)
class Failure:
    """Error in a process, as texts."""

    error: str
    trace: str


class TrialProcess:
    """Process with its own `Trials`."""

    def __init__(self, context: multiprocessing.context.ForkServerContext) -> None:
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def ask(self, method: str, *arguments: Any) -> None:
        """Have the process call a method of its `Trials`, without waiting for it."""
        self._pipe.send((method, arguments))

    def answer(self, seconds: float) -> Any:
        """Return the result of the last `ask`.

        Raises:
            TimeoutError: If the process has not answered after some seconds.
            RuntimeError: If the method raised an error or the process died.
        """
        if not self._pipe.poll(min(seconds, LONGEST)):
            raise TimeoutError(f"a trial's process has not answered for {seconds:.0f} s")
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"a trial's process ended with status {self._process.exitcode}") from None
        if isinstance(answer, Failure):
            print(answer.trace)
            raise RuntimeError(answer.error)
        return answer

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()


@contextmanager
def trial_processes(count: int) -> Iterator[Sequence[TrialProcess]]:
    """Start processes for the time of the context."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))  # the server of forks reads no sys.path
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    processes: list[TrialProcess] = []
    try:
        processes.extend(TrialProcess(context) for _ in range(count))
        yield processes
    finally:
        for process in processes:
            process.end()


def all_answers(processes: Sequence[TrialProcess], seconds: float) -> list[Any]:
    """Return the answers of several processes in their order."""
    return [process.answer(seconds) for process in processes]


def _serve(pipe: Connection) -> None:
    """Answer requests until the other end of the pipe is closed."""
    trials = Trials()
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(getattr(trials, method)(*arguments))
        except Exception as error:  # noqa: BLE001 - the process that asked raises it
            pipe.send(Failure(f"{type(error).__name__}: {error}", traceback.format_exc()))
