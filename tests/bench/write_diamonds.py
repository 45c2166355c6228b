"""Writes every ninth diamond of the 53,940 of ggplot2 (5,994 rows) with its price in thousands of dollars.

The package `pydataset` carries the file in its `resources.tar.gz`, as `rdata/csv/ggplot2/diamonds.csv`.
    python tests/bench/write_diamonds.py DIAMONDS.csv OUT.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def main() -> None:
    """Writes the file."""
    source, out = map(Path, sys.argv[1:3])
    table = pd.read_csv(source, index_col=0).iloc[::9]
    table["price"] /= 1000
    table.to_csv(out, index=False)


if __name__ == "__main__":
    main()
