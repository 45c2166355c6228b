"""Metrics and shots are listed in one place: no other file lists them, and a new metric needs no other change."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.benchmark.tables import COLUMNS, tables
from analysis.figures.trade_off import metric_label
from groupdir.commands.catalogue import load_catalogue
from groupdir.config.schema import build_schema
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from groupdir.files.benchmark_pack import read_benchmark
from groupdir.metrics import METRICS, SHOTS, Metric
from groupdir.study.state import selected
from groupdir.training.trainer import run_trial
from launch.schedulers.asha import ASHA
from tests.analysis.benchmark.folders import made
from tests.imports import PACKAGES, modules

SHOTS_FILE, METRICS_FILE = "groupdir/shots.py", "groupdir/metrics.py"
MOST_METRICS = 2
"""So many metrics may stand together, such as the two of a printed table."""


def docstrings(tree: ast.AST) -> set[ast.AST]:
    """Return the texts that explain a module, class, function or name and are read by no program."""
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def texts(nodes: list[Any]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def lists(source: str) -> Iterator[tuple[int, set[str]]]:
    """Yield the line and the names of every literal that may list names.

    These are tuples, lists and sets; keys and values of mappings; keyword arguments; the names that a class body binds;
    the values that one expression is compared with; and texts such as patterns, with every word in them.
    """
    tree = ast.parse(source)
    explaining = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            yield node.lineno, texts(node.elts)
        elif isinstance(node, ast.Dict):
            yield node.lineno, texts([key for key in node.keys if key])
            yield node.lineno, texts(node.values)
        elif isinstance(node, ast.Call):
            yield node.lineno, {keyword.arg for keyword in node.keywords if keyword.arg}
        elif isinstance(node, ast.ClassDef):
            bound = [
                target for line in node.body for target in getattr(line, "targets", [getattr(line, "target", None)])
            ]
            yield node.lineno, {target.id for target in bound if isinstance(target, ast.Name)}
        elif isinstance(node, ast.BoolOp):
            compared = [part.comparators[0] for part in node.values if isinstance(part, ast.Compare)]
            yield node.lineno, texts(compared)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in explaining:
            yield node.lineno, set(re.findall(r"[a-z]+", node.value))


def repeated(source: str) -> list[str]:
    """Return every place of a source that lists all shots, or more than `MOST_METRICS` metrics."""
    names = set(METRICS)
    complaints = []
    for line, listed in lists(source):
        if set(SHOTS) <= listed:
            complaints.append(f"{line}: lists the shots")
        if len(listed & names) > MOST_METRICS:
            complaints.append(f"{line}: lists metrics: {', '.join(sorted(listed & names))}")
    return complaints


def test_no_other_file_lists_shots_or_metrics(root: Path) -> None:
    complaints = []
    for path in modules(root, list(PACKAGES)).values():
        name = str(path.relative_to(root))
        wrong = [] if name in (SHOTS_FILE, METRICS_FILE) else repeated(path.read_text(encoding="utf-8"))
        complaints += [f"{name}:{text}" for text in wrong]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    "source",
    [
        'SHOTS = ("all", "many", "median", "few")',
        'COLORS = {"many": 1, "median": 2, "few": 3}',
        'class Rule(StrEnum):\n    many = "many"\n    median = "median"\n    few = "few"',
        "class Split:\n    many: int\n    median: int\n    few: int",
        "shots = dict(many=1, median=2, few=3)",
        'if shot == "many" or shot == "median" or shot == "few":\n    pass',
        're.compile("_(all|many|median|few)$")',
        'Shot = Literal["few", "median", "many"]',
        'METRICS = ["mae", "gm", "mse"]',
        'TITLES = {"mae": "MAE", "gm": "GM", "pearson": "r"}',
        'text = f"val_{{mae,gm,mse}}_all"',
    ],
)
def test_a_second_list_is_reported(source: str) -> None:
    assert repeated(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""Shots: many, median, few; metrics: mae, gm, mse."""',
        'def f():\n    """Return many, median, few."""',
        'COLUMNS = {"table1": ("mae", "gm"), "table3": ("mse", "pearson")}',
        'across, up = metric_of("many"), metric_of("few")',
        "from groupdir.metrics import SHOTS\nfor shot in SHOTS:\n    pass",
    ],
)
def test_other_uses_are_left_alone(source: str) -> None:
    assert not repeated(source)


def within_one(prediction: np.ndarray, y: np.ndarray) -> float:
    return float((np.abs(prediction - y) <= 1).mean())


@pytest.fixture
def metric(monkeypatch: pytest.MonkeyPatch) -> Metric:
    """A metric that is nowhere but in `METRICS`."""
    new = Metric("within_one", "max", "share within one unit", "from 0 to 1", within_one, title="within one", digits=3)
    monkeypatch.setitem(METRICS, new.name, new)
    return new


TRIAL: dict[str, Any] = {
    "data": {"name": "tests.toy.parts:Waves"},
    "encoder": {"name": "mlp", "widths": [16]},
    "method": {"name": "vanilla"},
    "train": {"epochs": 2, "batch_size": 32},
}


def searched(**search: Any) -> StudyConfig:
    return StudyConfig.from_dict({"name": "new", **TRIAL, "search": search})


def test_a_new_metric_is_measured_searched_and_printed_without_another_change(metric: Metric, tmp_path: Path) -> None:
    name = "val_within_one_few"
    study = searched(objectives=[name], scheduler={"name": "asha", "metric": name, "grace_period": 1})
    assert study.search.objectives == {name: "max"}
    with pytest.raises(ConfigError, match="must be max, because the highest share within one unit is best, got min"):
        searched(objectives={name: "min"})
    with pytest.raises(ConfigError, match=r"did you mean 'val_within_one_few'.*within_one\}_\{all"):
        searched(objectives=["val_within_one_fwe"])
    rows = [result.metrics for result in run_trial(study.space.build({}))]
    assert all(0 <= row[name] <= 1 for row in rows)
    assert selected([{name: 0.2}, {name: 0.6}, {name: 0.4}], "best", name) == {name: 0.6}
    asha = ASHA.from_config(study.search)
    assert [asha.decide(trial, 1, {name: value}).action for trial, value in enumerate([0.4, 0.6, 0.2])] == [
        "continue", "continue", "stop",
    ]  # fmt: skip
    assert name in build_schema()["$defs"]["BenchmarkConfig"]["properties"]["select"]["enum"]
    assert "within_one     share within one unit, from 0 to 1; the highest is best" in load_catalogue().text()
    assert metric_label(name) == "validation within one, few"


def test_a_new_metric_is_marked_where_it_is_highest(
    metric: Metric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COLUMNS, "table1", (metric.name,))
    blocks = {"A": (0.25, 0.25), "B": (0.5, 0.5)}
    rows = [{"label": label, "blocks": [[{"within_one_all": each}] for each in blocks[label]]} for label in blocks]
    (table,) = tables(read_benchmark(made(tmp_path, rows, seeds=1, replications=2)))
    assert table.header[1:3] == ["within one all", "within one many"]
    assert [row[1] for row in table.rows] == ["0.250 ± 0.000", "0.500 ± 0.000"]
    assert table.marked == {(1, 1)}


def test_a_metric_says_how_many_samples_it_needs(metric: Metric) -> None:
    two = dataclasses.replace(metric, samples=2)
    assert metric.of(np.array([1.0]), np.array([1.0])) == 1.0
    assert np.isnan(two.of(np.array([1.0]), np.array([1.0])))
