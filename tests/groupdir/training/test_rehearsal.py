"""A trial that the checks before a search accept can take a training step: every method on every data set."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from groupdir.commands.prestart import refuse_plan
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.data.base import Dataset
from groupdir.errors import ConfigError, GroupdirError
from groupdir.registry import TABLES
from groupdir.training.trainer import Trainer, make_dataset
from tests.groupdir.data.conftest import write_stsb
from tests.groupdir.data.test_conformance import MADE
from tests.groupdir.methods.cases import COMBINATIONS, PLUG_IN_CASES

ENCODERS: dict[str, dict[str, Any]] = {
    "convnet": {"name": "convnet", "widths": [4]},
    "mlp": {"name": "mlp", "widths": [4]},
    "bilstm": {"name": "bilstm", "width": 3},
    "resnet": {"name": "resnet", "depth": 18},
}
METHODS = [
    *({"name": name} for name in TABLES["method"]),
    *(
        case["method"]
        for name, case in PLUG_IN_CASES.items()
        if not name.startswith(("method", "optimizer", "schedule"))
    ),
    *COMBINATIONS.values(),
    {"name": "group_dir", "groups": 60, "grouping": "equal_frequency"},
    {"name": "group_dir", "groups": 60, "grouping": "integer_width"},
    {"name": "group_dir", "groups": 5, "pretrain": {"views": 2}},
]
DATA = {**MADE, "stsb tokens": lambda root: {"root": str(write_stsb(root)), "inputs": "tokens", "dimension": 3}}


def accepted(config: TrialConfig, dataset: Dataset) -> bool:
    """Return whether `groupdir check` accepts a trial."""
    try:
        refuse_plan(config, Document("a.yaml", {}, {}), datasets={config.data.model_dump_json(): dataset})
    except ConfigError:
        return False
    return True


def trains(config: TrialConfig, dataset: Dataset) -> bool:
    """Return whether a trial takes a step of each stage."""
    try:
        Trainer(config, dataset).dry_step()
    except (GroupdirError, ValueError):
        return False
    return True


@pytest.mark.parametrize("data", DATA)
def test_what_is_accepted_trains_and_nothing_else(data: str, tmp_path: Path) -> None:
    section = {"name": data.partition(" ")[0], **DATA[data](tmp_path)}
    dataset: Dataset | None = None
    fitting = {"image": "convnet", "token_pair": "bilstm"}
    wrong, count = [], 0
    for method in METHODS:
        first = TrialConfig.from_dict({"data": section, "encoder": ENCODERS["mlp"], "method": method})
        dataset = dataset or make_dataset(first)
        chosen = fitting.get(dataset.inputs.kind, "mlp")
        names = list(ENCODERS) if method == {"name": "vanilla"} else [chosen]
        for name in names:
            config = first.replaced({"encoder": ENCODERS[name], "train.batch_size": 16})
            yes, works = accepted(config, dataset), trains(config, dataset)
            count += works
            if yes != works:
                wrong.append(f"{name}, {method}: check says {yes}, a training step {works}")
    assert count > 20
    assert not wrong, "\n".join(wrong)


def own(name: str) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "data": {"name": "tests.toy.parts:Waves"},
            "encoder": ENCODERS["mlp"],
            "method": {"name": f"tests.toy.plugins:{name}"},
            "train": {"batch_size": 32},
        }
    )


def test_a_method_of_ones_own_that_fails_is_refused() -> None:
    config = own("Fails")
    with pytest.raises(ConfigError, match=r"a.yaml:.*a first training step fails: ZeroDivisionError at plugins.py:\d+"):
        refuse_plan(config, Document("a.yaml", {}, {}))
    assert refuse_plan(own("Median"), Document("a.yaml", {}, {})) == []


def test_a_method_that_ends_its_process_is_noted_and_ends_only_the_child() -> None:
    (note,) = refuse_plan(own("Killed"), Document("a.yaml", {}, {}))
    assert note == "method (tests.toy.plugins:Killed): a first training step ended its process (code 1)"


def test_children_import_nothing_that_takes_a_second() -> None:
    """What a child imports is lost with it, and a benchmark has many children."""
    code = """
import sys
from groupdir.config.trial import TrialConfig
from groupdir.training.rehearsal import rehearse, rehearse_all
from groupdir.training.trainer import make_dataset

weights = {"mode": "inverse", "lds": {"kernel": "gaussian"}}
method = {"name": "vanilla", "weights": weights}
data = {"name": "digits", "train": 60, "val_per_label": 1}
config = TrialConfig.from_dict({"data": data, "encoder": {"name": "convnet", "widths": [4]}, "method": method})
dataset = make_dataset(config)
assert rehearse_all([config], dataset, real=False).errors == []
before = set(sys.modules)
rehearse(config, dataset, real=False)
print(sum(name.startswith("torch.") for name in set(sys.modules) - before), "scipy.signal" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, signal = done.stdout.split()
    assert int(count) < 50, "the first optimizer imports over 800 modules, and that once per process"
    assert signal == "False"
