"""Record of a benchmark's folder: blocks in their folders, complete blocks, and readers of several draws."""

from pathlib import Path

import numpy as np

from groupdir.files.benchmark_record import block_path, record_of_folder
from groupdir.files.ledger import Ledger, Reading, line_of_splits
from tests.analysis.benchmark.folders import made


def test_blocks_and_seeds_are_read_in_order(tmp_path: Path) -> None:
    rows = [
        {"label": "A", "blocks": [[{"mae_all": 1.0}, {"mae_all": 3.0}], [{"mae_all": 4.0}], [{"mae_all": 5.0}]]},
        {"label": "B", "blocks": [[{"mae_all": 6.0}], [], [{"mae_all": 8.0}]]},
        {"label": "C", "blocks": [[{"gm_all": 1.0}], [{"mae_all": float("nan")}]]},
        {"label": "D", "blocks": []},
    ]
    record = record_of_folder(made(tmp_path, rows, replications=3, seeds=1))
    assert [(each.row, each.block, each.seed) for each in record.measured][:4] == [
        ("A", 1, 0),
        ("A", 1, 1),
        ("A", 2, 0),
        ("A", 3, 0),
    ]
    assert record.by_block("A", "mae_all") == {1: [1.0, 3.0], 2: [4.0], 3: [5.0]}
    complete = record.complete_blocks("mae_all")
    assert complete.rows == ("A", "B")
    assert complete.values.tolist() == [[2.0, 6.0], [5.0, 8.0]]
    assert record.complete_blocks("mae_all", ["D"]).values.shape == (0, 0)
    assert not np.isnan(complete.values).any()


def test_a_block_with_missing_seeds_is_not_complete(tmp_path: Path) -> None:
    rows = [
        {"label": "A", "blocks": [[{"mae_all": 1.0}, {"mae_all": 3.0}], [{"mae_all": 4.0}], [{"mae_all": 5.0}] * 2]},
        {"label": "B", "blocks": [[{"mae_all": 6.0}] * 2, [{"mae_all": 7.0}] * 2, [{"mae_all": 8.0}] * 2]},
    ]
    record = record_of_folder(made(tmp_path, rows, replications=3, seeds=2))
    assert record.by_block("A", "mae_all") == {1: [1.0, 3.0], 2: [4.0], 3: [5.0, 5.0]}
    assert list(record.whole_blocks("A", "mae_all")) == [1, 3]
    assert record.complete_blocks("mae_all").values.tolist() == [[2.0, 6.0], [5.0, 8.0]]


def test_without_replications_there_is_one_block_in_the_folder_itself(tmp_path: Path) -> None:
    record = record_of_folder(made(tmp_path, [{"label": "A", "seeds": [{"mae_all": 1.0}]}]))
    assert (record.replications, record.measured[0].block) == (1, 1)
    assert block_path(tmp_path, 1, 1) == tmp_path


def test_the_line_of_the_ledger_counts_the_readers_of_all_draws(tmp_path: Path) -> None:
    ledger = Ledger((tmp_path,))
    for day, samples, configuration in ((2, "one", "a"), (1, "two", "b"), (3, "three", "c")):
        entry = Reading(
            f"2026-08-0{day}T00:00:00+00:00", "digits", samples, configuration, 0, "A", "groupdir benchmark"
        )
        ledger.record(entry)
    text = "2 test splits of digits: read by 2 configurations (1 of them not in this table), first on 2026-08-01"
    assert line_of_splits(ledger, "digits", ["one", "two"], ["a"]) == text
    assert line_of_splits(ledger, "digits", ["one"], ["a"]) == ledger.line("digits", "one", ["a"])
