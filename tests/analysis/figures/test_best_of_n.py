"""Figure of the expected best trial: a panel for each row, in the folder or next to the pack."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from analysis.benchmark.best_of_n import BestOfN
from analysis.figures.best_of_n import best_of_n_figure
from groupdir.errors import DataError


def curve(row: str, blocks: int, trials: int) -> BestOfN:
    values = 5 / np.arange(1, trials + 1)
    return BestOfN(row, "val_mae_all", blocks, values, np.full(trials, 0.1 if blocks > 1 else np.nan))


def test_it_grows_with_the_rows_and_lies_where_it_belongs(tmp_path: Path) -> None:
    small = best_of_n_figure([curve("A", 1, 1)], tmp_path)
    assert small == tmp_path / "best_of_n.png"
    large = best_of_n_figure([curve(f"row {number}", 5, 12) for number in range(7)], tmp_path / "table.parquet")
    assert large == tmp_path / "table_best_of_n.png"
    assert imread(large).shape[0] > imread(small).shape[0]


def test_no_curve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no search has a finished trial"):
        best_of_n_figure([], tmp_path)
