"""Checksums: of 270 flips of one bit in each kind of file, none goes unseen."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.parquet import read_parquet, write_parquet, write_table
from groupdir.files.predictions import SavedPredictions, read_predictions
from groupdir.files.study_files import PREDICTIONS
from groupdir.files.training_result import TrainingResult, read_result
from groupdir.shots import ShotSplit
from groupdir.study.store import Store
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint
from tests.epoch_report import report
from tests.flips import FLIPS, silently_wrong

EVENTS = 25
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.groupdir.files.test_sealed import fill
from groupdir.study.store import Store

store = Store.create(Path(sys.argv[1]) / "study.sqlite", {"name": "digits"})
fill(store)
os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(store: Store) -> None:
    for epoch in range(1, EVENTS + 1):
        payload = {**report(epoch), "last": False, "metrics": {"val_mae_all": 3.0 + epoch / 7}}
        store.append("epoch", trial=epoch % 4, seed=0, epoch=epoch, payload=payload)


def log(folder: Path) -> None:
    store = Store.create(folder / "study.sqlite", {"name": "digits", "search": {"trials": 3}})
    fill(store)
    store.close()


def killed(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert (folder / "study.sqlite-wal").stat().st_size > 10_000


def snapshot(folder: Path) -> None:
    store = Store.create(folder / "other.sqlite", {"name": "digits"})
    fill(store)
    store.copy_to(folder / "study.sqlite")
    store.close()
    for path in (*folder.glob("other*"), folder / "study.head"):
        path.unlink()


def table(folder: Path) -> None:
    rows = [
        {"trial": trial, "label": f"a{trial}", "status": "finished", "val_mae_all": trial / 3} for trial in range(60)
    ]
    write_parquet(folder / "trials.parquet", rows, {"study": {"name": "a"}, "configs": {"0": {"seed": 3}}})


def compressed(folder: Path) -> None:
    write_table(folder / "trials.parquet", pa.table({"targets": [[1.0, 2.0]] * 9}), {"benchmark": {}}, "zstd")


def predictions(folder: Path) -> None:
    target = np.linspace(0, 9, 300, dtype=np.float32)
    shots = ShotSplit.from_train(target, bin_width=1, many=100, few=20)
    SavedPredictions({"data": {"name": "digits"}}, "c", "s", shots, "test", 3, target, target * 1.1).write(
        folder / PREDICTIONS
    )


def checkpoint(folder: Path) -> None:
    save_checkpoint(
        folder / "trial.pt", {"epoch": 3, "model": {"weight": torch.linspace(0, 1, 2000)}, "config": {"a": 1}}
    )


def result(folder: Path) -> None:
    TrainingResult("abc", 12, {"test_mae_all": 6.125, "test_mae_few": float("nan")}).write(folder / "result.json")


def ledger(folder: Path) -> None:
    for seed in range(5):
        Ledger((folder,)).record(Reading("2026-08-01", "digits", "s", "c", seed, "vanilla", "groupdir train a.yaml"))


def events_of(folder: Path) -> Any:
    store = Store.open(folder / "study.sqlite", readonly=True)
    try:
        return store.study, list(store.events())
    finally:
        store.close()


READERS: dict[str, tuple[Any, str, Any]] = {
    "event log": (log, "study.sqlite", events_of),
    "write-ahead log": (killed, "study.sqlite-wal", events_of),
    "head": (log, "study.head", events_of),
    "snapshot": (snapshot, "study.sqlite", events_of),
    "table": (table, "trials.parquet", lambda folder: [*map(str, read_parquet(folder / "trials.parquet"))]),
    "pack": (compressed, "trials.parquet", lambda folder: [*map(str, read_parquet(folder / "trials.parquet"))]),
    "predictions": (
        predictions,
        "predictions.parquet",
        lambda folder: read_predictions(folder / PREDICTIONS),
    ),
    "checkpoint": (checkpoint, "trial.pt", lambda folder: str(load_checkpoint(folder / "trial.pt"))),
    "result": (result, "result.json", lambda folder: read_result(folder / "result.json", "--resume")),
    "ledger": (ledger, "test_reads.jsonl", lambda folder: Ledger((folder,)).entries("digits", "s")),
}


@pytest.mark.parametrize("kind", READERS)
def test_no_flipped_bit_goes_unseen(tmp_path: Path, kind: str) -> None:
    write, name, read = READERS[kind]
    folder = tmp_path / "study"
    folder.mkdir()
    write(folder)
    wrong, reported = silently_wrong(folder, name, read)
    assert not wrong, "\n".join(wrong[:5]) + f"\n{len(wrong)} of {FLIPS}"
    assert reported > FLIPS // 20, "most flips hit content"


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_is_reported(tmp_path: Path, kind: str, share: float) -> None:
    write, name, read = READERS[kind]
    write(tmp_path)
    path = tmp_path / name
    expected = repr(read(tmp_path))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    if kind == "ledger":
        return  # a torn last line is what a killed process leaves; see test_ledger.py
    with contextlib.suppress(DataError):
        assert repr(read(tmp_path)) == expected
