import dataclasses
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import pytest
from plotly.offline import get_plotlyjs

from analysis.ablations import Runs, ablations, findings
from analysis.estimates import estimates_of
from analysis.figures.trade_off import front_figure
from analysis.front import find_front
from analysis.load import load_results
from analysis.page import thinning
from analysis.page.plots import curves_plot, front_plot, parallel_plot
from analysis.page.report import report_page, write_report
from analysis.select import choices
from groupdir.errors import DataError
from groupdir.files.study_files import HIGH, MEAN
from tests.analysis.studies import confirmed, study_of

MakeStudy = Callable[..., Path]


def own_html(page: str) -> str:
    """The page without plotly's own code."""
    library = get_plotlyjs()
    assert page.count(library) == 1
    return page.replace(library, "")


def test_one_page_that_needs_nothing_else(make_study: MakeStudy) -> None:
    folder = make_study()
    path = write_report(load_results(folder))
    own = own_html(path.read_text())
    assert not re.search(r"""(?:src|href)\s*=|@import|url\(|https?://(?!www\.w3\.org)""", own)
    assert [own.count(f'id="{name}"') for name in ("front", "parallel", "curves")] == [1, 1, 1]
    for fact in (
        "40: 26 finished, 13 stopped, 1 failed",
        "val_mae_few (min)",
        "pareto_asha, compares all objectives from epoch 5 on, 1 in 3 trials advances at each rung",
        "without L_grc",
        "groupdir search",
    ):
        assert fact in own
    image = matplotlib.image.imread(folder / "front.png")
    assert image.shape[0] > 300
    assert sorted(file.name for file in folder.iterdir()) == [
        "epochs.parquet", "front.png", "report.html", "trials.parquet",
    ]  # fmt: skip


def test_text_of_a_person_is_escaped(make_study: MakeStudy) -> None:
    study = load_results(make_study(name="<script>alert(1)<b>"))
    params = {trial: {**own, "groups": "</script><b>x"} for trial, own in study.params.items()}
    trials = study.trials.assign(label=study.trials["label"].replace("without L_grc", "<img src=x>"))
    study = dataclasses.replace(study, params=params, trials=trials)
    own = own_html(report_page(study))
    assert "groups = &lt;/script&gt;&lt;b&gt;x" in front_plot(study, find_front(study)).data[0].text[0]
    assert not re.search(r"<script>alert|<b>x|<img", own)
    assert "Study &lt;script&gt;alert(1)&lt;b&gt;" in own


def test_the_front_plot_has_every_pair_and_every_trial(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    front = find_front(study)
    figure = front_plot(study, front)
    assert len(figure.data) == 12
    assert sum(len(trace.x) for trace in figure.data[:3]) == 39  # all but the failed one
    assert len({trace.marker.symbol for trace in figure.data}) == 4
    estimated, raw = figure.data[2], figure.data[3]
    assert list(estimated.x) == front[MEAN + "val_mae_many"].tolist()
    assert list(raw.x) == front["val_mae_many"].tolist()
    above = front[HIGH + "val_mae_median"] - front[MEAN + "val_mae_median"]
    assert list(estimated.error_y.array) == above.tolist()
    assert figure.data[1].error_y.array is None
    assert "temperature" in estimated.text[0]
    assert "one seed" in estimated.text[1]
    assert ", the search saw " in estimated.text[0]


def test_the_hover_texts_of_each_trial_are_held_once(make_study: MakeStudy) -> None:
    """They are most of the plot's size. The page's script gives them to the other traces of the same trials."""
    study = load_results(make_study())
    front = find_front(study)
    traces = front_plot(study, front).data
    assert sum(len(trace.text) for trace in traces if trace.text is not None) == 39
    for trace in traces:
        source = traces[trace.meta] if trace.meta is not None else trace
        assert len(source.text) == len(trace.x)
        assert source.name.rpartition("(")[2] == trace.name.rpartition("(")[2]
    page = report_page(study)
    assert 'document.getElementById("front")' in page
    assert page.count("Plotly.restyle(plot") == 1


def test_a_study_of_two_trials_has_no_bars(make_study: MakeStudy) -> None:
    study = study_of(make_study, {"val_mae_many": [1.0, 2.0], "val_mae_few": [4.0, 3.0]}, {"val_mae_few": "min"})
    study = dataclasses.replace(study, objectives={"val_mae_many": "min", "val_mae_few": "min"})
    assert front_plot(study, find_front(study)).data[2].error_x.array is None
    own = own_html(write_report(study).read_text())
    assert "Fewer than 5 trainings have finished, so there is no interval." in own
    assert "and the estimates are the raw values" in own


def test_the_table_says_seeds_and_how_sure_each_choice_is(make_study: MakeStudy) -> None:
    study = confirmed(load_results(make_study()), 3, [{"val_mae_few": 9.0}, None])
    chosen = choices(study)
    own = own_html(report_page(study))
    values = estimates_of(study)
    assert own.count("<td>one seed</td>") >= 1
    for rule, choice in chosen.items():
        trial = values.trials[choice.index]
        assert f"<li>{rule}: trial {trial}, " in own
        assert f"the best of {choice.candidates} with probability" in own
    forced = confirmed(study, values.trials[chosen["few"].index], [None])
    assert "its only further training failed" in own_html(report_page(forced)) or "further trainings failed" in own


def test_a_choice_off_the_front_is_in_the_table(make_study: MakeStudy) -> None:
    values = {"val_mae_many": [1.0, 2.0], "val_mae_few": [1.0, 2.0], "val_mae_all": [3.0, 1.0]}
    study = study_of(make_study, values, {"val_mae_many": "min", "val_mae_few": "min"})
    own = own_html(report_page(study))
    assert '<tr class="chosen"><td>all</td><td>1</td><td>one seed</td>' in own


def test_one_objective_is_drawn_by_trial(make_study: MakeStudy) -> None:
    study = dataclasses.replace(load_results(make_study()), objectives={"val_mae_all": "min"})
    assert front_plot(study, find_front(study)).layout.xaxis.title.text == "trial"
    assert "Study digits" in report_page(study)


def test_the_parallel_plot_places_every_value(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    params = {trial: {k: v for k, v in own.items() if (trial, k) != (0, "beta")} for trial, own in study.params.items()}
    lines = parallel_plot(dataclasses.replace(study, params=params), find_front(study)).data[0]
    assert [axis.label for axis in lines.dimensions][-3:] == ["mae_many", "mae_median", "mae_few"]
    assert {len(axis["values"]) for axis in lines.dimensions} == {39}
    assert all(math.isfinite(value) for axis in lines.dimensions for value in axis["values"])
    assert sum(lines.line.color) == len(find_front(study))


def test_the_curves_hold_every_epoch(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    front = find_front(study)
    figure = curves_plot(study, front, {int(front["trial"].iloc[0])})
    drawn = sum(sum(x is not None for x in trace.x) for trace in figure.data)
    assert drawn == int(study.epochs["trial"].isin(study.searched["trial"]).sum())
    assert max(trace.line.width for trace in figure.data) == 3.0


def test_ablations_are_values_by_seed(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    table = ablations(study)
    assert list(table) == ["as chosen", "without L_grc", "hard labels"]
    own = study.trials[study.trials["label"] == "hard labels"].set_index("seed")["val_mae_few"].to_dict()
    assert table["hard labels"]["val_mae_few"] == Runs(own)
    mean = sum(own.values()) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in own.values()) / 2)
    assert str(table["hard labels"]["val_mae_few"]) == f"{mean:.2f} ± {deviation:.2f}"
    assert not ablations(load_results(make_study("bare", ablations=False)))


@pytest.mark.parametrize(
    ("label", "differences", "sentence"),
    [
        ("without L_grc", [0.9, 1.0, 1.1], "+1.00 [+0.75, +1.25] {}, over 3 pairs of seeds: shown, L_grc helps here."),
        ("hard labels", [0.9, 1.0, 1.1], "+1.00 [+0.75, +1.25] {}, over 3 pairs of seeds: shown, it is worse here."),
        (
            "hard labels",
            [-0.4, -0.5, -0.6],
            "-0.50 [-0.75, -0.25] {}, over 3 pairs of seeds: shown, it is better here.",
        ),
        ("hard labels", [0.1, -0.2, 0.4], "+0.10 [-0.65, +0.85] {}, over 3 pairs of seeds: not shown."),
        ("hard labels", [1.0], "+1.00 {}, with one seed, which cannot show a difference."),
        ("hard labels", [], "is not measured on a common seed."),
    ],
)
def test_a_finding_claims_only_what_pairs_of_seeds_show(
    make_study: MakeStudy, label: str, differences: list[float], sentence: str
) -> None:
    base = {0: 4.0, 1: 5.0, 2: 3.0}
    changed = {seed: base[seed] + difference for seed, difference in enumerate(differences)}
    table = {"as chosen": {"val_mae_all": Runs(base)}, label: {"val_mae_all": Runs(changed)}}
    (found,) = findings(load_results(make_study()), table)
    assert found == f"{label}: val_mae_all {sentence.format('against as chosen')}"


def test_a_lower_correlation_is_worse(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    study = dataclasses.replace(study, objectives={"val_pearson_all": "max"})
    base, changed = Runs({0: 0.8, 1: 0.7}), Runs({0: 0.5, 1: 0.42})
    table = {"as chosen": {"val_pearson_all": base}, "x": {"val_pearson_all": changed}}
    (sentence,) = findings(study, table)
    assert sentence.endswith("-0.29 [-0.42, -0.16] against as chosen, over 2 pairs of seeds: shown, it is worse here.")


def test_a_report_of_nothing_finished_writes_nothing(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    with pytest.raises(DataError, match="no trial is finished"):
        write_report(dataclasses.replace(study, trials=study.trials.assign(status="stopped")))
    assert not (study.folder / "report.html").exists()


def test_the_print_figure_in_other_formats(make_study: MakeStudy, tmp_path: Path) -> None:
    study = load_results(make_study())
    text = front_figure(study, tmp_path / "front.svg").read_text()
    assert text.lstrip().startswith("<?xml")
    gone = dataclasses.replace(study, trials=study.trials.assign(val_mae_many=math.nan))
    with pytest.raises(DataError, match="no trial has a value for every objective"):
        front_figure(gone, tmp_path / "none.png")


def test_mapping_values_are_short_in_the_table(make_study: MakeStudy) -> None:
    own = own_html(report_page(load_results(make_study())))
    assert "mode=inverse, lds=(kernel=gaussian, size=5)" in own
    assert json.dumps({"mode": "inverse"})[1:-1] not in own


@pytest.mark.parametrize("shot", ["many", "median", "few"])
def test_a_shot_without_validation_samples_leaves_a_whole_report(make_study: MakeStudy, shot: str) -> None:
    study = load_results(make_study(f"without_{shot}"))
    trials = study.trials.assign(**{f"val_mae_{shot}": math.nan})
    epochs = study.epochs.assign(**{f"val_mae_{shot}": math.nan})
    gone = dataclasses.replace(study, trials=trials, objectives={"val_mae_all": "min"})
    vars(gone)["epochs"] = epochs  # else they are read when they are first asked for
    own = own_html(write_report(gone).read_text())
    assert [own.count(f'id="{name}"') for name in ("front", "parallel", "curves")] == [1, 1, 1]
    assert (study.folder / "front.png").is_file()


def test_failures_are_listed_with_their_messages(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    trials = study.trials.copy()
    trials.loc[trials["trial"].isin([5, 6]), ["status", "message"]] = ["failed", "epoch 3: the loss is <nan>"]
    trials.loc[trials["trial"] == 8, ["status", "message"]] = ["failed", "epoch 7: the loss is <nan>"]
    trials.loc[trials["trial"] == 9, ["status", "message"]] = ["failed", None]
    own = own_html(report_page(dataclasses.replace(study, trials=trials)))
    assert "<li>3 failed (trials 5, 6, 8): epoch 3: the loss is &lt;nan&gt;</li>" in own
    assert "<li>1 failed (trial 9): without a message</li>" in own
    with pytest.raises(DataError, match=r"no trial is finished \(trials: 40 failed\), so there is no front\n40 failed"):
        report_page(dataclasses.replace(study, trials=study.trials.assign(status="failed", role="search")[:40]))


def test_a_large_study_is_thinned_and_says_so(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The front is drawn as a whole; of the others at most three of each kind. The counts stay."""
    study = load_results(make_study())
    whole = own_html(report_page(study))
    assert "evenly spaced" not in whole
    monkeypatch.setattr(thinning, "POINTS", 3)
    page, front = own_html(report_page(study)), find_front(study)
    assert page.count("at most 3 of each kind are drawn, evenly spaced") == 3
    counts = {trace.name: len(trace.x) for trace in front_plot(study, front).data}
    finished = study.counts()["finished"] - len(front)
    assert counts[f"stopped ({study.counts()['stopped']})"] == counts[f"finished ({finished})"] == 3
    assert counts[f"on the front ({len(front)})"] == len(front)
    (lines,) = parallel_plot(study, front).data
    assert len(lines.line.color) == 6 + len(front)
    assert sum(lines.line.color) == len(front)
