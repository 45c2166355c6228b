"""One description of a study: `check` prints it, and `--dry-run` adds what it would cost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from groupdir.commands.describe import describe
from groupdir.commands.loaded import load_file
from groupdir.config.space import load_space
from launch.screen.plan import plan
from launch.study.study import Study
from tests.checkout import ROOT
from tests.launch.conftest import CONTENT

SEARCHES = [
    {},
    {"constraints": {"val_mae_all": "<= 8.0"}, "max_epochs": 60},
    {"scheduler": {"name": "asha", "metric": "val_mae_few", "reduction_factor": 4}},
    {"scheduler": {"name": "none"}, "ablations": {}},
]


def space_of(folder: Path, **search: object) -> Path:
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump({**CONTENT, "search": {"trials": 9, **search}}), encoding="utf-8")
    return file


@pytest.mark.parametrize("search", SEARCHES)
def test_every_line_of_check_is_in_the_dry_run(tmp_path: Path, search: dict[str, object]) -> None:
    file = space_of(tmp_path, **search)
    checked, planned = describe(load_file(file)).splitlines(), plan(load_space(file), tmp_path / "small").splitlines()
    assert len(checked) > 10
    assert set(checked) <= set(planned)
    assert len(planned) == len(set(planned) | {""}) + planned.count("") - 1, "nothing is said twice"


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ({}, "scheduler: pareto_asha, compares all objectives from epoch 5 on, 1 in 3 trials advances at each rung"),
        (SEARCHES[1], "constraints: val_mae_all <= 8.0"),
        (SEARCHES[2], "scheduler: asha, compares val_mae_few from epoch 5 on, 1 in 4 trials advances at each rung"),
        (SEARCHES[3], "scheduler: none, every trial runs to its last epoch"),
        ({}, "  method.beta                      log_uniform 0.25 to 4"),
        ({}, "seeds: a seed of its own for each trial"),
        ({"seeds": "shared"}, "seeds: one for all trials"),
    ],
)
def test_what_is_said(tmp_path: Path, search: dict[str, object], line: str) -> None:
    assert line in describe(load_file(space_of(tmp_path, **search))).splitlines()


def test_varying_data_is_said(tmp_path: Path) -> None:
    file = space_of(tmp_path)
    assert "data: " not in describe(load_file(file))
    line = "data: data.seed varies, so that trials differ in their data too"
    assert line in describe(load_file(file, ["data.seed={choice: [0, 1]}"])).splitlines()


def test_a_study_that_recorded_nothing_gives_no_hours(study: Study) -> None:
    assert "time: unknown until an epoch is recorded" in plan(study.config, study.folder)


def test_a_plan_loads_no_torch() -> None:
    """The shared first stages of a search follow from its configuration, without data and without a network."""
    code = f"""
import sys
from pathlib import Path
from groupdir.config.space import load_space
from launch.screen.plan import plan
text = plan(load_space({str(ROOT / "search_spaces/agedb.yaml")!r}), Path("nowhere"))
assert "first stages: 8 distinct for 96 trials" in text, text
print("torch" in sys.modules)
"""
    environment = {**os.environ, "GROUPDIR_DATA": "/nowhere", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
