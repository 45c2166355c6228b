"""Search spaces: open parameters, conditions, corners."""

from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform, parse_domain
from groupdir.config.search import size_in_bytes
from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError
from tests.checkout import ROOT

STUDY = """\
name: toy
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method:
  name: group_dir
  temperature:
    by: method.similarity
    cases: {cosine: {log_uniform: [0.1, 1]}, negative_l2: 2.5}
  similarity: {choice: [cosine, negative_l2]}
  groups: {int_range: [2, 10], step: 4}
  weights: {choice: [null, {mode: inverse}]}
optim: {lr: {log_uniform: [1e-3, 1e-2]}}
train: {epochs: 4}
search:
  trials: 4
  objectives: {val_mae_few: min}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "toy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load_space(write(folder, text))
    return str(error.value)


def first(name: str, domain: Domain) -> Any:
    return domain.ends[0]


def last(name: str, domain: Domain) -> Any:
    return domain.ends[-1]


def test_leaves_suggest_and_build(tmp_path: Path) -> None:
    study = load_space(write(tmp_path, STUDY))
    assert study.space.parameters["method.groups"] == IntRange(2, 10, 4)
    assert study.space.parameters["method.temperature|cosine"] == LogUniform(0.1, 1)
    assert "method.temperature|negative_l2" not in study.space.parameters  # it is a fixed value
    params = study.space.suggest(first)
    assert params["method.temperature|cosine"] == 0.1
    config = study.space.build(params)
    assert (config.method.groups, config.method.temperature, config.method.weights) == (2, 0.1, None)
    params = study.space.suggest(last)
    assert not any(name.startswith("method.temperature") for name in params)
    config = study.space.build(params)
    assert (config.method.groups, config.method.temperature) == (10, 2.5)
    assert config.method.weights is not None


def test_study_round_trip(tmp_path: Path) -> None:
    study = load_space(write(tmp_path, STUDY))
    again = StudyConfig.from_dict(yaml.safe_load(study.to_yaml()))
    assert again.space == study.space
    assert again.search == study.search
    assert list(again.space.corners()) == list(study.space.corners())


def test_a_recorded_study_is_read_without_its_corners(tmp_path: Path) -> None:
    """Hundreds of trials take long to build. Everything else of the content is still checked."""
    study = load_space(write(tmp_path, STUDY))
    recorded = StudyConfig.from_dict(study.to_dict(), recorded=True)
    assert (recorded.space, recorded.search, recorded.name) == (study.space, study.search, study.name)
    assert "corner_trials" not in vars(recorded.space)
    assert "corner_trials" in vars(study.space)
    for wrong in ({"search": {"trails": 3}}, {"method": {"name": "group_dir", "groups": {"int_range": [9, 2]}}}):
        with pytest.raises(ConfigError):
            StudyConfig.from_dict(study.to_dict() | wrong, recorded=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[2, 10], step: 4", "[10, 2]", "toy.yaml:10: method.groups: int_range must have low < high, got [10, 2]"),
        ("[2, 10], step: 4", "[0, 8]", "toy.yaml:10: method.groups: must be >= 1, got 0"),
        ("[1e-3, 1e-2]", "[0, 1]", "toy.yaml:12: optim.lr: log_uniform on a log scale must have low > 0, got 0"),
        ("choice: [cosine,", "choice: [cosin,", "has no case for method.similarity = cosin: add it"),
        ("by: method.similarity", "by: method.similar", "depends on method.similar, which is not in the file"),
        ("val_mae_few", "val_mae_fwe", "unknown metric 'val_mae_fwe'"),
        ("val_mae_few", "test_mae_few", "reads the test set"),
        ("val_mae_few", "val_oracle_mae_few", "is a diagnostic that uses the true group"),
        ("val_mae_few", "oracle_mae_few", "is a diagnostic that uses the true group"),
        ("  trials: 4", "  trails: 4", "toy.yaml:15: search.trails: unknown key: did you mean 'trials'?"),
        ("  trials: 4", "  trials: 0", "toy.yaml:15: search.trials: must be >= 1, got 0"),
        ("  trials: 4", "  ablations: {x: {method.beta: -1}}", "search.ablations.x: method.beta: must be > 0"),
        ("name: toy", "name: a/b", "must be a string that can name a folder"),
        ("name: toy", "seed: {choice: [0, 1]}", "search.seeds: must be shared if `seed` is an open parameter, got own"),
        ("name: toy", "stage_seed: 5", "toy.yaml:1: stage_seed: is chosen by the search: remove it from the file"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in STUDY
    assert says in mistakes(tmp_path, STUDY.replace(old, new))


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = STUDY.replace("step: 4", "stop: 4").replace("[1e-3, 1e-2]", "[1]").replace("trials: 4", "trials: none")
    assert len(mistakes(tmp_path, text).splitlines()) == 3


@pytest.mark.parametrize(
    "value",
    [
        {"choice": []},
        {"choice": [1, 1]},
        {"choice": [{"uniform": [0, 1]}]},
        {"uniform": [0, 1], "log": True},
        {"uniform": [0, float("inf")]},
        {"uniform": [0, 1], "choice": [1]},
        {"int_range": [1, 2.5]},
        {"int_range": [0, 8], "log": True},
        {"int_range": [1, 8], "log": True, "step": 2},
        {"uniform": [0, 1], "step": 0},
        {"uniform": [True, 2]},
    ],
)
def test_bad_domains(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|takes|twice|no option|either"):
        parse_domain(value)


def test_too_many_corners_are_thinned_but_every_end_is_there(tmp_path: Path) -> None:
    values = ", ".join(str(number) for number in range(1, 50))
    text = STUDY.replace("{int_range: [2, 10], step: 4}", f"{{choice: [{values}]}}").replace(
        "name: group_dir", "name: group_dir\n  beta: {uniform: [1, 2]}\n  lambda_soft: {uniform: [1, 2]}"
    )
    study = load_space(write(tmp_path, text))
    assert study.space.parameters["method.groups"] == Choice(tuple(range(1, 50)))
    assert {params["method.groups"] for params in study.space.corners()} == set(range(1, 50))


def test_every_shipped_space_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    from groupdir.commands.describe import describe
    from groupdir.commands.loaded import load_file

    for path in sorted((ROOT / "search_spaces").rglob("*.yaml")):
        text = describe(load_file(path))
        assert "digest" in text or "parameters" in text


def test_the_trials_at_the_corners_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark has thousands of corners, and each takes a part of a millisecond."""
    validated: list[Document] = []
    inner = TrialConfig.from_document.__func__  # type: ignore[attr-defined]

    def counted(cls: type[TrialConfig], document: Document) -> TrialConfig:
        validated.append(document)
        return cast("TrialConfig", inner(cls, document))

    monkeypatch.setattr(TrialConfig, "from_document", classmethod(counted))
    space = load_space(ROOT / "search_spaces" / "digits.yaml").space
    corners = list(space.corners())
    loaded = len(validated)
    assert len(corners) <= loaded < 2 * len(corners), "each corner once, and each value of a choice"
    assert len(space.corner_trials) == len(corners)
    assert len(validated) == loaded, "the checks of the plan read the trials that the file was checked with"
    assert list(space.corner_trials) == [space.build(params) for params in corners]


def test_a_size_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a size above 0 such as"):
        size_in_bytes("9" * 400 + " GB")


SMALL = "data: digits\nencoder: convnet\nmethod: {name: group_dir, groups: GROUPS}\nsearch: SEARCH\n"


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("{choise: [5, 10]}", "unknown kind of domain 'choise': did you mean 'choice'?"),
        ("{choices: [5, 10]}", "unknown kind of domain 'choices': did you mean 'choice'?"),
        ("{loguniform: [5, 10]}", "unknown kind of domain 'loguniform': did you mean 'log_uniform'?"),
        ("{choice: [5, '5']}", 'choice holds 5 and "5", which give the same trial'),
        ("{choice: [5, 5.0]}", "choice holds 5 and 5.0, which are equal"),
        ("{choice: [false, 0]}", "choice holds false and 0, which are equal"),
        ("{choice: [[1], [1]]}", "choice holds [1] twice"),
        ("{int_range: [1, 5], step: 10}", "int_range must have a step of at most high - low = 4, got 10"),
        ("{uniform: [1, 5], step: 4.5}", "uniform must have a step of at most high - low = 4, got 4.5"),
        ("{int_range: [1, 5], log: maybe}", "int_range must have a log that is true or false, got 'maybe'"),
        ("{uniform: [-1.0e308, 1.0e308]}", "uniform must have a finite width"),
        ("{choice: [" + ", ".join(map(str, range(2000))) + "]}", "choice must have at most 1,000 values, got 2,000"),
    ],
)
def test_domains_that_make_no_sense(tmp_path: Path, groups: str, message: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(SMALL.replace("GROUPS", groups).replace("SEARCH", "{}"), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_space(path)
    assert f"{path}:3: method.groups: {message}" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search: {objectives: []}", "search.objectives: must have entries, at least 1, got {}"),
        ("search: {levels: {inner: 3}}", "search.levels: unknown key: did you mean 'nested'?"),
        ("search: {}\nmethod.beta: {choice: [1, 2]}", "method.beta: must be nested sections"),
        (
            "optim: {choise: [adam, sgd]}\nsearch: {}",
            "optim.choise: unknown kind of domain 'choise': did you mean 'choice'?",
        ),
    ],
)
def test_other_keys_and_values_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(SMALL.replace("GROUPS", "5").replace("search: SEARCH", text), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_space(path)
    assert message in str(refused.value)


def test_a_choice_in_a_case_is_compared_where_it_is_active(tmp_path: Path) -> None:
    domain = "{by: method.similarity, cases: {cosine: {choice: [0.1, '0.10']}, negative_l2: 2}}"
    method = f"{{name: group_dir, similarity: {{choice: [cosine, negative_l2]}}, temperature: {domain}}}"
    path = tmp_path / "space.yaml"
    path.write_text(f"data: digits\nencoder: convnet\nmethod: {method}\nsearch: {{}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r'temperature: choice holds 0\.1 and "0\.10", which give the same'):
        load_space(path)
