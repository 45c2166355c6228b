"""Training of one trial: epochs, checkpoints, shared stages, evaluation."""

from groupdir.training.trainer import EpochResult, run_trial

__all__ = ["EpochResult", "run_trial"]
