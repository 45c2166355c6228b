"""A data set of small colour pictures in files, named in a YAML as `tests.toy.photos:Lamps`, and the files of one."""

import csv
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from groupdir.config.datasets import PhotosConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.manifest import Rows
from groupdir.data.photos.base import Photos
from groupdir.metrics import ShotSplit

FORMATS: dict[str, Literal["RGB", "L", "P", "CMYK", "RGBA"]] = {
    ".jpg": "RGB",
    ".jpeg": "CMYK",
    ".png": "RGBA",
    ".gif": "P",
    ".bmp": "L",
}


class Lamps(Photos):
    """A lamp that is lower for higher labels, 0..9; `<root>/rows.csv` holds file, label and split."""

    Config = PhotosConfig

    @property
    def targets(self) -> Targets:
        return Targets(low=0, high=10, bin_width=1, unit="steps", center=5, scale=2)

    @property
    def shots(self) -> ShotSplit:
        return ShotSplit.from_train(self.split("train").y, many=12, few=5)

    def rows(self, split: SplitName) -> Rows:
        manifest = Path(self.config.root) / "rows.csv"
        with manifest.open(encoding="utf-8", newline="") as file:
            found = [(n, row) for n, row in enumerate(csv.DictReader(file), 2) if row["split"] == split]
        return Rows(
            tuple(manifest.parent / row["file"] for _, row in found),
            np.array([row["y"] for _, row in found], dtype=np.float32),
            tuple(number for number, _ in found),
            manifest,
        )


def write_lamps(root: Path, train: int = 60, val: int = 10) -> Path:
    """Makes the files of a data set: several formats and modes, sizes and shapes, names beyond ASCII."""
    rng = np.random.default_rng(0)
    lines = ["file,y,split"]
    for split, count in (("train", train), ("val", val), ("test", val)):
        (root / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            label = number % 10
            suffix = list(FORMATS)[number % len(FORMATS)]
            name = f"{split}/{number} Bjørk 名{suffix}"
            lamp(label, rng, FORMATS[suffix]).save(root / name)
            lines.append(f"{name},{label},{split}")
    (root / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def lamp(label: int, rng: np.random.Generator, mode: str = "RGB") -> Image.Image:
    """A picture of about 50x40 pixels with noise."""
    height, width = rng.integers(36, 60, 2)
    pixels = rng.integers(0, 60, (height, width, 3))
    top = int(height * (0.1 + 0.07 * label))
    pixels[top : top + height // 6, width // 4 : width // 2] += np.array([190, 150, 60])
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)
