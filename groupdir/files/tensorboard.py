"""TensorBoard files of a trial: scalars per epoch, and the entry of the HParams plug-in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self


class TrialWriter:
    """Writer of one trial's TensorBoard files. Use it in a `with` block, which closes it.

    Args:
        folder: Folder of this trial alone.
        params: Name -> value, for the HParams plug-in. Values other than numbers and booleans are shown as text.
        metrics: Metrics that the plug-in shows next to the parameters.
    """

    def __init__(
        self, folder: str | Path, params: Mapping[str, Any] | None = None, metrics: tuple[str, ...] = ()
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter  # late: it loads torch
        from torch.utils.tensorboard.summary import hparams

        self._writer = SummaryWriter(str(folder))
        if params:
            plain = {
                name: value if isinstance(value, bool | int | float) else str(value) for name, value in params.items()
            }
            # SummaryWriter.add_hparams would open a folder of its own.
            file: Any = self._writer._get_file_writer()  # type: ignore[no-untyped-call]
            for record in hparams(plain, dict.fromkeys(metrics, 0.0)):  # type: ignore[no-untyped-call]
                file.add_summary(record)

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Write one epoch's metrics, except those that are missing or not finite."""
        for name, value in metrics.items():
            if value is not None and math.isfinite(value):
                self._writer.add_scalar(name, value, epoch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
