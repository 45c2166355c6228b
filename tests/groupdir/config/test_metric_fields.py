"""Metrics in a YAML: directions that follow from the metric, and metrics that cannot be measured."""

import json
from pathlib import Path

import pytest

from groupdir.config.benchmark import load_benchmark
from groupdir.config.schema import build_schema
from groupdir.config.search import SearchConfig
from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import ConfigError
from groupdir.metrics import search_metrics

STUDY = """\
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method: {name: METHOD}
search:
  trials: 4
  objectives: OBJECTIVES
"""


def load(folder: Path, objectives: str, method: str = "group_dir", more: str = "") -> StudyConfig:
    path = folder / "toy.yaml"
    text = STUDY.replace("OBJECTIVES", objectives).replace("METHOD", method) + more
    path.write_text(text, encoding="utf-8")
    return load_space(path)


def mistakes(folder: Path, objectives: str, method: str = "group_dir", more: str = "") -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(folder, objectives, method, more)
    return [text.partition("toy.yaml:")[2] for text in str(error.value).splitlines()]


def test_a_contradicting_direction_is_refused_where_it_stands(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "\n    val_mae_few: max\n    val_mae_many: min\n    val_pearson_all: min") == [
        "7: search.objectives.val_mae_few: must be min, because the lowest mean absolute error is best, got max",
        (
            "9: search.objectives.val_pearson_all: must be max, because the highest Pearson correlation of predictions "
            "and labels is best, got min"
        ),
    ]


def test_a_list_of_names_has_the_directions_of_the_metrics(tmp_path: Path) -> None:
    study = load(tmp_path, "[val_mae_many, val_pearson_few]")
    assert study.search.objectives == {"val_mae_many": "min", "val_pearson_few": "max"}
    assert load(tmp_path, "{val_mae_many: min, val_pearson_few: max}").search == study.search
    assert StudyConfig.from_dict(study.to_dict()).search == study.search


@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        ("\n  - val_mae_many\n  - val_mae_fwe", "8: search.objectives.1: unknown metric 'val_mae_fwe': did you mean"),
        ("[val_mae_few, val_mae_few]", "6: search.objectives.1: 'val_mae_few' is given twice"),
        ("[3]", "6: search.objectives.0: must be the name of a metric, got 3"),
        ("val_mae_few", "6: search.objectives: must be a list of metrics or a mapping from metric to direction, got"),
        ("{val_mae_few: lowest}", "6: search.objectives.val_mae_few: must be one of 'min' or 'max', got 'lowest'"),
        ("{val_mae_fwe: min}", "6: search.objectives.val_mae_fwe: unknown metric 'val_mae_fwe': did you mean"),
    ],
)
def test_mistakes_in_objectives(tmp_path: Path, objectives: str, expected: str) -> None:
    (text,) = mistakes(tmp_path, objectives)
    assert text.startswith(expected)


def test_a_metric_of_groups_needs_a_method_with_groups(tmp_path: Path) -> None:
    assert "val_group_accuracy" in load(tmp_path, "[val_group_accuracy]").search.objectives
    expected = (
        "cannot be measured: method vanilla predicts no groups, got val_group_accuracy: choose another metric or a "
        "method with groups"
    )
    assert mistakes(tmp_path, "\n    val_group_accuracy: max", "vanilla") == [
        f"7: search.objectives.val_group_accuracy: {expected}"
    ]
    constraint = '  constraints: {val_group_accuracy: ">= 0.5"}\n'
    assert mistakes(tmp_path, "[val_mae_all]", "vanilla", constraint) == [
        f"7: search.constraints.val_group_accuracy: {expected}"
    ]
    scheduler = "  scheduler: {name: asha, metric: val_group_accuracy}\n"
    assert mistakes(tmp_path, "[val_mae_all]", "vanilla", scheduler) == [f"7: search.scheduler.metric: {expected}"]


def test_every_corner_needs_groups(tmp_path: Path) -> None:
    (text,) = mistakes(tmp_path, "[val_group_accuracy]", "{choice: [group_dir, vanilla]}")
    assert "method vanilla predicts no groups" in text


def test_a_benchmark_selects_by_a_metric_that_every_row_has(tmp_path: Path) -> None:
    (tmp_path / "vanilla.yaml").write_text("method: {name: vanilla}\n", encoding="utf-8")
    (tmp_path / "ours.yaml").write_text("method: {name: group_dir, recipe: joint}\n", encoding="utf-8")
    file = tmp_path / "methods.yaml"
    text = (
        'benchmark: {select: val_group_accuracy}\ndata: {name: "tests.toy.parts:Waves"}\nencoder: {name: mlp}\n'
        "search: {trials: 2, objectives: [val_mae_all]}\nrows: {Ours: ours.yaml, VANILLA: vanilla.yaml}\n"
    )
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_benchmark(file)
    assert str(error.value).startswith(
        f"{file}:1: benchmark.select: row VANILLA: cannot be measured: method vanilla predicts no groups"
    )
    file.write_text(text.replace(", VANILLA: vanilla.yaml", ""), encoding="utf-8")
    assert load_benchmark(file).config.select == "val_group_accuracy"


def test_the_metrics_of_a_search_have_addresses() -> None:
    search = SearchConfig.model_validate({"objectives": ["val_mae_all"], "constraints": {"val_pearson_all": ">= 0.5"}})
    assert search.metrics == {
        "search.objectives.val_mae_all": "val_mae_all",
        "search.constraints.val_pearson_all": "val_pearson_all",
        "search.scheduler.metric": "val_mae_all",
    }


def test_the_schema_lists_the_metrics() -> None:
    definitions = build_schema()["$defs"]
    names = search_metrics()
    for scheduler in ("ParetoHalvingConfig", "ASHAConfig", "NoStoppingConfig"):
        assert definitions[scheduler]["properties"]["metric"]["enum"] == names
    assert definitions["BenchmarkConfig"]["properties"]["select"]["enum"] == names
    search = definitions["SearchConfig"]["properties"]
    assert search["constraints"]["propertyNames"]["enum"] == names
    mapping, listed = search["objectives"]["anyOf"]
    assert mapping["properties"]["val_pearson_all"] == {"const": "max"}
    assert listed["items"]["enum"] == list(mapping["properties"]) == names
    assert '"enum": ["mae", "gm", "mse", "bmae", "pearson"]' in json.dumps(definitions)
