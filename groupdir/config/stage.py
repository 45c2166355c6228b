"""Stages of a training, as described by the configuration alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from groupdir.config.optimizers import OptimConfig


@dataclass(frozen=True)
class Stage:
    """Stage of a training, with a separate optimizer.

    Attributes:
        name: Name such as "pretrain" or "fit"; different for each stage of a training.
        epochs: Number of epochs, at least 1.
        optim: Options of the optimizer; by default those of the trial.
        views: Random views of each sample in a batch. With two, the batch holds the first views, then the second.
        encoder_lr: Factor of the encoder's learning rate; 0 freezes the encoder.
        predicts: Whether the heads predict in the stage. Epochs of a stage that does not predict have no validation
            errors, and schedulers do not count them.
        frozen_norms: Whether freezing the encoder freezes the running statistics of its batch norms too.
    """

    name: str
    epochs: int
    optim: OptimConfig = field(default=None)  # type: ignore[assignment]  # `with_optim` fills it in
    views: int = 1
    encoder_lr: float = 1.0
    predicts: bool = True
    frozen_norms: bool = True


@dataclass(frozen=True)
class Position:
    """Position of an epoch within the stages of its training.

    Attributes:
        index: Number of the stage, from 0.
        stage: Stage of the epoch.
        stage_epoch: Epochs of the stage so far, this one included.
        fidelity: Epochs of predicting stages so far, this one included. Trials are compared at equal fidelity.
    """

    index: int
    stage: Stage
    stage_epoch: int
    fidelity: int


def with_optim(stages: Any, optim: OptimConfig) -> Any:
    """Return stages in which each stage without an optimizer has the given one, as a tuple.

    Anything but a tuple or list of stages is returned as it is, for `check_stages` to refuse.
    """
    if not isinstance(stages, tuple | list) or not all(isinstance(stage, Stage) for stage in stages):
        return stages
    return tuple(replace(stage, optim=optim) if stage.optim is None else stage for stage in stages)


def position(stages: Sequence[Stage], epoch: int) -> Position:
    """Return the position of an epoch.

    Args:
        stages: Stages of the training.
        epoch: Number of the epoch, counted from 1 over all stages.

    Raises:
        ValueError: If the training has no such epoch.
    """
    before = fidelity = 0
    for index, stage in enumerate(stages):
        stage_epoch = min(epoch - before, stage.epochs)
        fidelity += stage_epoch if stage.predicts else 0
        if stage_epoch == epoch - before > 0:
            return Position(index, stage, stage_epoch, fidelity)
        before += stage.epochs
    raise ValueError(f"epoch must be from 1 to {before}, got {epoch}")


def epochs_of(stages: Sequence[Stage], predicts: bool = True) -> int:
    """Return the number of epochs of the stages that predict, or of the stages that do not."""
    return sum(stage.epochs for stage in stages if stage.predicts == predicts)


def shareable(stages: Sequence[Stage]) -> Stage | None:
    """Return the first stage if one trial can train it for other trials, else None.

    A stage that predicts is not shared, because trials that reuse it would have no errors for comparisons.
    """
    return stages[0] if len(stages) > 1 and not stages[0].predicts else None


def check_stages(stages: Sequence[Stage]) -> None:
    """Refuse stages that cannot be trained.

    Raises:
        ValueError: If there is no stage, a name is empty or repeated, a stage has no epoch or a part of one, no stage
            predicts, or a method of one's own returned something else than stages.
    """
    if not isinstance(stages, tuple | list):
        raise ValueError(f"must return its stages as a tuple of Stage, got {type(stages).__name__}")
    if others := [stage for stage in stages if not isinstance(stage, Stage)]:
        raise ValueError(f"must return its stages as a tuple of Stage, got one with {others[0]!r}")
    names = [stage.name for stage in stages]
    if not names:
        raise ValueError("must have at least one stage, got none")
    if wrong := [name for name in names if not isinstance(name, str) or not name.isprintable()]:
        raise ValueError(f"must have stages whose names are text in one line, got {wrong[0]!r}")
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"must have stages with different names, got {', '.join(map(repr, names))}")
    if part := next((stage for stage in stages if not isinstance(stage.epochs, int)), None):
        raise ValueError(f"stage {part.name} must have a whole number of epochs, got {part.epochs!r}")
    if empty := next((stage for stage in stages if stage.epochs < 1), None):
        raise ValueError(f"stage {empty.name} must have at least 1 epoch, got {empty.epochs}")
    if not any(stage.predicts for stage in stages):
        raise ValueError(f"must have a stage that predicts, got only {', '.join(names)}, which do not")
