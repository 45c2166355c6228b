"""Folders of benchmarks with results made by hand."""

from pathlib import Path
from typing import Any

import yaml

from groupdir.files.parquet import write_parquet
from groupdir.files.training_result import TrainingResult


def made(folder: Path, rows: list[dict[str, Any]], **config: Any) -> Path:
    """Make the folder of a benchmark.

    Args:
        folder: The folder, which exists.
        rows: A row is its label, its cell, and `seeds`, one mapping of test metrics for each seed; with replications
            `blocks`, such a list for each block.
        config: Options of the benchmark.
    """
    options = {"shape": "table1", "published": None, "seeds": 2, "select": "val_mae_all", **config}
    content = {
        "name": "small",
        "benchmark": options,
        "rows": [{"label": row["label"], "folder": row["label"], "cell": row.get("cell", {})} for row in rows],
    }
    (folder / "benchmark.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for row in rows:
        for block, seeds in enumerate(row.get("blocks", [row.get("seeds", [])]), start=1):
            place = folder / f"block_{block}" if "replications" in config else folder
            for seed, metrics in enumerate(seeds):
                path = place / "confirmed" / row["label"] / "vanilla" / f"seed_{seed}"
                path.mkdir(parents=True)
                values = {f"test_{name}": value for name, value in metrics.items()}
                TrainingResult("of a trial", 3, values).write(path / "result.json")
    return folder


def searched(folder: Path, values: list[float], epochs: int = 20, **columns: Any) -> None:
    """Write the trials of a search with these values of val_mae_all into the folder of a row."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"role": "search", "status": "finished", "label": "", "epochs": epochs, "seconds": 1.5}
    rows = [
        {"trial": number, "seed": number, **about, "param:optim.lr": "0.1", "val_mae_all": value, **columns}
        for number, value in enumerate(values)
    ]
    write_parquet(folder / "trials.parquet", rows, {"study": {}, "configs": {}})
    (folder / "chosen.yaml").write_text(f"# trial of {folder.name}\nmethod: vanilla\n", encoding="utf-8")
