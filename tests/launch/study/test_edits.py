"""An edit of study.yaml is applied as an event or refused; a resume, a reader and an audit see the same study."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from groupdir.study.read import event_log, first_config, read_study
from launch.commands import audit
from launch.control.study_loop import OVER, WAIT, StudyLoop
from launch.schedulers import make_scheduler
from launch.study.edits import apply_edits
from launch.study.study import Study
from tests.epoch_report import report
from tests.flips import FLIPS, flips
from tests.launch.conftest import CONTENT

Edit = Callable[[dict[str, Any]], Any]
EPOCHS = 4


def edit(study: Study, change: Edit) -> None:
    """Change the study's YAML as a person would."""
    path = study.folder / "study.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def run(study: Study) -> int:
    """Run the search to its end and return the number of its trials."""
    loop = StudyLoop(study, make_scheduler(study.config.search), "val_mae_all")
    while (number := loop.following()) != OVER:
        assert number != WAIT
        trial = study.state.trials[int(number)]
        for epoch in range(1, EPOCHS + 1):
            metrics = {f"val_mae_{shot}": 1.0 + trial.number % 5 for shot in ("all", "many", "median", "few")}
            row = {"seed": trial.seed, "epoch": epoch, "done": epoch == EPOCHS, **report(epoch), **metrics}
            if loop.report(trial.number, row) != "continue":
                study.append("stopped", trial=trial.number)
                break
        else:
            study.append("finished", trial=trial.number)
    return len(study.state.of("search"))


def test_nothing_to_say_about_a_file_that_nobody_edited(study: Study) -> None:
    assert apply_edits(study) == []
    path = study.folder / "study.yaml"
    path.write_text("# my comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert apply_edits(study) == []
    assert not [event for event in study.events() if event.kind == "changed"]


def test_more_trials_are_run_after_an_edit(study: Study) -> None:
    assert run(study) == 12
    edit(study, lambda content: content["search"].update(trials=15, max_hours=2.5, resources={"cpu": 2.0, "gpu": 0.5}))
    assert apply_edits(study) == [
        "search.trials is 15 from now on, was 12",
        "search.max_hours is 2.5 from now on, was null",
        "search.resources.cpu is 2.0 from now on, was 1.0",
        'search.resources.gpu is 0.5 from now on, was "auto"',
    ]
    assert apply_edits(study) == [], "once"
    assert run(study) == 15
    study.close()
    read = read_study(study.folder).config.search
    assert (read.trials, read.max_hours, read.resources.cpu) == (15, 2.5, 2.0)
    with event_log(study.folder) as (_, store):
        assert first_config(store, study.folder).search.trials == 12
    assert audit(study.folder) == 0
    after = Study.open(study.folder)
    assert after.config.search.trials == 15
    assert apply_edits(after) == []
    after.close()


@pytest.mark.parametrize(
    ("change", "address", "text"),
    [
        (
            lambda content: content["search"]["scheduler"].update(reduction_factor=4),
            "search.scheduler.reduction_factor",
            "restore the old value",
        ),
        (lambda content: content["search"].update(seed=3), "search.seed", "is 3 in this file, but 0 in the event log"),
        (lambda content: content["train"].update(epochs=9), "train.epochs", "restore the old value"),
        (lambda content: content["method"].update(groups={"choice": [2, 5]}), "method.groups.choice", "[2, 5] in this"),
        (lambda content: content["method"].pop("weights"), "method.weights", "is null in this file"),
        (lambda content: content.update(name="other"), "name", '"other"'),
        (
            lambda content: content["search"].update(trials=2),
            "search.trials",
            "has 3 trials already: set it to 3 or more",
        ),
        (lambda content: content["search"].update(max_epochs=3), "search.max_epochs", "spent 3 epochs already"),
    ],
)
def test_an_edit_that_cannot_be_applied_is_refused_by_its_key(
    change: Edit, address: str, text: str, study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    for _ in range(3):
        train(study, suggest(study), [1.0], "stopped")
    edit(study, lambda content: content["search"].update(concurrency=2))
    edit(study, change)
    with pytest.raises(ConfigError) as caught:
        apply_edits(study)
    (mistake,) = caught.value.mistakes
    assert (mistake.address, Path(str(mistake.file)).name) == (address, "study.yaml")
    assert text in mistake.message
    assert study.config.search.concurrency is None, "nothing is applied"


def test_a_mistake_in_the_file_has_its_line(study: Study) -> None:
    edit(study, lambda content: content["search"].update(trials=0))
    with pytest.raises(ConfigError, match=r"study.yaml:\d+: search.trials: must be >= 1, got 0"):
        apply_edits(study)


def test_a_lost_file_is_written_again(study: Study) -> None:
    (study.folder / "study.yaml").unlink()
    assert apply_edits(study) == []
    assert yaml.safe_load((study.folder / "study.yaml").read_text())["name"] == "small"


def test_numbers_as_keys_are_no_edit(results: Path) -> None:
    """A person may write the key 2, the event log has "2"."""
    cases = {"by": "method.groups", "cases": {"2": 0.5, "5": {"uniform": [0.5, 1]}, "10": 1.0}}
    content = {**CONTENT, "method": {**CONTENT["method"], "temperature": cases}}
    Study.create(results / "keys", StudyConfig.from_dict(content)).close()
    study = Study.open(results / "keys")
    path = study.folder / "study.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("'2':", "2:"), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    assert apply_edits(study) == []
    study.close()


@pytest.mark.slow
def test_no_flipped_bit_changes_a_study_without_a_line(study: Study) -> None:
    """A flip is no edit, a mistake of the file, or an edit: refused, or printed and appended to the event log."""
    path, counts = study.folder / "study.yaml", {"same": 0, "printed": 0}
    errors = []
    for changed in flips(path.read_bytes()):
        before = study.config.to_dict()
        path.write_bytes(changed)
        try:
            lines = apply_edits(study)
        except ConfigError as error:
            lines = []
            errors.append(str(error))
        else:
            counts["printed" if lines else "same"] += 1
        assert bool(lines) == (study.config.to_dict() != before)
    assert all(str(path) in error for error in errors)
    assert len(errors) > FLIPS // 2
    assert counts["printed"] > 0
