"""Flips of one bit in the YAML files that are read back: none goes unseen where a file carries a checksum."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groupdir.config.benchmark import load_benchmark
from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.errors import GroupdirError
from groupdir.files.sealed import seal_text
from tests.flips import FLIPS, flips

SPACE = """\
# A search space that somebody has written.
name: waves
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16, 24]}
method: {name: group_dir, groups: {int_range: [3, 12]}, temperature: {log_uniform: [0.5, 8]}}
optim: {lr: {log_uniform: [0.001, 0.03]}}
train: {epochs: 40, batch_size: 64}
search: {trials: 25, objectives: {val_mae_many: min, val_mae_few: min}, scheduler: {name: pareto_asha}}
"""
BENCHMARK = """\
name: grid
benchmark: {shape: group_losses, seeds: 2}
data: {name: "tests.toy.parts:Waves"}
encoder: {name: mlp, widths: [16]}
method: {name: group_dir, recipe: joint}
train: {epochs: 2, batch_size: 32}
grid: {method.groups: [2, 5], method.group_loss: [soft]}
"""


def trial() -> str:
    """Return a chosen configuration as `select` writes it: a header, every option, and the checksum."""
    space = StudyConfig.from_dict(content(SPACE)).space
    config = space.build(next(space.corners())).with_seed(3)
    return seal_text(f"# study: waves\n# trial: 3 (finished)\n# digest: {config.digest}\n{config.to_yaml()}")


def content(text: str) -> dict[str, Any]:
    return Document.parse(text).data


def meaning_of_trial(path: Path) -> object:
    return TrialConfig.load(path).to_dict()


def meaning_of_space(path: Path) -> object:
    return load_space(path).to_dict()


def meaning_of_benchmark(path: Path) -> object:
    return load_benchmark(path).document.data


def outcomes(folder: Path, text: str, meaning: Callable[[Path], object]) -> dict[str, int]:
    """Return how many flips end in the same meaning, an error of the project, a warning, or another meaning.

    Any other error, or one that does not name the file, fails the test: a user cannot see from it what to do.
    """
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = meaning(path)
    counts = dict.fromkeys(("same", "error", "warning", "other"), 0)
    errors = []
    for changed in flips(text.encode()):
        path.write_bytes(changed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                read = meaning(path)
            except GroupdirError as error:
                errors.append(str(error))
                counts["error"] += 1
                continue
        said = any(f"{path}: was edited after it was written" in str(one.message) for one in caught)
        counts["same" if read == expected else "warning" if said else "other"] += 1
    assert all(str(path) in error for error in errors)
    return counts


SEALED: dict[str, tuple[Callable[[], str], Callable[[Path], object]]] = {
    "chosen configuration": (trial, meaning_of_trial),
    "study": (lambda: seal_text(StudyConfig.from_dict(content(SPACE)).to_yaml()), meaning_of_space),
    "benchmark": (lambda: seal_text(BENCHMARK), meaning_of_benchmark),
}


@pytest.mark.parametrize("kind", SEALED)
def test_no_flipped_bit_of_a_file_with_a_checksum_goes_unseen(tmp_path: Path, kind: str) -> None:
    """An edit by hand is allowed and named by a warning, so that a damaged value is named too."""
    text, meaning = SEALED[kind]
    counts = outcomes(tmp_path, text(), meaning)
    assert counts["other"] == 0
    assert counts["error"] > FLIPS // 4
    assert counts["warning"] > 0, "a flipped digit is another valid value"


def test_a_flipped_digit_of_a_space_written_by_hand_is_an_edit(tmp_path: Path) -> None:
    """Nobody has written a checksum. Most flips are mistakes with file and line; the others are valid spaces.

    What a study has run with is in its event log, which carries checksums, so a later flip cannot change it.
    """
    counts = outcomes(tmp_path, SPACE, meaning_of_space)
    assert counts["warning"] == 0
    assert counts["error"] > FLIPS // 3
    assert 0 < counts["other"] < FLIPS // 4
