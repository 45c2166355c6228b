"""Fit of the parts of a trial: inputs that its encoder cannot read, or that its method cannot use.

The options alone tell this for the registered plug-ins, so it is known before data is read and without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from groupdir.config.trial import TrialConfig
from groupdir.errors import FieldError


def misfits(config: TrialConfig, augments: bool | None = None) -> dict[str, str]:
    """Return a message for each address at which two parts of a trial do not fit each other.

    Args:
        config: The trial.
        augments: Whether the data set augments, so that two views of a sample differ; None: as its class says.
    """
    messages: dict[str, str] = {}
    kind, kinds = config.data.kind, config.encoder.kinds
    if kind is not None and kinds and kind not in kinds:
        messages["encoder.name"] = unreadable_kind(config.encoder.name, kinds, kind)
    try:
        config.method.check_inputs(config.data)
    except FieldError as error:
        messages[".".join(("method", *error.address))] = str(error)
    if not (config.augments if augments is None else augments):
        for stage in config.stages:
            if stage.views > 1:
                messages["method"] = (
                    f"{config.method.name}: stage {stage.name} asks for {stage.views} views of each sample, but data "
                    f"set {config.data.name} has no augmentation, so all views would be equal: set views (of that "
                    "stage) to 1"
                )
    return messages


def unreadable_kind(encoder: str, kinds: Sequence[str], kind: str) -> str:
    """Return the message about inputs that an encoder cannot read.

    Args:
        encoder: Name of the encoder.
        kinds: Kinds of inputs that the encoder reads.
        kind: Kind of the data set's inputs.
    """
    return f"{encoder} reads {' or '.join(kinds)}, but the data set gives {kind}: take another encoder"
