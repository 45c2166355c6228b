"""The rows of a manifest: which picture file has which label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Rows:
    """The rows of one split.

    Attributes:
        files: N picture files.
        y: (N,) float32, in label units.
        numbers: N row numbers in the manifest, for messages.
        manifest: The file that they stand in.
    """

    files: tuple[Path, ...]
    y: np.ndarray
    numbers: tuple[int, ...]
    manifest: Path
