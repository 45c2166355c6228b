"""Names of the splits of a data set."""

from __future__ import annotations

from typing import Literal

SplitName = Literal["train", "val", "test"]
