import json

import pytest

from analysis.load import load_results
from analysis.select import select_config
from analysis.selection_json import selection_to_json
from groupdir.command_line.program import print_json
from tests.analysis.studies import MakeStudy, confirmed, study_of

FEW, ALL = "val_mae_few", "val_mae_all"


def test_estimates_and_chances_of_the_front_and_the_choice(make_study: MakeStudy) -> None:
    study = confirmed(load_results(make_study()), 3, [{FEW: 1.0}, None, {FEW: 1.1}])
    selection = select_config(study, "few", {ALL: 0.5})
    content = selection_to_json(study, selection)
    assert content["trial"] == content["chosen"]["trial"] == selection.trial
    assert content["chance"] == selection.choice.chance
    assert content["rivals"] == [selection.values.trials[index] for index in selection.choice.rivals]
    assert (content["within"], content["candidates"]) == ({ALL: 0.5}, selection.choice.candidates)
    assert content["next"].startswith("groupdir train ")
    assert [entry["trial"] for entry in content["front"]] == selection.front["trial"].tolist()
    for entry in [*content["front"], content["chosen"]]:
        value = selection.values.of(FEW).value(selection.values.index(entry["trial"]))
        assert entry["estimates"][FEW] == {
            "mean": value.mean, "low": value.low, "high": value.high, "raw": value.raw, "seeds": value.trainings,
        }  # fmt: skip
        assert entry["metrics"][FEW] == study.trials.set_index("trial").loc[entry["trial"], FEW]
        assert 0 <= entry["on_front"] <= 1
        assert (entry["seeds"], entry["failed"]) == ((3, 1) if entry["trial"] == 3 else (value.trainings, 0))


def test_what_is_unknown_is_null(make_study: MakeStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0]}, {FEW: "min"})
    print_json(selection_to_json(study, select_config(study, "few")))
    content = json.loads(capsys.readouterr().out)
    assert content["chance"] is None
    assert content["chosen"]["on_front"] is None
    assert content["chosen"]["estimates"][FEW] == {"mean": 4.0, "low": None, "high": None, "raw": 4.0, "seeds": 1}
    assert content["confirm"] == f"groupdir confirm {study.folder} --rule few"
