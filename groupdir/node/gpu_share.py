"""A trial on a part of a GPU: held to it, and tried out before it trains."""

from __future__ import annotations

import torch

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset
from groupdir.training.device_memory import limit, told
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import Trainer, device_of


def trainer_on_share(config: TrialConfig, dataset: Dataset | None, stages: StageFolder | None, share: float) -> Trainer:
    """A trial in training; one that has not the whole card has taken a step of each stage on trial.

    Args:
        config: The trial.
        dataset: Its data set, where someone has loaded it already.
        stages: Where first stages are shared; None: not at all.
        share: Of a GPU, such as 0.25; 1 or more: all of it; 0: it was given none, and where `train.device` is auto it
            trains without, even on a machine that has one.

    Raises:
        DeviceMemoryError: It does not fit.
    """
    device = device_of(config) if share or config.train.device != "auto" else torch.device("cpu")
    if device.type != "cuda":
        return Trainer(config, dataset, stages, device)
    torch.cuda.empty_cache()  # of a trial before in this process
    torch.cuda.reset_peak_memory_stats(device)
    share = min(share, 1.0) or 1.0
    limit(device, share)
    with told(device, share):
        trainer = Trainer(config, dataset, stages, device)
        if share < 1:
            trainer.dry_step()
            torch.cuda.empty_cache()
    return trainer
