"""Predictions over a split, and their errors per shot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from groupdir.data.base import Inputs
from groupdir.data.transfer import on_device
from groupdir.methods.base import Method
from groupdir.metrics import ORACLE, ShotSplit, group_metrics, shot_metrics


@dataclass(frozen=True)
class Predictions:
    """What a method says of N inputs, on the CPU.

    Attributes:
        value: (N,) float64, in label units.
        group: (N,) int64, the predicted group, or None.
        experts: (N, G) float64, every expert's value, or None.
    """

    value: np.ndarray
    group: np.ndarray | None
    experts: np.ndarray | None


def predict(
    method: Method,
    inputs: Inputs,
    batch_size: int,
    amp: str = "none",
    present: Callable[[Inputs], Inputs] = lambda inputs: inputs,
) -> Predictions:
    """Predicts in evaluation mode; the method's mode is as before afterwards.

    Args:
        method: On its device.
        inputs: Tensors of N rows each, on any device.
        batch_size: Rows at a time.
        amp: "bf16" for autocast, or "none".
        present: What the encoder is given of a batch on its device; see `Dataset.present`.
    """
    device = next(method.parameters()).device
    was_training = {module: module.training for module in method.modules()}
    method.eval()
    parts = []
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=amp == "bf16"):
        for start in range(0, len(inputs[0]), batch_size):
            rows = tuple(on_device(tensor[start : start + batch_size], device) for tensor in inputs)
            parts.append(method.predict(*present(rows)))
    for module, mode in was_training.items():
        module.training = mode
    value = torch.cat([part.value for part in parts])
    group = None if parts[0].group is None else torch.cat([part.group for part in parts if part.group is not None])
    experts = (
        None if parts[0].experts is None else torch.cat([part.experts for part in parts if part.experts is not None])
    )
    return Predictions(
        value.double().cpu().numpy(),
        None if group is None else group.cpu().numpy(),
        None if experts is None else experts.double().cpu().numpy(),
    )


def errors(method: Method, predictions: Predictions, y: np.ndarray, shots: ShotSplit, prefix: str) -> dict[str, float]:
    """Metrics of predictions, each name with a prefix such as "val_".

    Methods with groups add the metrics of groups, and those with experts `oracle_mae_all` and that of each shot: the
    error if the true group's expert were always taken. That is a diagnostic; nothing may be chosen by it.

    Args:
        method: For the true groups.
        predictions: Of N inputs.
        y: (N,) targets in label units.
        shots: Which labels are many, median and few.
        prefix: Of every name.
    """
    found = shot_metrics(predictions.value, y, shots)
    true = method.true_group(torch.from_numpy(np.array(y)))
    if true is not None and predictions.group is not None:
        found |= group_metrics(predictions.group, true.numpy())
        if predictions.experts is not None:
            oracle = np.take_along_axis(predictions.experts, true.numpy()[:, None], axis=1)[:, 0]
            values = shot_metrics(oracle, y, shots)
            found |= {ORACLE + name: value for name, value in values.items() if name.startswith("mae_")}
    return {prefix + name: value for name, value in found.items()}
