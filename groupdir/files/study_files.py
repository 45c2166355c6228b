"""Names of every file, folder and column in the folder of a study or a benchmark. No other file spells them.

`tests/test_facts.py` reads the names from here and fails where another file spells one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

SCHEMA = 2
"""Version of the event log and of the Parquet files. Raise it whenever older files can no longer be read."""

RESULTS = "results"
"""Folder in the working directory that holds the folders of all studies and benchmarks."""

# A study's folder.
STUDY_CONFIG = "study.yaml"
EVENT_LOG = "study.sqlite"
EVENT_HEAD = "study.head"
"""File with the number and the digest of the last event; see `groupdir.study.chain`."""
STUDY_LOCK = "study.lock"
EPOCHS = "epochs.parquet"
TRIALS = "trials.parquet"
FRONT = "front.parquet"
FRONT_FIGURE = "front.png"
BEST_PREFIX = "best_"
REPORT = "report.html"
TENSORBOARD = "tensorboard"
EXPORTED = "exported.json"
"""File in TENSORBOARD that says from which state of the event log TRIALS, EPOCHS and TENSORBOARD were written."""
CHECKPOINTS = "checkpoints"
STAGES = "stages"
RAY = "ray"
RUN_PREFIX = "run-"
STORAGE_MARKER = ".storage"
"""File that a driver writes into a study's storage. A node that does not see it has lost the storage."""
GIVEN_UP = "given_up.json"
"""File in STAGES in which the driver lists the attempts that it has given up; see `groupdir.files.fence`."""
STORAGE_OWNER = "driver.json"
"""File in a study's place in `search.storage_path` that names the driver that used it last."""
CHECKPOINT = "trial.pt"
"""File in the folder of each checkpoint of a search."""

# A benchmark's folder. It holds a study's folder for each row that is searched. With replications, this holds for each
# folder of a block inside it.
BENCHMARK = "benchmark.yaml"
OLD_BENCHMARK = "table.yaml"
"""Name of BENCHMARK in schema 1."""
SPACE_SUFFIX = ".space.yaml"
CHOSEN = "chosen.yaml"
CONFIRMED = "confirmed"
BLOCK_PREFIX = "block_"
BEST_OF_N_FIGURE = "best_of_n.png"

# The folder of `groupdir train`, and each folder in CONFIRMED.
SEED_PREFIX = "seed_"
LAST_CHECKPOINT = "checkpoint.pt"
RESULT = "result.json"
TEST_RESULTS = "test.csv"
PREDICTIONS = "predictions.parquet"
"""File with the predictions of a measured configuration, with PREDICTION_COLUMNS."""

TEST_LEDGER = "test_reads.jsonl"
"""Ledger of the trainings that have read a test split; see `groupdir.files.ledger`."""

# The folder of `groupdir compare --out`.
COMPARISON = "compare.csv"
COMPARISON_FIGURE = "critical_difference.png"

# The folder of simulated searches.
SIMULATION = "simulation.parquet"
SIMULATION_FIGURE = "simulation.png"

PARTIAL = ".part"
"""Suffix of a file or folder that is still being written; see `groupdir.files.write_whole`."""

MEASURED = "measured"
"""Role of a training in a benchmark's pack that was measured on the test set."""

Role = Literal["search", "confirmation", "ablation"]
Status = Literal["running", "paused", "finished", "stopped", "failed"]

PARAM = "param:"
"""Prefix of a column that holds a parameter of the search, as JSON."""

MEAN = "mean:"
"""Prefix of a column of FRONT that holds the estimate of a metric; see `groupdir.values.values.Value`."""

LOW = "low:"
"""Prefix of a column of FRONT that holds the lower end of the interval of a metric, NaN without an interval."""

HIGH = "high:"
"""Prefix of a column of FRONT that holds the upper end of the interval of a metric, NaN without an interval."""

TRAININGS = "trainings"
"""Column of FRONT that holds the number of finished trainings of the configuration, each with its own seed."""

ON_FRONT = "on_front"
"""Column of FRONT that holds the probability that the configuration is on the front of the true values."""

EPOCH_REPORT: Mapping[str, type] = {
    "stage": str, "stage_epoch": int, "predicts": bool, "fidelity": int, "seconds": float, "last": bool,
}  # fmt: skip
"""Entries of an epoch's event other than its metrics: name -> type. See `groupdir.config.stage.Position`."""

EPOCH_FIELDS: Mapping[str, type] = {"seq": int, "epoch": int, "time": float, **EPOCH_REPORT}
"""Every entry of an epoch that is not a metric: EPOCH_REPORT, the epoch's number, and its place and time in the log."""

EPOCH_KEY = ("trial", "seed", "epoch")
"""Columns that identify a row of EPOCHS."""

TRIAL_FIELDS: Mapping[str, type] = {
    "trial": int, "seed": int, "role": str, "label": str, "status": str, "message": str, "digest": str, "epochs": int,
    "epoch": int, "seconds": float,
}  # fmt: skip
"""Every column of TRIALS that is neither a parameter nor a metric: name -> type."""

FRONT_FIELDS: Mapping[str, type] = {TRAININGS: int, ON_FRONT: float}
"""Columns of FRONT in addition to those of TRIALS and of each MEAN, LOW and HIGH: name -> type."""

PACK_COLUMNS: Mapping[str, type] = {
    "row": str, "block": int, "chosen": str, "configuration": str, "samples": str, "shots": str, "targets": list,
    "predictions": list,
}  # fmt: skip
"""Columns of a benchmark's pack that TRIALS does not have: name -> type; see `groupdir.files.benchmark_pack`."""

PREDICTION_COLUMNS: Mapping[str, type] = {
    "sample": int, "split": str, "seed": int, "target": float, "prediction": float, "group": int, "true_group": int,
}  # fmt: skip
"""Every column of PREDICTIONS: name -> type. `sample` is the row in its split. Groups are null without groups."""


def results_folder(name: str, out: str | Path | None = None) -> Path:
    """Return the folder of a study or a benchmark: `out` if it is given, else the folder of this name in RESULTS.

    >>> str(results_folder("digits")), str(results_folder("digits", "/tmp/mine"))
    ('results/digits', '/tmp/mine')
    """
    return Path(out).expanduser() if out is not None else Path(RESULTS) / name


def best_file(rule: str) -> str:
    """Return the name of the configuration that a rule has chosen.

    >>> best_file("few")
    'best_few.yaml'
    """
    return f"{BEST_PREFIX}{rule}.yaml"


def rule_of(file: str | Path) -> str | None:
    """Return the rule that has chosen a configuration, from the name of its file, or None for another file.

    >>> rule_of("results/digits/best_few.yaml"), rule_of("trial.yaml")
    ('few', None)
    """
    path = Path(file)
    rule = path.stem.removeprefix(BEST_PREFIX)
    return rule if path.name == best_file(rule) else None


def space_file(row: str) -> str:
    """Return the name of the search space of a benchmark's row.

    >>> space_file("vanilla")
    'vanilla.space.yaml'
    """
    return row + SPACE_SUFFIX


def block_folder(block: int) -> str:
    """Return the name of the folder of a block, numbered from 1.

    >>> block_folder(2)
    'block_2'
    """
    return f"{BLOCK_PREFIX}{block}"


def seed_folder(seed: int) -> str:
    """Return the name of the folder of one training."""
    return f"{SEED_PREFIX}{seed}"


def trial_folder(trial: int) -> str:
    """Return the name of a trial's folder in TENSORBOARD and CHECKPOINTS.

    >>> trial_folder(7)
    '0007'
    """
    return f"{trial:04d}"


def column_type(name: str) -> type:
    """Return the type of a column of any of the Parquet files.

    >>> column_type("epoch"), column_type("param:method.beta"), column_type("val_mae_all")
    (<class 'int'>, <class 'str'>, <class 'float'>)
    """
    if name.startswith(PARAM):
        return str
    fields = (TRIAL_FIELDS, FRONT_FIELDS, EPOCH_FIELDS, PREDICTION_COLUMNS)
    return next((types[name] for types in fields if name in types), float)


def metrics_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of an epoch: every entry that is not in EPOCH_FIELDS."""
    return {name: value for name, value in row.items() if name not in EPOCH_FIELDS}
