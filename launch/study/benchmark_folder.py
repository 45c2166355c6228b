"""Files in the folder of a benchmark, and the folder and the seeds of each block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from groupdir.config.benchmark import Benchmark, BenchmarkConfig, Row
from groupdir.config.replications import study_in_block, trial_in_block
from groupdir.config.space import StudyConfig
from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import dump_yaml
from groupdir.errors import ConfigError, DamagedFileError, DataError
from groupdir.files.benchmark_record import block_path, read_benchmark
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.sealed import seal_text
from groupdir.files.study_files import BENCHMARK, space_file
from groupdir.files.write_whole import make_folder, write_whole


def in_block(benchmark: Benchmark, row: Row, block: int) -> Row:
    """Return a row with the seeds of a block. Without replications it is the row of the file."""
    if benchmark.config.replications == 1:
        return row
    study = None if row.study is None else study_in_block(row.study, block)
    return replace(row, study=study, config=None if row.config is None else trial_in_block(row.config, block))


def write_benchmark_files(benchmark: Benchmark, folder: Path) -> None:
    """Write the file of a benchmark, and the search space of each searched row in each block.

    Existing files must mean the same. They may lack options that are newer and have their default values. Only the
    number of replications may grow, from 2 on: more blocks do not change the first ones.

    Raises:
        ConfigError: If the folder holds something else. Nothing is written then.
        DamagedFileError: If the file of the benchmark does not match its checksum.
    """
    refuse_old_benchmark(folder)
    blocks = range(1, benchmark.config.replications + 1)
    spaces: dict[Path, StudyConfig] = {}
    for block, row in ((block, row) for block in blocks for row in benchmark.rows):
        if (study := in_block(benchmark, row, block).study) is not None:
            spaces[block_path(folder, block, len(blocks)) / space_file(row.folder)] = study
    different = [] if _is_same_benchmark(folder / BENCHMARK, benchmark) else [folder / BENCHMARK]
    different += [path for path, study in spaces.items() if not _is_same_space(path, study)]
    if different or (folder.exists() and not (folder / BENCHMARK).is_file()):
        what = f"holds another {different[0].relative_to(folder)}" if different else "exists and is no benchmark"
        raise ConfigError(f"{folder}: {what}, and nothing is overwritten: choose another --out, or remove the folder")
    texts = {folder / BENCHMARK: dump_yaml(_content(benchmark))}
    for path, text in {**texts, **{path: study.to_yaml() for path, study in spaces.items()}}.items():
        make_folder(path.parent)
        write_whole(path, seal_text(text))


def _content(benchmark: Benchmark) -> dict[str, Any]:
    """Return the content of the benchmark's file. Without replications it is the one that older versions wrote."""
    options = benchmark.config.model_dump(exclude={"replications"} if benchmark.config.replications == 1 else set())
    rows = [{"label": row.label, "folder": row.folder, "cell": dict(row.cell)} for row in benchmark.rows]
    data = benchmark.document.data.get("data")
    return {"name": benchmark.name, "data": data, "benchmark": options, "rows": rows}


def _is_same_benchmark(path: Path, benchmark: Benchmark) -> bool:
    """Return whether a benchmark's file is missing, or means the same but for a growing number of replications.

    Raises:
        DamagedFileError: If the file does not match its checksum.
    """
    if not path.is_file():
        return True
    try:
        old, new = read_benchmark(path.parent), _content(benchmark)
        config = BenchmarkConfig.model_validate(old.pop("benchmark"))
    except DamagedFileError:
        raise
    except (DataError, ValidationError):
        return False
    new.pop("benchmark")
    if 2 <= config.replications < benchmark.config.replications:
        config = config.model_copy(update={"replications": benchmark.config.replications})
    return old == new and config == benchmark.config


def _is_same_space(path: Path, study: StudyConfig) -> bool:
    """Return whether a file of a search space is missing or means the same as a study."""
    if not path.is_file():
        return True
    try:
        return StudyConfig.from_dict(Document.read(path).data, str(path)).to_dict() == study.to_dict()
    except ConfigError:
        return False
