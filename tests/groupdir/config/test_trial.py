"""Configurations: every mistake at once, with file and line; digests that are stable."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from groupdir.config.schema import build_schema
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError
from tests.checkout import ROOT
from tests.groupdir.methods.cases import case_trial

TRIAL = """\
seed: 3
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method:
  name: group_dir
  groups: 5
  beta: 1e-1
optim: {lr: 0.01}
train: {epochs: 2}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        TrialConfig.load(write(folder, text), overrides)
    return str(error.value)


def test_round_trip_and_defaults(tmp_path: Path) -> None:
    config = TrialConfig.load(write(tmp_path, TRIAL))
    assert config.method.beta == 0.1  # 1e-1 is a number, as in YAML 1.2
    assert config.method.recipe == "two_stage"
    again = TrialConfig.load(write(tmp_path, config.to_yaml()))
    assert again == config
    assert again.digest == config.digest


def test_digest_ignores_order_and_process_but_not_values(tmp_path: Path) -> None:
    config = TrialConfig.load(write(tmp_path, TRIAL))
    turned = dict(reversed(config.to_dict().items()))
    assert TrialConfig.from_dict(turned).digest == config.digest
    code = "import sys; from groupdir.config.trial import TrialConfig; print(TrialConfig.load(sys.argv[1]).digest)"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "trial.yaml")],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        )
        assert done.stdout.strip() == config.digest
    assert config.replaced({"method.beta": 0.2}).digest != config.digest


def test_all_mistakes_at_once_with_their_lines(tmp_path: Path) -> None:
    text = TRIAL.replace("beta: 1e-1", "beta: -1").replace("groups: 5", "groops: 5").replace("{lr: 0.01}", "{lr: fast}")
    lines = mistakes(tmp_path, text).splitlines()
    path = tmp_path / "trial.yaml"
    assert f"{path}:7: method.beta: must be > 0.0, got -1" in lines
    assert f"{path}:8: optim.lr: must be a number, got 'fast'" in lines
    assert any(line.startswith(f"{path}:6: method.groops: unknown key: did you mean 'groups'?") for line in lines)
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "name: group_dir",
            "name: grup_dir",
            "trial.yaml:4: method: unknown method 'grup_dir': did you mean 'group_dir'?",
        ),
        ("  name: group_dir\n", "", "method: must have a `name` that is a string"),
        ('"tests.toy.parts:Waves"', '"tests.toy.parts:Wave"', "cannot be loaded"),
        ("groups: 5", "groups: 2.5", "trial.yaml:6: method.groups: must be a whole number, got 2.5"),
        ("groups: 5", "recipe: both", "must be one of 'two_stage' or 'joint', got 'both'"),
        ("optim:", "search: {}\noptim:", "this is a search space, not a trial"),
        ("optim:", "seed: 4\noptim:", "seed: is given twice"),
        ("optim:", "optim: [\nx:", "is not valid YAML"),
        ("groups: 5", "lambda_mse: 0", "the experts would never be trained"),
        ("seed: 3", "- 3", "is not valid YAML"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TRIAL
    assert says in mistakes(tmp_path, TRIAL.replace(old, new))


@pytest.mark.parametrize("address", ["train.epochs", "train.batch_size", "seed", "optim.lr"])
def test_true_is_no_number(tmp_path: Path, address: str) -> None:
    for flag in ("true", "yes", "false"):
        text = mistakes(tmp_path, TRIAL, f"{address}={flag}")
        assert f"{address}: must be a number, got {'true' if flag == 'yes' else flag}" in text


def test_missing_file_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        TrialConfig.load(tmp_path / "none.yaml")
    assert "must hold a mapping" in mistakes(tmp_path, "")


def test_overrides_replace_add_and_are_checked(tmp_path: Path) -> None:
    config = TrialConfig.load(write(tmp_path, TRIAL), ["method.beta=2", "method.weights.mode=inverse", "optim.lr=1e-3"])
    assert config.method.beta == 2
    assert config.method.weights is not None
    assert config.optim.lr == 1e-3
    assert "must be > 0" in mistakes(tmp_path, TRIAL, "method.beta=0")
    assert "--set beta: must be address=value" in mistakes(tmp_path, TRIAL, "beta")


def test_a_stage_seed_needs_a_stage_that_trials_share() -> None:
    alone = case_trial("method-group_dir")
    with pytest.raises(ConfigError, match="stage_seed: group_dir has no first stage that trials share: remove stage_s"):
        alone.replaced({"stage_seed": 4})
    config = case_trial("two_stage").replaced({"seed": 11, "stage_seed": 4})
    assert [config.seed_of(stage) for stage in config.stages] == [4, 11]
    assert config.first_seed == 4
    fresh = config.with_seed(6)
    assert [fresh.seed_of(stage) for stage in fresh.stages] == [6, 6]
    assert fresh == case_trial("two_stage").replaced({"seed": 6})


def test_variables_and_relative_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TRIAL.replace('{name: "tests.toy.parts:Waves"}', '{name: stsb, root: "${SOME_DATA}/sts"}')
    monkeypatch.delenv("SOME_DATA", raising=False)
    says = mistakes(tmp_path, text)
    assert (
        "trial.yaml:2: data.root: environment variable SOME_DATA is not set: export it, or give the value with --set"
        in says
    )
    monkeypatch.setenv("SOME_DATA", "here")
    monkeypatch.chdir(tmp_path)
    assert TrialConfig.load(write(tmp_path, text)).to_dict()["data"]["root"] == str(tmp_path / "here" / "sts")


def test_schema_is_valid_and_knows_our_files(tmp_path: Path) -> None:
    schema = json.loads(json.dumps(build_schema()))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for path in sorted((ROOT / "search_spaces").rglob("*.yaml")):
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    validator.validate(Document.parse(TRIAL).data)
    wrong = yaml.safe_load((ROOT / "search_spaces/digits.yaml").read_text(encoding="utf-8"))
    wrong["method"]["groops"] = 3
    assert not validator.is_valid(wrong)
    wrong = Document.parse(TRIAL).data | {"train": {"epochs": "many"}}
    assert not validator.is_valid(wrong)
