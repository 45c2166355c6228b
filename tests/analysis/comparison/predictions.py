"""Folders of predictions as `groupdir train` leaves them, made up but of the real shape."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groupdir.files.parquet import FOOTER
from groupdir.files.study_files import PREDICTIONS, SCHEMA
from groupdir.shots import ShotSplit

SHOTS = ShotSplit(tuple(range(10)), tuple(range(10, 20)), tuple(range(20, 30)))
TARGET = np.arange(30, dtype=np.float32).repeat(4)


def write_file(
    path: Path,
    target: np.ndarray,
    by_seed: Mapping[int, np.ndarray],
    /,
    *,
    footer: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Path:
    """Write predictions of one or several seeds. An empty footer makes the file that of another program."""
    seeds, count = list(by_seed), len(target)
    rows = {
        "sample": np.tile(np.arange(count), len(seeds)),
        "split": ["test"] * (count * len(seeds)),
        "seed": np.repeat(seeds, count),
        "target": np.tile(target, len(seeds)),
        "prediction": np.concatenate([by_seed[seed] for seed in seeds]).astype(np.float64),
        "group": pa.nulls(count * len(seeds), pa.int64()),
        "true_group": pa.nulls(count * len(seeds), pa.int64()),
    }
    table = pa.table({name: column for name, column in (rows | columns).items() if column is not None})
    content = {"config": {"data": {"name": "digits"}}, "samples": "", "configuration": "", "shots": SHOTS.to_dict()}
    if footer is None or footer:
        text = json.dumps({"schema": SCHEMA, **content, **(footer or {})})
        table = table.replace_schema_metadata({FOOTER: text.encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def write_run(
    folder: Path,
    error: float = 0.0,
    *,
    seeds: Sequence[int] = range(5),
    target: np.ndarray = TARGET,
    noise: float = 1.0,
    luck: float = 0.1,
    few: float = 0.0,
    **options: Any,
) -> Path:
    """Write a file per seed. The predictions are off by noise of a size that grows with `error`, `luck` and `few`."""
    rng = np.random.default_rng([len(folder.name), *folder.name.encode()])
    for seed in seeds:
        size = noise + error + luck * rng.normal() + few * (target >= 20)
        prediction = target + size * rng.normal(size=len(target))
        write_file(folder / f"seed_{seed}" / PREDICTIONS, target, {seed: prediction}, **options)
    return folder
