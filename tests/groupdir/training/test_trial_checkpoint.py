"""Checkpoints that were changed: each is used or refused with its name, within a second, and runs no code."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groupdir.commands.predict import evaluate_checkpoint, predict_file
from groupdir.config.trial import TrialConfig, digest
from groupdir.errors import DataError, GroupdirError
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint
from groupdir.training.trainer import Trainer
from groupdir.training.trial_checkpoint import TrialCheckpoint
from tests.checkout import ROOT
from tests.command_line import in_new_process
from tests.groupdir.training.checkpoint_mutations import mutated

MOST_SECONDS = 1.0


def config_of(method: dict[str, Any]) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "data": {"name": "tests.toy.parts:Waves"},
            "encoder": {"name": "mlp", "widths": [4]},
            "method": method,
            "train": {"epochs": 2, "device": "cpu"},
        }
    )


CONFIGS = [
    config_of({"name": "group_dir", "groups": 5, "recipe": "joint"}),
    config_of({"name": "vanilla", "smoothing": {}}),
    config_of({"name": "group_dir", "groups": 3, "group_loss": "nc", "pretrain": {"epochs": 1, "views": 1}}),
    config_of({"name": "vir"}),
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A checkpoint of each configuration, after one epoch."""
    paths = []
    for index, config in enumerate(CONFIGS):
        trainer = Trainer(config)
        next(trainer.epochs())
        paths.append(tmp_path_factory.mktemp("checkpoints") / f"{index}.pt")
        trainer.save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some inputs for the data set."""
    path = tmp_path_factory.mktemp("inputs") / "new.npy"
    np.save(path, np.random.default_rng(0).normal(size=(5, 8)))
    return path


def uses(path: Path, inputs: Path, config: TrialConfig) -> list[Callable[[], Any]]:
    """Return what a person does with a checkpoint."""
    return [
        lambda: list(predict_file(path, inputs)),
        lambda: evaluate_checkpoint(path, "val"),
        lambda: list(_resumed(config, path).epochs()),
    ]


def _resumed(config: TrialConfig, path: Path) -> Trainer:
    trainer = Trainer(config)
    trainer.load(path)
    return trainer


def run_mutations(seeds: range, checkpoints: list[Path], inputs: Path, folder: Path) -> None:
    contents = [load_checkpoint(path) for path in checkpoints]
    wrong, refused = [], 0
    for seed in seeds:
        index = seed % len(contents)
        content = mutated(contents[index], contents[index - 1], seed)
        path = folder / f"{seed}.pt"
        if isinstance(content, dict):
            save_checkpoint(path, content)
        else:
            torch.save(content, path)
        for number, use in enumerate(uses(path, inputs, CONFIGS[index])):
            start = time.process_time()
            try:
                use()
            except GroupdirError as error:
                refused += 1
                if str(path) not in str(error) or len(str(error)) > 2_000:
                    wrong.append(f"seed {seed}, use {number}: {str(error)[:300]}")
            except Exception as error:  # noqa: BLE001 - each is reported
                wrong.append(f"seed {seed}, use {number}: {type(error).__name__}: {str(error)[:300]}")
            if (seconds := time.process_time() - start) > MOST_SECONDS:
                wrong.append(f"seed {seed}, use {number}: {seconds:.2f} s")
        path.unlink()
    assert not wrong, f"{len(wrong)} of {3 * len(seeds)}:\n" + "\n".join(wrong)
    assert refused > len(seeds), "the changes must damage many checkpoints"


def test_undamaged_checkpoints_are_used(checkpoints: list[Path], inputs: Path) -> None:
    for path, config in zip(checkpoints, CONFIGS, strict=True):
        for use in uses(path, inputs, config):
            assert use()


def test_changed_checkpoints_are_mistakes(checkpoints: list[Path], inputs: Path, tmp_path: Path) -> None:
    run_mutations(range(1, 40), checkpoints, inputs, tmp_path)


@pytest.mark.slow
def test_three_hundred_changed_checkpoints_are_mistakes(checkpoints: list[Path], inputs: Path, tmp_path: Path) -> None:
    run_mutations(range(1000, 1300), checkpoints, inputs, tmp_path)


def test_a_changed_configuration_is_refused(checkpoints: list[Path], inputs: Path, tmp_path: Path) -> None:
    content = load_checkpoint(checkpoints[0])
    content["config"]["method"]["groups"] = 10**12
    save_checkpoint(tmp_path / "x.pt", content)
    with pytest.raises(DataError, match=r"x\.pt: its configuration was changed after the training"):
        TrialCheckpoint.read(tmp_path / "x.pt")


def test_weights_of_another_configuration_are_refused(checkpoints: list[Path], inputs: Path, tmp_path: Path) -> None:
    content = load_checkpoint(checkpoints[0])
    content["config"]["method"]["groups"] = 7
    content["digest"] = digest(content["config"])
    save_checkpoint(tmp_path / "x.pt", content)
    with pytest.raises(DataError, match=r"x\.pt: the parts .* do not fit each other: .*head.*must be float32 of shape"):
        list(predict_file(tmp_path / "x.pt", inputs))


HOSTILE = """
from pathlib import Path
Path("IMPORTED").touch()
from tests.toy.parts import Waves
class Hostile(Waves):
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "--allow-code", "PYTHONPATH", "stands for an installed package"])
def test_no_class_is_imported_from_the_current_folder(
    checkpoints: list[Path], inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    content = load_checkpoint(checkpoints[1])
    module = "sqlalchemy" if way.startswith("stands") else "hostile"
    (tmp_path / f"{module}.py").write_text(HOSTILE, encoding="utf-8")
    content["config"]["data"]["name"] = f"{module}:Hostile"
    content["digest"] = digest(content["config"])
    save_checkpoint(tmp_path / "x.pt", content)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the toy data set
    if way == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    words = ["--allow-code"] if way == "--allow-code" else []
    done = in_new_process("predict", tmp_path / "x.pt", inputs, *words, cwd=tmp_path)
    allowed = way in ("--allow-code", "PYTHONPATH")
    assert (done.returncode == 0) == allowed, done.stderr
    assert (tmp_path / "IMPORTED").exists() == allowed
    if not allowed:
        assert done.returncode == 2
        assert "add --allow-code" in done.stderr
        assert "Traceback" not in done.stderr
