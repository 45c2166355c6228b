"""TensorBoard records of a trial: scalars per epoch, and the HParams plug-in's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams


class TrialWriter:
    """Writes one trial's records into a folder; closed by `with`.

    Args:
        folder: One a trial.
        params: Name -> value, for the HParams plug-in; anything but numbers and flags is shown as text.
        metrics: The metrics that the plug-in shows beside them.
    """

    def __init__(
        self, folder: str | Path, params: Mapping[str, Any] | None = None, metrics: tuple[str, ...] = ()
    ) -> None:
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
        """One epoch's metrics; those that are missing or NaN are left out."""
        for name, value in metrics.items():
            if value is not None and math.isfinite(value):
                self._writer.add_scalar(name, value, epoch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
