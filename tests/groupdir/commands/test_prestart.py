"""Checks before anything runs: `check`, `--dry-run` and `search` refuse the same plans, before a file is written."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from groupdir.commands.prestart import machine_concerns, refuse_file
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from launch.search import search
from tests.groupdir.data.test_conformance import table

CONTENT: dict[str, Any] = {
    "name": "small",
    "data": {"name": "digits", "train": 600, "val_per_label": 1},
    "encoder": {"name": "convnet", "widths": [4]},
    "method": {"name": "vanilla"},
    "optim": {"lr": {"log_uniform": [0.001, 0.1]}},
    "train": {"epochs": 2},
    "search": {"objectives": ["val_mae_all"], "trials": 4, "scheduler": {"name": "none"}, "sampler": {"name": "qmc"}},
}


def write(folder: Path, **sections: Any) -> Path:
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump({**CONTENT, **sections}), encoding="utf-8")
    return file


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"method": {"name": "vanilla", "regularizer": "conr"}, "data": "table", "encoder": {"name": "mlp"}}, "2 views"),
    ({"data": "table"}, "encoder.name: convnet reads image, but the data set gives vector"),
    ({"search": {"resources": {"gpu": 2}}}, "search.resources.gpu: must be at most 1"),
    ({"data": {"name": "digits", "train": 300}, "search": {}}, "no validation sample has a many-shot label"),
    ({"search": {"resources": {"cpu": 4096}}}, "a trial requests 4096 CPUs, but this machine has"),
    (
        {"method": {"name": "group_dir", "groups": 9, "group_loss": "nc", "recipe": "joint"}},
        "group loss nc needs 2 to 4",
    ),
]


@pytest.mark.parametrize(("sections", "text"), REFUSED)
def test_plans_that_cannot_work_are_refused_everywhere(
    sections: dict[str, Any], text: str, tmp_path: Path, root: Path
) -> None:
    if sections.get("data") == "table":
        sections = {**sections, "data": {"name": "table", **table(tmp_path)}}
    file, folder = write(tmp_path, **sections), tmp_path / "study"
    with pytest.raises(ConfigError, match=f"small.yaml:.*{text}"):
        refuse_file(file, here=True)
    with pytest.raises(ConfigError, match=f"small.yaml:.*{text}"):
        search(file, out=folder)
    assert not folder.exists()


def test_the_commands_refuse_and_note(tmp_path: Path, root: Path) -> None:
    """The numbers of processors are those of this machine, so `check` notes them for a search on a cluster."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    no_gpu = {**CONTENT["search"], "resources": {"gpu": 2}, "max_hours": 0.001}
    file = write(tmp_path, search=no_gpu)
    for words in (["check", str(file)], ["search", str(file), "--dry-run"]):
        command = [sys.executable, "-m", "groupdir", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("must be at most 1")) == (2, 1), done.stderr
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "groupdir",
        "check",
        str(file),
        "--set",
        "search.resources.gpu=0",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"note: {file}:") == done.stdout.count("note: ") == 1
    assert "search.max_hours: 3.6 s hardly suffice to start" in done.stdout
    assert not [line for line in done.stderr.splitlines() if line.endswith("| torch")], "check imports no torch"


def test_what_this_machine_lacks_is_refused_only_where_it_runs() -> None:
    study = StudyConfig.from_dict({**CONTENT, "search": {**CONTENT["search"], "resources": {"cpu": 4096}}})
    assert [concern.fatal for concern in machine_concerns(study, here=True)] == [True]
    assert [concern.fatal for concern in machine_concerns(study, here=False)] == [False]


def test_data_that_are_elsewhere_are_noted(tmp_path: Path) -> None:
    data = {"name": "table", "root": str(tmp_path / "elsewhere")}
    (note,) = refuse_file(write(tmp_path, data=data, encoder={"name": "mlp"}))
    assert note.endswith("elsewhere is not on this machine, so the data were not checked")


def test_each_row_of_a_benchmark_is_checked(root: Path, tmp_path: Path) -> None:
    rows = {"ok": "vanilla.yaml", "conr": "conr.yaml"}
    (tmp_path / "vanilla.yaml").write_text("method: {name: vanilla}\n", encoding="utf-8")
    (tmp_path / "conr.yaml").write_text("method: {name: vanilla, regularizer: conr}\n", encoding="utf-8")
    content = {key: value for key, value in CONTENT.items() if key not in ("name", "method")}
    data = {"name": "table", **table(tmp_path)}
    file = tmp_path / "both.yaml"
    file.write_text(
        yaml.safe_dump({**content, "data": data, "encoder": {"name": "mlp"}, "rows": rows}), encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        refuse_file(file)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{file}: conr: method: vanilla: stage fit asks for 2 views")
