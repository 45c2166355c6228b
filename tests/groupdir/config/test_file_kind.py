"""A file that is neither a trial nor a search space nor a benchmark: what it looks like, and what it lacks."""

from pathlib import Path
from typing import Any

import pytest

from groupdir.config.file_kind import is_benchmark
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import dump_yaml
from groupdir.errors import ConfigError

TRIAL: dict[str, Any] = {"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
OPEN = {"optim": {"lr": {"log_uniform": [0.001, 0.1]}}}


def mistakes(folder: Path, content: dict[str, Any]) -> list[str]:
    file = folder / "file.yaml"
    file.write_text(dump_yaml(content))
    with pytest.raises(ConfigError) as error:
        TrialConfig.load(file)
    return [str(mistake).removeprefix(f"{file}") for mistake in error.value.mistakes]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"name": "mine", **TRIAL}, "a search space, because it has `name` (line 1), but has no section `search`: add"),
        ({**TRIAL, **OPEN}, "a search space, because it leaves `optim.lr` (line 8) open, but has no section `search`"),
        ({"name": "mine", **TRIAL, **OPEN}, "it has `name` (line 1) and leaves `optim.lr` (line 9) open, but has no"),
        ({"name": "mine", **TRIAL}, "add one, such as `search: {trials: 20}`; or, for a trial, remove `name`"),
        ({**TRIAL, **OPEN}, "or, for a trial, give each open value one value"),
        ({"serch": {"trials": 3}, **TRIAL}, "has no section `search`: rename `serch` to `search`"),
        ({**TRIAL, "method": {"choice": [{"name": "vanilla"}, {"name": "vir"}]}}, "leaves `method` (line 5) open"),
        ({**TRIAL, "encoder": {"by": "data.name", "cases": {"digits": {"name": "convnet"}}}}, "leaves `encoder`"),
        ({"benchmark": {"seeds": 2}, **TRIAL}, "a benchmark, because it has `benchmark` (line 1), but has neither"),
        ({"row": {"a": "b.yaml"}, **TRIAL}, "a benchmark, because it has `row` (line 1), but has neither `rows` nor"),
        ({"gird": {"seed": [1, 2]}, **TRIAL}, "nor a `grid`: rename `gird` to `grid`"),
    ],
)
def test_a_file_of_another_kind_is_recognised(content: dict[str, Any], says: str, tmp_path: Path) -> None:
    (text,) = mistakes(tmp_path, content)
    assert text.startswith(": looks like a ")
    assert says in text


def test_other_mistakes_are_listed_too(tmp_path: Path) -> None:
    first, *others = mistakes(tmp_path, {"name": "mine", **TRIAL, "method": {"name": "vanila"}})
    assert "looks like a search space" in first
    assert [text.partition(": unknown")[0] for text in others] == [":6: method"]


def test_many_open_values_are_counted(tmp_path: Path) -> None:
    content = {**TRIAL, "seed": {"choice": [1, 2]}, **OPEN, "train": {"epochs": {"choice": [1, 2]}}}
    content["train"]["batch_size"] = {"int_range": [8, 64]}
    assert (
        "leaves `seed` (line 7), `optim.lr` (line 12), `train.epochs` (line 17) and 1 more open"
        in (mistakes(tmp_path, content)[0])
    )


@pytest.mark.parametrize("content", [{**TRIAL, "methods": 1}, {**TRIAL, "seed": "x"}, {"data": {"name": "digits"}}])
def test_a_trial_with_a_slip_stays_a_trial(content: dict[str, Any], tmp_path: Path) -> None:
    assert not any("looks like" in text for text in mistakes(tmp_path, content))


@pytest.mark.parametrize(("key", "verb"), [("search", "search"), ("rows", "benchmark"), ("grid", "benchmark")])
def test_a_file_of_another_kind_names_its_command(key: str, verb: str, tmp_path: Path) -> None:
    (text,) = mistakes(tmp_path, {**TRIAL, key: {"a": 1}})
    assert f"not a trial: run `groupdir {verb}` on it" in text
    assert is_benchmark(Document("x", {key: {}}, {})) == (verb == "benchmark")
