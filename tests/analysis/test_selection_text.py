import dataclasses
import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from analysis.estimates import estimates_of
from analysis.load import StudyResults, load_results
from analysis.select import Selection, select_config
from analysis.selection_text import confirm_command, price_rows, print_selection
from groupdir.files.study_files import MEAN
from groupdir.values.words import number_text, value_text
from tests.analysis.studies import MakeStudy, confirmed, study_of

MANY, FEW, ALL = "val_mae_many", "val_mae_few", "val_mae_all"


def printed(study: StudyResults, selection: Selection, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_selection(study, selection)
    return capsys.readouterr().out.splitlines()


def on_terminal(study: StudyResults, selection: Selection, width: int) -> list[str]:
    screen = io.StringIO()
    print_selection(study, selection, Console(file=screen, force_terminal=True, color_system=None, width=width))
    return screen.getvalue().splitlines()


def test_what_is_printed_says_the_choice_and_ends_with_the_next_commands(
    make_study: MakeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    study = load_results(make_study())
    selection = select_config(study, "few")
    lines = printed(study, selection, capsys)
    assert [line.split()[1] for line in lines if line.startswith("*")] == [str(selection.trial)]
    assert lines[0].split()[:5] == ["trial", "seeds", MANY, "val_mae_median", FEW]
    assert "[low, high] holds the mean over training seeds with probability 90 %" in lines
    value = estimates_of(study).of(FEW).value(selection.choice.index)
    seen = number_text(float(study.trials.set_index("trial").loc[selection.trial, FEW]))
    (sentence,) = [line for line in lines if line.startswith("rule few chooses")]
    assert sentence == (
        f"rule few chooses trial {selection.trial} (marked *): {FEW} {value_text(value)}; "
        f"the search saw {seen} with one seed"
    )
    assert any(line.startswith(f"trial {selection.trial} is the best of 26 with probability ") for line in lines)
    assert lines[-2:] == [
        f"next: groupdir confirm {study.folder} --rule few",
        f"then: groupdir train {selection.file} --seeds 5 --beside vanilla",
    ]
    assert lines[-3] == f"wrote {selection.file}"


def test_two_trainings_are_said_to_have_no_interval(make_study: MakeStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0], ALL: [2.0, 3.0]}, {FEW: "min"})
    lines = printed(study, select_config(study, "few"), capsys)
    assert "fewer than 5 trainings have finished, so there is no interval" in lines
    assert f"rule few chooses trial 1 (marked *): {FEW} 4.00; the search saw 4.00 with one seed" in lines
    assert "how sure this is cannot be said: fewer than 5 trainings have finished" in lines
    assert not any("[" in line for line in lines)


def test_confirmed_choices_say_their_seeds_and_failures(
    make_study: MakeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0], ALL: [2.0, 3.0]}, {FEW: "min"})
    study = confirmed(study, 1, [{FEW: 4.4}, None, {FEW: 4.2}])
    selection = select_config(study, "few")
    lines = printed(study, selection, capsys)
    assert any("from 3 seeds, whose mean is 4.20; the search saw 4.00 with one seed" in line for line in lines)
    assert "trial 1: 1 of 3 further trainings failed" in lines
    assert lines[-1] == f"next: groupdir train {selection.file} --seeds 5 --beside vanilla"
    assert confirm_command(study, selection) is None


def test_a_clear_choice_needs_no_confirmation(make_study: MakeStudy) -> None:
    study = load_results(make_study(ablations=False))
    few = [1.0 if trial == 6 else 9.0 + 0.001 * trial for trial in study.trials["trial"]]
    study = dataclasses.replace(study, trials=study.trials.assign(val_mae_few=few))
    for base in (9, 12):
        study = confirmed(study, base, [{FEW: 9.02}])
    selection = select_config(study, "few")
    assert (selection.trial, selection.configuration.confirmed) == (6, 0)
    assert selection.choice.chance >= 0.9
    assert confirm_command(study, selection) is None


def test_a_stopped_trial_cannot_be_confirmed(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0], ALL: [2.0, 3.0]}, {FEW: "min"})
    assert confirm_command(study, select_config(study, "few")) is not None
    selection = select_config(study, "few", include_stopped=True)
    assert study.trials.set_index("trial").loc[selection.trial, "status"] == "stopped"
    assert confirm_command(study, selection) is None


def test_the_price_is_the_loss_to_the_best_estimate(make_study: MakeStudy) -> None:
    values = {MANY: [1.0, 1.5, 1.003], FEW: [9.0, 3.0, 4.0], ALL: [2.0, 4.0, 2.0], "val_mae_median": [0.0, 2.0, 0.0]}
    study = study_of(make_study, values, {MANY: "min", FEW: "min"})
    rows = {row[0]: row[1:] for row in price_rows(study, select_config(study, "few"))}
    assert rows[""] == ["trial 1", "search saw", "best estimate", ""]
    assert rows[MANY] == ["1.50", "1.50", "1.00 (trial 0)", "50 % worse"]
    assert rows[FEW] == ["3.00", "3.00", "3.00 (trial 1)", "the best"]
    assert rows["val_mae_median"] == ["2.00", "2.00", "0 (trial 0)", "2.00 worse"]
    near = price_rows(
        study, dataclasses.replace(select_config(study, "few"), choice=select_config(study, "knee").choice)
    )
    assert {row[0]: row[-1] for row in near}[MANY] == "under 1 % worse"
    pearson = study_of(
        lambda **options: make_study("pearson", **options),
        {"val_pearson_all": [0.8, 0.4], FEW: [2.0, 1.0]},
        {"val_pearson_all": "max", FEW: "min"},
    )
    rows = {row[0]: row[1:] for row in price_rows(pearson, select_config(pearson, "few"))}
    assert rows["val_pearson_all"] == ["0.400", "0.400", "0.800 (trial 0)", "50 % worse"]


def test_a_choice_that_is_not_on_the_front_is_shown_too(
    make_study: MakeStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(make_study, {MANY: [1.0, 2.0], FEW: [1.0, 2.0], ALL: [3.0, 1.0]}, {MANY: "min", FEW: "min"})
    selection = select_config(study, "all")
    lines = printed(study, selection, capsys)
    assert "1 of 2 configurations is on the front" in lines
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["1"]
    assert any(line.startswith("rule all chooses trial 1 (marked *, not on the front): ") for line in lines)


def test_tolerances_are_said(make_study: MakeStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study = load_results(make_study())
    lines = printed(study, select_config(study, "few", {ALL: 0.02}), capsys)
    assert any(f"among those with {ALL} within 2 % of the best:" in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_terminal_keeps_numbers_whole(make_study: MakeStudy, width: int) -> None:
    study = load_results(make_study())
    params = {trial: {**own, "groups": [1, 2]} for trial, own in study.params.items()}
    study = dataclasses.replace(study, params=params)
    selection = select_config(study, "few")
    lines = on_terminal(study, selection, width)
    assert all(len(line) <= width for line in lines if "groupdir" not in line and "wrote" not in line)
    assert "groups [1, 2]" in " ".join(line.strip() for line in lines)
    assert "…" not in "".join(line for line in lines if "mode=" not in line and "size=" not in line)
    table = [line.split() for line in lines]
    for _, row in selection.front.iterrows():
        numbers = [number_text(row[MEAN + metric]) for metric in study.objectives]
        trial = str(row["trial"])
        assert any(cells[:1] in ([trial], ["*"]) and set(numbers) <= set(cells) for cells in table), trial


def run(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis", *arguments], cwd=root, capture_output=True, text=True, check=False
    )


def test_the_command_line(make_study: MakeStudy, tmp_path: Path, root: Path) -> None:
    folder = make_study()
    done = run("select", str(folder), "--shot", "few", "--within", "val_mae_all=50%", root=root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "within 50 % of the best" in (folder / "best_few.yaml").read_text()
    missing = run("select", str(tmp_path / "none"), "--shot", "few", root=root)
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
    assert "does not exist: name the folder of a study" in missing.stderr
    assert run("select", str(folder), "--shot", "low", root=root).returncode == 2
    wrong = run("select", str(folder), "--shot", "few", "--within", "val_mae_all=x", root=root)
    assert wrong.returncode == 2
    assert "must be METRIC=SHARE" in wrong.stderr
    unknown = run("select", str(folder), "--shot", "few", "--within", "val_mae=2%", root=root)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "unknown metric 'val_mae'" in unknown.stderr


def test_help_loads_nothing_heavy(root: Path) -> None:
    code = (
        "import sys; sys.argv = ['analysis', '--help']\nfrom analysis.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = ('pandas', 'numpy', 'plotly', 'matplotlib', 'pyarrow', 'moocore', 'torch')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
