"""Rows of Parquet files as pandas has them."""

import pandas as pd
import pyarrow as pa


def data_frame(table: pa.Table) -> pd.DataFrame:
    """Return rows as a DataFrame, without starting a thread: `groupdir.files.parquet.parse_parquet` says why."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame
