"""`--beside`: names, files and studies, their labels, and one clear error for each that does not fit."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from groupdir.commands.plans import plans_beside
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError

CONTENT = {
    "data": {"name": "digits", "train": 200, "val_per_label": 1, "test_per_label": 1, "many": 2, "few": 1},
    "encoder": {"name": "convnet", "widths": [8, 8]},
    "method": {"name": "group_dir"},
}


def write(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(CONTENT | changes), encoding="utf-8")
    return path


def planned(file: Path, *beside: str | Path) -> list[Any]:
    return plans_beside(TrialConfig.load(file), file, [str(text) for text in beside])


def test_the_epochs_of_all_stages_of_a_method_of_ones_own_are_equal(tmp_path: Path) -> None:
    """Its three epochs of warm-up, which predict nothing, count as any others."""
    waves = {"data": {"name": "tests.toy.parts:Waves"}, "encoder": {"name": "mlp", "widths": [8]}}
    for name in ("Warmed", "SaysItself"):
        method = {"name": f"tests.toy.staged:{name}", "warmup": 3}
        file = write(tmp_path / f"{name}.yaml", **waves, method=method, train={"epochs": 4})
        assert [plan.config.total_epochs for plan in planned(file, "vanilla")] == [7, 7]


def test_names_files_and_studies_stand_next_to_the_first(tmp_path: Path) -> None:
    file = write(tmp_path / "mine/best_few.yaml")
    tuned = write(tmp_path / "plain/best_few.yaml", method={"name": "vanilla"}, optim={"lr": 0.5})
    other = write(tmp_path / "other.yaml", method={"name": "vanilla"}, optim={"lr": 0.25})
    again = write(tmp_path / "deep/other.yaml", method={"name": "vanilla"}, optim={"lr": 0.125})
    plans = planned(file, "vanilla", tuned.parent, other, again)
    assert [plan.title for plan in plans] == ["group_dir", "vanilla (untuned)", "plain", "other", "deep_other"]
    assert [plan.config.optim.lr for plan in plans[2:]] == [0.5, 0.25, 0.125]
    assert plans[1].config.total_epochs == plans[0].config.total_epochs


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ("group_dir", "must differ from the method of the configuration"),
        ("vanila", "vanilla"),
        ("{folder}/none.yaml", "none.yaml: cannot be read"),
        ("{folder}/empty", "has no best_few.yaml, the rule of .*: run `groupdir select .*empty --shot few` first"),
        ("{folder}/same.yaml", "is the same configuration as group_dir"),
        ("{folder}/faces.yaml", "has the data set faces, but the first configuration has digits"),
        ("{folder}/seeds.yaml", r"has other samples than that of the first configuration"),
        ("{folder}/shots.yaml", "has other shots than that of the first configuration"),
    ],
)
def test_what_does_not_fit_is_one_error(tmp_path: Path, beside: str, says: str) -> None:
    file = write(tmp_path / "best_few.yaml")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "same.yaml", seed=8)
    write(tmp_path / "faces.yaml", data={"name": "faces"})
    write(tmp_path / "shots.yaml", data={**CONTENT["data"], "few": 2})  # type: ignore[dict-item]
    write(tmp_path / "seeds.yaml", data={**CONTENT["data"], "seed": 1}, method={"name": "vanilla"})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=says):
        planned(file, beside.format(folder=tmp_path))


def test_a_method_whose_stages_need_more_epochs_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "trial.yaml", method={"name": "vanilla"}, train={"epochs": 1})
    with pytest.raises(ConfigError, match=r"^--beside group_dir: must be trained for the 1 epochs .* stages; or give"):
        planned(file, "group_dir")


def test_other_training_data_are_allowed(tmp_path: Path) -> None:
    file = write(tmp_path / "trial.yaml")
    more = write(tmp_path / "more.yaml", data={**CONTENT["data"], "augment": "none"})  # type: ignore[dict-item]
    assert [plan.label for plan in planned(file, more)] == ["group_dir", "more"]


def test_a_study_needs_a_rule(tmp_path: Path) -> None:
    file = write(tmp_path / "trial.yaml")
    with pytest.raises(ConfigError, match=r"trial\.yaml was not chosen by a rule: name a YAML file in the study"):
        planned(file, tmp_path)
