"""The ledger of test reads: where it is, two writers at once, torn lines, folders that cannot be written."""

import multiprocessing
from pathlib import Path

import pytest

from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, Reading, results_around


def reading(configuration: str = "a", seed: int = 0, day: str = "2026-08-01", samples: str = "s") -> Reading:
    return Reading(f"{day}T10:00:00+00:00", "digits", samples, configuration, seed, "vanilla", "groupdir train a.yaml")


def append_many(folder: Path, configuration: str) -> None:
    for seed in range(100):
        Ledger((folder,)).record(reading(configuration, seed))


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    entries = Ledger((tmp_path,)).entries("digits", "s")
    assert sorted((entry.configuration, entry.seed) for entry in entries) == [(n, i) for n in "ab" for i in range(100)]
    assert len((tmp_path / "test_reads.jsonl").read_text(encoding="utf-8").splitlines()) == 200


def test_a_line_that_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    ledger, path = Ledger((tmp_path,)), tmp_path / "test_reads.jsonl"
    ledger.record(reading("a"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"time": "20')
    assert len(ledger.entries("digits", "s")) == 1
    ledger.record(reading("b"))
    assert [entry.configuration for entry in ledger.entries("digits", "s")] == ["a", "b"]
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test_reads\.jsonl:1: is not an entry of the ledger"):
        ledger.entries("digits", "s")


def test_a_folder_that_cannot_be_written_gives_a_warning(tmp_path: Path) -> None:
    """A file in place of the folder stands for a read-only one: nobody can write below it, not even root."""
    blocked, results = tmp_path / "data", tmp_path / "results"
    blocked.write_text("", encoding="utf-8")
    results.mkdir()
    warning = Ledger((blocked, results)).record(reading())
    assert warning is not None
    assert f"is recorded in {results / 'test_reads.jsonl'} instead" in warning
    assert Ledger((blocked, results)).entries("digits", "s") == [reading()]
    nowhere = Ledger((blocked,)).record(reading())
    assert nowhere is not None
    assert nowhere.endswith("this reading of the test split is not recorded")
    assert Ledger((blocked,)).line("digits", "s", ()).endswith("no ledger says which configurations have read it")


def test_the_line_counts_configurations_not_trainings(tmp_path: Path) -> None:
    ledger = Ledger((tmp_path,))
    for entry in (reading("a", 0, "2026-08-02"), reading("a", 1), reading("b", 0, "2026-09-01")):
        assert ledger.record(entry) is None
    ledger.record(reading("c", samples="other samples"))
    text = "test split of digits: read by 2 configurations"
    assert ledger.line("digits", "s", ["a", "b"]) == f"{text}, first on 2026-08-01"
    assert ledger.line("digits", "s", ["a"]) == f"{text} (1 of them not in this table), first on 2026-08-01"


def test_the_ledger_is_next_to_the_studies_or_in_the_data_s_folder(tmp_path: Path) -> None:
    study, row = tmp_path / "results/digits", tmp_path / "results/table1/vanilla"
    for file in (study / "study.yaml", row / "study.yaml", row.parent / "benchmark.yaml"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("", encoding="utf-8")
    around = tmp_path / "results"
    assert [results_around(run) for run in (study / "best_few", row / "best_few")] == [around] * 2
    assert results_around(row.parent / "confirmed/vanilla") == around
    assert results_around(tmp_path / "mine/trial") == tmp_path / "mine"
    assert Ledger.of(None, study / "best_few").folders == (around,)
    assert Ledger.of("/data/agedb", study / "best_few").folders == (Path("/data/agedb"), around)
