import dataclasses
import math
import re
from pathlib import Path

import matplotlib.image
import pytest

from analysis.figures.trade_off import front_figure, metric_label
from analysis.load import load_results
from tests.analysis.studies import MakeStudy, confirmed, study_of

MANY, FEW = "val_mae_many", "val_mae_few"


def drawn_texts(path: Path) -> str:
    """The texts of an SVG figure, which matplotlib keeps as comments."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", path.read_text()))


def test_the_figure_says_seeds_bars_and_choices(make_study: MakeStudy, tmp_path: Path) -> None:
    study = load_results(make_study(ablations=False))
    texts = drawn_texts(front_figure(study, tmp_path / "front.svg"))
    assert "estimates from one seed each, bars hold 90 %" in texts
    assert "digits: 26 configurations" in texts
    assert metric_label(FEW) in texts
    assert any("few" in line for line in texts.splitlines() if "validation" not in line)
    more = confirmed(study, 3, [{MANY: 3.0, FEW: 8.0}] * 2)
    assert "estimates from one seed to 3 seeds each" in drawn_texts(front_figure(more, tmp_path / "more.svg"))


def test_two_trainings_have_no_bars(make_study: MakeStudy, tmp_path: Path) -> None:
    study = study_of(make_study, {MANY: [1.0, 2.0], FEW: [4.0, 3.0]}, {MANY: "min", FEW: "min"})
    texts = drawn_texts(front_figure(study, tmp_path / "front.svg"))
    assert "raw values, one seed each:" in texts
    assert "bars" not in texts


def test_equal_trainings_and_a_metric_to_maximise_are_drawn(make_study: MakeStudy, tmp_path: Path) -> None:
    study = study_of(make_study, {MANY: [2.0] * 6, FEW: [3.0] * 6}, {MANY: "min", FEW: "min"})
    assert matplotlib.image.imread(front_figure(study, tmp_path / "same.png")).shape[0] > 300
    names = ["val_pearson_many", "val_pearson_few"]
    pearson = study_of(
        lambda **options: make_study("pearson", **options),
        {names[0]: [0.5, 0.6, 0.7], names[1]: [0.7, 0.6, 0.5]},
        dict.fromkeys(names, "max"),
    )
    assert "validation Pearson" in drawn_texts(front_figure(pearson, tmp_path / "pearson.svg"))


@pytest.mark.parametrize("missing", [["few"], ["many"], ["many", "few"], ["many", "median", "few"]])
def test_a_shot_without_samples_is_replaced(make_study: MakeStudy, tmp_path: Path, missing: list[str]) -> None:
    study = load_results(make_study())
    columns = {f"val_mae_{shot}": math.nan for shot in missing}
    gone = dataclasses.replace(study, trials=study.trials.assign(**columns), objectives={"val_mae_all": "min"})
    texts = drawn_texts(front_figure(gone, tmp_path / "front.svg")).splitlines()
    assert metric_label("val_mae_all") in texts
    assert not any(f"validation MAE, {shot}" in texts for shot in missing)
    assert ("trial" in texts) == (len(missing) == 3)
