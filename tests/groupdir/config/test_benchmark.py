"""Tables: every row has the same budget; mistakes are told with the file and line in which they stand."""

from pathlib import Path

import pytest

from groupdir.config.benchmark import load_benchmark
from groupdir.config.file_kind import is_benchmark
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError
from tests.checkout import ROOT

BASELINES = ROOT / "search_spaces/baselines"
TABLE = """\
name: small
benchmark: {shape: table1, seeds: 2}
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
optim: {lr: {log_uniform: [0.001, 0.1]}}
train: {epochs: 6}
search: {trials: 3, scheduler: {name: none}}
rows:
  VANILLA: vanilla.yaml
  RRT: {from: rrt.yaml, set: {method.loss: l1}}
"""
ROWS = {
    "vanilla.yaml": "method: {name: vanilla, loss: {choice: [l1, mse]}}\n",
    "rrt.yaml": "method:\n  name: vanilla\n  weights: {mode: inverse}\n  pretrain: {epochs: 4}\n",
}
GRID = """\
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method: {name: group_dir, recipe: joint}
benchmark: {shape: group_losses}
grid:
  method.groups: [2, 5]
  method.group_loss: [soft, ce]
"""


def write(folder: Path, table: str = TABLE, **rows: str) -> Path:
    for name, text in (ROWS | {f"{key}.yaml": value for key, value in rows.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "small.yaml").write_text(table, encoding="utf-8")
    return folder / "small.yaml"


def test_rows_share_all_but_the_method(tmp_path: Path) -> None:
    table = load_benchmark(write(tmp_path))
    assert [row.label for row in table.rows] == ["VANILLA", "RRT"]
    vanilla, rrt = (row.study for row in table.rows)
    assert vanilla is not None
    assert rrt is not None
    assert list(vanilla.space.parameters) == ["optim.lr", "method.loss"]
    assert list(rrt.space.parameters) == ["optim.lr"]
    assert vanilla.search == rrt.search
    assert rrt.space.build({"optim.lr": 0.01}).to_dict()["method"]["loss"] == {"name": "l1"}


def test_both_stages_share_the_epochs(tmp_path: Path) -> None:
    rrt = load_benchmark(write(tmp_path)).rows[1].study
    assert rrt is not None
    config = rrt.space.build({"optim.lr": 0.01})
    assert (config.train.epochs, config.method.pretrain.epochs) == (2, 4)  # type: ignore[attr-defined]


def test_a_grid_is_every_combination(tmp_path: Path) -> None:
    table = load_benchmark(write(tmp_path, GRID))
    assert [row.label for row in table.rows] == [
        "groups=2,group_loss=soft",
        "groups=2,group_loss=ce",
        "groups=5,group_loss=soft",
        "groups=5,group_loss=ce",
    ]
    last = table.rows[-1].config
    assert last is not None
    assert (last.method.groups, last.method.group_loss.name) == (5, "ce")  # type: ignore[attr-defined]


def test_a_value_with_options_is_labelled_by_its_name(tmp_path: Path) -> None:
    text = GRID.replace("[soft, ce]", "[soft, {name: rebat, decay: 0.5}]")
    last = load_benchmark(write(tmp_path, text)).rows[-1]
    assert (last.label, last.cell) == ("groups=5,group_loss=rebat", {"method.groups": 5, "method.group_loss": "rebat"})
    assert last.config is not None
    assert last.config.to_dict()["method"]["group_loss"]["decay"] == 0.5
    twice = GRID.replace("[soft, ce]", "[{name: rebat, decay: 0.5}, {name: rebat, decay: 0.9}]")
    assert len({row.folder for row in load_benchmark(write(tmp_path, twice)).rows}) == 4


def test_several_grids_one_after_the_other(tmp_path: Path) -> None:
    text = GRID[: GRID.index("grid:")] + "grid: [{method.lambda_mse: [1, 2]}, {method.lambda_soft: [3]}]\n"
    assert [row.label for row in load_benchmark(write(tmp_path, text)).rows] == [
        "lambda_mse=1",
        "lambda_mse=2",
        "lambda_soft=3",
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds: 2", "seed: 2", "small.yaml:2: benchmark.seed: unknown key: did you mean 'seeds'?"),
        ("shape: table1", "select: test_mae_all", "small.yaml:2: benchmark.select: 'test_mae_all' reads the test set"),
        ("rows:", "row:", "small.yaml:1: a benchmark must have `rows` or a `grid`, and not both"),
        ("vanilla.yaml", "venilla.yaml", "venilla.yaml: cannot be read"),
        ("vanilla.yaml", "3", "small.yaml:9: rows.VANILLA: must be a file"),
        ("RRT: {from: rrt.yaml, set: {method.loss: l1}}", "RRT: {file: rrt.yaml}", "small.yaml:10: rows.RRT: must be"),
        ("epochs: 6", "epochs: 4", "rrt.yaml:1: method: the stages of a row together must have the train.epochs of"),
        ("method.loss: l1", "method.los: l1", "method.los: unknown key: did you mean 'loss'?"),
        ("  RRT:", "  VANILLA :", "is given twice"),
        ("name: small", "nam: small", "small.yaml:1: nam: unknown key: did you mean 'name'?"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_benchmark(write(tmp_path, TABLE.replace(old, new)))
    assert says in str(error.value)


def test_a_mistake_in_a_row_s_file_is_told_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"vanilla\.yaml:2: method\.loss: unknown regression loss 'l2'"):
        load_benchmark(write(tmp_path, vanilla="method:\n  loss: l2\n  name: vanilla\n"))


def test_labels_of_one_folder(tmp_path: Path) -> None:
    text = TABLE.replace(
        "  RRT: {from: rrt.yaml, set: {method.loss: l1}}", '  "A B": vanilla.yaml\n  A_B: vanilla.yaml'
    )
    with pytest.raises(ConfigError, match="two rows would write into one folder: A_B"):
        load_benchmark(write(tmp_path, text))


@pytest.mark.parametrize("name", ["table1_digits", "table1_stsb"])
def test_ours_have_every_row_of_the_paper_with_one_budget(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.published import TABLES

    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    table = load_benchmark(BASELINES / f"{name}.yaml")
    labels = {row.label for row in table.rows}
    assert not {label for rows in TABLES.values() for label in rows} - labels
    assert {f"Group-DIR {group_loss}" for group_loss in ("CE", "LA", "NC", "DO", "ReBAT")} <= labels
    budgets = set()
    for row in table.rows:
        assert row.study is not None
        config = row.study.space.build(next(row.study.space.corners()))
        budgets.add((row.study.search.trials, config.total_epochs, config.train.batch_size))
    assert budgets == {(12, 20, 128)}


@pytest.mark.parametrize("name", ["finalists_digits.yaml", "finalists_stsb.yaml"])
def test_the_finalists_are_rows_of_their_screening(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows under the same budget, but for the one without the contrastive loss; all in five blocks."""
    monkeypatch.setenv("GROUPDIR_DATA", "/data")
    finalists, screening = (load_benchmark(BASELINES / each) for each in (name, name.replace("finalists", "table1")))
    assert finalists.config.replications == 5
    screened = {row.label: row.study.to_dict() for row in screening.rows if row.study is not None}
    new = [row.label for row in finalists.rows if row.label not in screened]
    assert new == ["Group-DIR LA, no L_grc"]
    for row in finalists.rows:
        assert row.study is not None
        if row.label in screened:
            assert row.study.to_dict() == screened[row.label]


def test_every_preset_is_a_row_and_has_its_own_range() -> None:
    from groupdir.config.space import load_space

    table = load_benchmark(BASELINES / "table1_digits.yaml")
    files = {str(entry) for entry in table.document.data["rows"].values()}
    paths = set(BASELINES.glob("*.yaml"))
    assert {path.name for path in paths if not is_benchmark(Document.read(path))} == files
    for name in sorted(files):
        study = load_space(BASELINES / name)
        assert any(parameter.startswith("method.") for parameter in study.space.parameters), (
            f"{name} searches nothing of its own"
        )


@pytest.mark.parametrize("rows", ["null", "{}", "[vanilla.yaml]", "5"])
def test_rows_that_are_no_mapping(tmp_path: Path, rows: str) -> None:
    head, _, _ = TABLE.partition("rows:")
    with pytest.raises(ConfigError, match=r"small\.yaml:8: rows: must map each label to a file, got"):
        load_benchmark(write(tmp_path, f"{head}rows: {rows}\n"))


@pytest.mark.parametrize("entry", ["{set: {}}", "{from: 3}", "{from: rrt.yaml, set: [1]}", "{from: rrt.yaml, set: 1}"])
def test_a_row_of_the_wrong_type(tmp_path: Path, entry: str) -> None:
    table = TABLE.replace("VANILLA: vanilla.yaml", f"VANILLA: {entry}")
    with pytest.raises(ConfigError, match=r"small\.yaml:9: rows\.VANILLA: must be a file or {from: file, set"):
        load_benchmark(write(tmp_path, table))


@pytest.mark.parametrize("grid", ["{}", "[]", "[3]", "{method.groups: 5}", "null"])
def test_a_grid_of_the_wrong_type(tmp_path: Path, grid: str) -> None:
    head, _, _ = GRID.partition("grid:")
    with pytest.raises(ConfigError, match="grid: must map each address to a list of values, got"):
        load_benchmark(write(tmp_path, f"{head}grid: {grid}\n"))
