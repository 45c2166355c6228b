"""Files in the folder of a benchmark, and the folder and the seeds of each block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from groupdir.config.benchmark import Benchmark, Row
from groupdir.config.replications import study_in_block, trial_in_block
from groupdir.errors import ConfigError
from groupdir.files.benchmark_record import block_path
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.study_files import BENCHMARK, space_file
from groupdir.files.write_whole import write_whole


def in_block(benchmark: Benchmark, row: Row, block: int) -> Row:
    """Return a row with the seeds of a block. Without replications it is the row of the file."""
    if benchmark.config.replications == 1:
        return row
    study = None if row.study is None else study_in_block(row.study, block)
    return replace(row, study=study, config=None if row.config is None else trial_in_block(row.config, block))


def write_benchmark_files(benchmark: Benchmark, folder: Path) -> None:
    """Write the file of a benchmark, and the search space of each searched row in each block.

    Existing files must have the same content. Only the number of replications may grow, from 2 on: more blocks do not
    change the first ones.

    Raises:
        ConfigError: If the folder holds something else. Nothing is written then.
    """
    refuse_old_benchmark(folder)
    content = _content(benchmark)
    files = {folder / BENCHMARK: _text(content)}
    blocks = range(1, benchmark.config.replications + 1)
    for block, row in ((block, row) for block in blocks for row in benchmark.rows if row.study is not None):
        study = in_block(benchmark, row, block).study
        assert study is not None
        files[block_path(folder, block, len(blocks)) / space_file(row.folder)] = study.to_yaml()
    different = [path for path, text in files.items() if path.is_file() and path.read_text(encoding="utf-8") != text]
    if different == [folder / BENCHMARK] and _grows(folder, content):
        different = []
    if different or (folder.exists() and not (folder / BENCHMARK).is_file()):
        what = f"holds another {different[0].relative_to(folder)}" if different else "exists and is no benchmark"
        raise ConfigError(f"{folder}: {what}, and nothing is overwritten: choose another --out, or remove the folder")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)


def _content(benchmark: Benchmark) -> dict[str, Any]:
    """Return the content of the benchmark's file. Without replications it is the one that older versions wrote."""
    options = benchmark.config.model_dump(exclude={"replications"} if benchmark.config.replications == 1 else set())
    rows = [{"label": row.label, "folder": row.folder, "cell": dict(row.cell)} for row in benchmark.rows]
    data = benchmark.document.data.get("data")
    return {"name": benchmark.name, "data": data, "benchmark": options, "rows": rows}


def _text(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _grows(folder: Path, content: dict[str, Any]) -> bool:
    """Return whether the file in a folder differs from the new content only by fewer replications, but at least 2."""
    old = yaml.safe_load((folder / BENCHMARK).read_text(encoding="utf-8"))
    count = old.get("benchmark", {}).get("replications", 1) if isinstance(old, dict) else 1
    if not 2 <= count < content["benchmark"].get("replications", 1):
        return False
    options = content["benchmark"] | {"replications": count}
    return bool(old == yaml.safe_load(_text(content | {"benchmark": options})))
