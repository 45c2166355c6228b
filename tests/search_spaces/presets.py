"""The presets of published settings: their files, the options in their heads, and a small folder like AgeDB-DIR."""

import gzip
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer
from tests.checkout import ROOT

PAPER = ROOT / "search_spaces/paper"
AGES = sorted(path.stem for path in PAPER.glob("ages_*.yaml"))
STSB = sorted(path.stem for path in PAPER.glob("stsb_*.yaml"))
FACES = ("data=faces", "encoder=convnet", "data.train=300")
TOKENS = ("data.dimension=8", "encoder.width=16")
SMALL = ("data.size=32", "encoder.depth=18")

SPREAD = (1, 2, 10, 11, 13, 14, 28, 29, 31, 32, 37, 38, 40, 41)
"""Ages no two of which are equally far from a third, so that no rank is tied."""

TRAIN_AGES = (*SPREAD, 3, 3, 20, 22, 35, 35, 36, 36, 45, 50, 51, 60, 60, 62, 75, 80, 98, 99, 99, 100, 101, 101)


def path_of(stem: str) -> Path:
    """Return the file of a preset."""
    return PAPER / f"{stem}.yaml"


def head(stem: str) -> list[str]:
    """Return the lines of the comment at the head of a preset, without their marks."""
    lines = path_of(stem).read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#") for line in lines if line.startswith("#")]


def options(stem: str, start: str) -> list[str]:
    """Return the values of `--set` in the head of a preset, in the line with this start and those indented below it."""
    lines = head(stem)
    first = next(index for index, line in enumerate(lines) if line.startswith(start))
    words = lines[first].removeprefix(start)
    for line in lines[first + 1 :]:
        if not re.match(r"   ?--set", line):
            break
        words += line
    flags = shlex.split(words)
    assert flags[::2] == ["--set"] * (len(flags) // 2), flags
    return flags[1::2]


def write_agedb(root: Path) -> Path:
    """Write pictures of 32x32 pixels in AgeDB-DIR's layout: `TRAIN_AGES`, and three pictures in val and in test."""
    folder, rng = root / "agedb-dir", np.random.default_rng(0)
    (folder / "AgeDB").mkdir(parents=True)
    lines = ["age,path,split"]
    ages = [
        *((age, "train") for age in TRAIN_AGES),
        *((age, split) for split in ("val", "test") for age in (20, 35, 99)),
    ]
    for number, (age, split) in enumerate(ages):
        name = f"AgeDB/{number}_Name_{age}_m.jpg"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / name, "JPEG")
        lines.append(f"{age},{name},{split}")
    (folder / "agedb.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def write_stsb(root: Path) -> tuple[Path, list[float]]:
    """Write pairs of varied sentences in STS-B-DIR's layout, and vectors of 8 numbers for their words.

    Returns:
        The parent of the folder, and the scores of the training pairs: one in the middle of each of the 50 bins, the
        ends 0 and 5, and some bins a second time.
    """
    folder, rng = root / "sts-b-dir", np.random.default_rng(0)
    folder.mkdir()
    words = [f"word{number}" for number in range(40)]
    scores = [0.05 + number / 10 for number in range(50)] + [0.0, 5.0, 1.25, 1.26, 3.75, 4.15]
    for file, values in (("train_new", scores), ("dev_new", [1.0, 2.0, 4.0]), ("test_new", [1.0, 2.0, 4.0])):
        lines = ["index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"]
        for number, score in enumerate(values):
            pair = "\t".join(" ".join(rng.choice(words, 5)) for _ in "uv")
            lines.append(f"{number}\tg\tf\t2012\t{number}\tn\tn\t{pair}\t{score:.3f}")
        (folder / f"{file}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    vectors = [" ".join([word, *(f"{value:.4f}" for value in rng.normal(size=8))]) for word in words]
    (folder / "static-300d.txt.gz").write_bytes(gzip.compress(("\n".join(vectors) + "\n").encode()))
    return root, scores


def trial(stem: str, overrides: Sequence[str]) -> TrialConfig:
    """Return the trial of a preset with these changes, with one epoch in each stage."""
    config = TrialConfig.load(path_of(stem), overrides)
    changes: dict[str, Any] = {"train.epochs": 1}
    if getattr(config.method, "pretrain", None) is not None:
        changes["method.pretrain.epochs"] = 1
    return config.replaced(changes)


def agedb_trainer(stem: str, root: Path) -> Trainer:
    """Return a trainer of a preset on the small folder, with small pictures and a ResNet-18."""
    return Trainer(trial(stem, (f"data.root={root}", *SMALL)))


def stsb_trainer(stem: str, root: Path) -> Trainer:
    """Return a trainer of a preset on the small pairs, with short vectors and a narrow BiLSTM."""
    return Trainer(trial(stem, (f"data.root={root}", *TOKENS)))
