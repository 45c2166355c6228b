"""Predictions of a method for a split, and their metrics per shot."""

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
    """Predictions of a method for N inputs, on the CPU.

    Attributes:
        value: (N,) float64, in label units.
        group: (N,) int64, the predicted groups, or None for a method without groups.
        experts: (N, G) float64, the value of every expert in label units, or None for a method without experts.
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
    """Return the predictions in evaluation mode. Afterwards every module has its previous mode again.

    Args:
        method: The method, on its device.
        inputs: Tensors of N rows each, on any device.
        batch_size: Number of rows per batch.
        amp: "bf16" for autocast, or "none".
        present: Function from a batch on the device to the encoder's inputs; see `Dataset.present`.
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


def true_groups(method: Method, y: np.ndarray) -> np.ndarray | None:
    """Return the group (N,) int64 of each target (N,), in label units, or None for a method without groups."""
    groups = method.true_group(torch.from_numpy(np.array(y)))
    return None if groups is None else groups.numpy()


def errors(method: Method, predictions: Predictions, y: np.ndarray, shots: ShotSplit, prefix: str) -> dict[str, float]:
    """Return the metrics of predictions, each name with a prefix such as "val_".

    A method with groups adds the metrics of groups. A method with experts adds `oracle_mae_all` and the same of each
    shot: the error if the expert of the true group were always used. The oracle metrics are diagnostics, by which
    nothing may be chosen.

    Args:
        method: The method, which knows the true group of a target.
        predictions: Predictions for N inputs.
        y: (N,) targets in label units.
        shots: Which labels are many, median and few.
        prefix: Prefix of every name.
    """
    metrics = shot_metrics(predictions.value, y, shots)
    true = true_groups(method, y)
    if true is not None and predictions.group is not None:
        metrics |= group_metrics(predictions.group, true)
        if predictions.experts is not None:
            oracle = np.take_along_axis(predictions.experts, true[:, None], axis=1)[:, 0]
            values = shot_metrics(oracle, y, shots)
            metrics |= {ORACLE + name: value for name, value in values.items() if name.startswith("mae_")}
    return {prefix + name: value for name, value in metrics.items()}
