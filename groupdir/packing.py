"""A trial on a part of a GPU: held to it, and tried out before it trains."""

from __future__ import annotations

import torch

from groupdir.config import TrialConfig
from groupdir.data.base import Dataset
from groupdir.device_memory import limit, told
from groupdir.stages import StageFolder
from groupdir.trainer import Trainer, device_of


def trainer_on_share(config: TrialConfig, dataset: Dataset | None, stages: StageFolder | None, share: float) -> Trainer:
    """A trial in training; one that has not the whole card has taken a step of each stage on trial.

    Args:
        config: The trial.
        dataset: Its data set, where someone has loaded it already.
        stages: Where first stages are shared; None: not at all.
        share: Of a GPU, such as 0.25; 0, 1 or more: all of it.

    Raises:
        DeviceMemoryError: It does not fit.
    """
    device = device_of(config)
    if device.type != "cuda":
        return Trainer(config, dataset, stages)
    torch.cuda.empty_cache()  # of a trial before in this process
    share = min(share, 1.0) or 1.0
    limit(device, share)
    with told(device, share):
        trainer = Trainer(config, dataset, stages)
        if share < 1:
            trainer.dry_step()
            torch.cuda.empty_cache()
    return trainer
