"""Trainer on a share of a GPU, with a memory cap and a dry run before training."""

from __future__ import annotations

import torch

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset
from groupdir.training.device_memory import explain_out_of_memory, limit
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import Trainer, device_of


def trainer_on_share(config: TrialConfig, dataset: Dataset | None, stages: StageFolder | None, share: float) -> Trainer:
    """Return a trainer on a share of a GPU. Below a full GPU, dry-run one step per stage to check that it fits.

    Args:
        config: Trial to train.
        dataset: Data set of the trial, if it is loaded already.
        stages: Folder that shares first stages between trials. None: they are not shared.
        share: Share of a GPU, such as 0.25. With 1 or more, the trial has a full GPU. With 0, it has no GPU, and if
            `train.device` is auto it trains on the CPU even on a machine with a GPU.

    Raises:
        DeviceMemoryError: If the trial does not fit into its share of the memory.
    """
    device = device_of(config) if share or config.train.device != "auto" else torch.device("cpu")
    if device.type != "cuda":
        return Trainer(config, dataset, stages, device)
    torch.cuda.empty_cache()  # of an earlier trial in this process
    share = min(share, 1.0) or 1.0
    limit(device, share)  # before the peak is reset, which needs CUDA to be initialised
    torch.cuda.reset_peak_memory_stats(device)
    with explain_out_of_memory(device, share):
        trainer = Trainer(config, dataset, stages, device)
        if share < 1:
            trainer.dry_step()
            torch.cuda.empty_cache()
    return trainer
