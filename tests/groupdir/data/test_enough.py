"""Too few rows: what is refused, what is warned of, and that check, dry run, search and describe say the same."""

import random
from pathlib import Path

import numpy as np
import pytest

from groupdir.commands.label_counts import count_labels
from groupdir.commands.prestart import refuse_file
from groupdir.data.base import SplitName
from groupdir.data.enough import FEWEST_MEASURED, FEWEST_ROWS, too_few
from groupdir.errors import ConfigError
from groupdir.metrics import ShotSplit

SHOTS = ShotSplit.from_train(np.repeat([1.0, 2.0, 3.0], [200, 50, 5]))
METRICS = {"search.objectives.val_mae_few": "val_mae_few", "search.objectives.val_mae_all": "val_mae_all"}
STUDY = """\
name: small
data: {name: table, root: %s, manifest: s.csv, target: y%s}
encoder: {name: mlp, widths: [16]}
method: {name: vanilla}
optim: {lr: {log_uniform: [1e-3, 1e-2]}}
train: {epochs: 2}
search: {objectives: {val_mae_all: min, %s: min}, trials: 1}
"""


def labels(few: int, many: int, train: int = 255, test: int = 50) -> dict[SplitName, np.ndarray]:
    val = np.repeat([3.0, 1.0], [few, many])
    return {"train": np.ones(train), "val": val, "test": np.ones(test)}


@pytest.mark.parametrize(
    ("few", "many", "fatal", "warned"),
    [
        (20, 50, [], []),
        (19, 50, [], ["val_mae_few"]),
        (2, 50, [], ["val_mae_few"]),
        (1, 50, ["val_mae_few"], []),
        (0, 50, ["val_mae_few"], []),
        (0, 12, ["val_mae_few"], ["val_mae_all"]),
        (0, 1, ["val_mae_few", "val_mae_all"], ["data"]),
        (0, 0, ["val_mae_few", "val_mae_all"], ["data"]),
        (3, 5, [], ["data", "val_mae_few", "val_mae_all"]),
    ],
)
def test_the_floors(few: int, many: int, fatal: list[str], warned: list[str]) -> None:
    found = list(too_few(labels(few, many), SHOTS, METRICS))
    assert [item.address.rpartition(".")[2] for item in found if item.fatal] == fatal
    assert [item.address.rpartition(".")[2] for item in found if not item.fatal] == warned


def test_the_rows_of_every_split() -> None:
    assert (FEWEST_ROWS, FEWEST_MEASURED) == (10, 20)
    texts = [item.text for item in too_few(labels(50, 50, train=9, test=1), SHOTS, {})]
    assert [text.partition(":")[0] for text in texts] == [
        "split train has 9 rows, fewer than 10",
        "split test has 1 row, fewer than 10",
    ]


def written(folder: Path, rows: int, split: bool = False, metric: str = "val_gm_all") -> Path:
    draw = random.Random(8)
    lines = ["a,y,split" if split else "a,y"]
    for row in range(rows):
        of = f",{'val' if row == 0 else 'train'}" if split else ""
        lines.append(f"{draw.gauss(0, 1):.4f},{draw.gauss(70, 12):.1f}{of}")
    (folder / "s.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "s.yaml"
    path.write_text(STUDY % (folder, "", metric), encoding="utf-8")
    return path


def test_a_small_table_without_splits_gets_bins_that_it_can_fill(tmp_path: Path) -> None:
    found = count_labels(written(tmp_path, 47))
    assert {split: len(y) for split, y in found.labels.items()} == {"train": 23, "val": 12, "test": 12}


def test_few_rows_are_noted_before_a_search_and_below_the_tables(tmp_path: Path) -> None:
    path = written(tmp_path, 47)
    few = "search.objectives.val_mae_all: is measured on 12 rows of split val, fewer than 20"
    assert any(few in note for note in refuse_file(path))
    assert any(line.startswith(few) for line in count_labels(path).warnings)


@pytest.mark.parametrize("metric", ["val_gm_all", "val_mae_few"])
def test_a_choice_by_one_row_is_refused(metric: str, tmp_path: Path) -> None:
    path = written(tmp_path, 40, split=True, metric=metric)
    with pytest.raises(ConfigError, match=r"s.yaml:7: search.objectives.val_mae_all: cannot be measured: MAE needs 2"):
        refuse_file(path)
    warnings = "\n".join(count_labels(path).warnings)  # the table shows why, so it is not refused there
    assert "cannot be measured" in warnings
    assert "split val has 1 row, fewer than 10" in warnings
