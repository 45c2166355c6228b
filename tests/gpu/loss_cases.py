"""Every loss function at its extremes: arguments that strain its numbers, for a comparison with float64 on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import Tensor

from groupdir import losses

Inputs = dict[str, Tensor]
GROUPS = 6


@dataclass(frozen=True)
class LossCase:
    """A loss with arguments of one kind.

    Attributes:
        name: Name of the function and what is extreme.
        function: The loss, of the tensors in `tensors` by name.
        tensors: Arguments in float64 or int64, on the CPU.
        slopes: Names of the tensors whose gradients are compared.
        exact: Whether values and gradients are compared. Without it they must only be finite: the loss has a jump.
    """

    name: str
    function: Callable[..., Tensor]
    tensors: Inputs
    slopes: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    exact: bool = True


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def _features(kind: str, batch: int, dim: int = 16) -> Tensor:
    """Return features `(B, D)` in float64 whose values float32 and bf16 can hold."""
    z = torch.randn(batch, dim, generator=_generator(), dtype=torch.float64)
    if kind == "tiny":
        z = z * 2.0**-40
    elif kind == "huge":
        z = z * 2.0**40
    elif kind == "zeros":
        z[::3] = 0
    elif kind == "duplicates":
        z[batch // 2 :] = z[: batch - batch // 2]
    return z.bfloat16().double()


def _targets(batch: int, kind: str = "") -> Tensor:
    y = torch.randint(0, 60, (batch,), generator=_generator()).double()
    return torch.full_like(y, 7) if kind == "one_group" else y


FEATURES = ("usual", "tiny", "huge", "zeros", "duplicates", "one_group")
BATCHES = (1, 2, 40)


def _of_features() -> Iterator[LossCase]:
    etf = losses.simplex_etf(16, GROUPS, generator=_generator())
    for kind, batch in product(FEATURES, BATCHES):
        z, y = _features(kind, batch), _targets(batch, kind)
        group = (y // 10).long()
        name = f"{kind}-{batch}"
        for similarity, on, temperature in product(
            ("negative_l2", "cosine", "negative_unit_l2"), ("groups", "targets"), (0.02, 2.0)
        ):
            yield LossCase(
                f"group_contrastive-{similarity}-{on}-{temperature}-{name}",
                losses.group_contrastive_loss,
                {"z": z, "group": group if on == "groups" else y},
                ("z",),
                {"temperature": temperature, "similarity": similarity},
                # Distances of 1e13 over t are exponents whose float64 rounding is larger than 1.
                exact=kind != "huge" or similarity != "negative_l2",
            )
        prediction = y + 3 * torch.randn(batch, generator=_generator(), dtype=torch.float64)
        tensors = {"z": z, "y": y, "prediction": prediction.bfloat16().double()}
        for temperature in (0.01, 0.5):
            options = {"temperature": temperature}
            yield LossCase(f"conr-{temperature}-{name}", losses.conr_loss, tensors, ("z",), options)
        tied = kind in ("duplicates", "zeros")  # ranks of equal cosines depend on the last bit
        yield LossCase(f"ranksim-{name}", _ranksim, {"z": z, "y": y}, ("z",), exact=not tied)
        yield LossCase(
            f"etf_dot_regression-{name}",
            losses.etf_dot_regression_loss,
            {"z": z, "group": group, "etf": etf},
            ("z",),
            {"length_penalty": 0.01},
        )
        variance = _features(kind, batch).abs() + 2.0**-30
        yield LossCase(
            f"gaussian_kl-{name}",
            losses.gaussian_kl_loss,
            {"mean": z * (2.0**-20 if kind == "huge" else 1), "variance": variance},
            ("mean", "variance"),
        )


def _ranksim(z: Tensor, y: Tensor) -> Tensor:
    """Return the loss with random picks that are the same on every device."""
    return losses.ranksim_loss(z, y, generator=_generator())


ERRORS = {"none": 0.0, "tiny": 2.0**-20, "usual": 2.0, "huge": 2.0**20}


def _of_predictions() -> Iterator[LossCase]:
    for (kind, error), batch in product(ERRORS.items(), BATCHES):
        y = _targets(batch)
        step = error * torch.randn(batch, generator=_generator(), dtype=torch.float64)
        # Small errors around targets of 0, because float32 cannot hold 40 + 2^-20.
        y = torch.zeros_like(y) if kind == "tiny" else y
        tensors = {"prediction": (y + step).bfloat16().double(), "y": y}
        centers = torch.arange(60, dtype=torch.float64)
        weights = torch.exp(-centers / 10)
        for sigma in (2.0**-7, 8.0):
            name, both = f"{sigma}-{kind}-{batch}", ("prediction", "sigma")
            widened = {**tensors, "sigma": torch.tensor(sigma, dtype=torch.float64)}
            histogram = {**widened, "centers": centers, "weights": weights}
            mixture = {**widened, "means": centers[::10], "variances": weights[::10], "weights": weights[::10]}
            yield LossCase(f"batch_monte_carlo-{name}", losses.batch_monte_carlo_loss, widened, both)
            yield LossCase(f"bucket_integration-{name}", losses.bucket_integration_loss, histogram, both)
            yield LossCase(f"gmm_integration-{name}", losses.gmm_integration_loss, mixture, both)
        for base, gamma in product(("l1", "mse"), (0.5, 2.0)):
            options = {"base": base, "gamma": gamma}
            name = f"focal-{base}-{gamma}-{kind}-{batch}"
            yield LossCase(name, losses.focal_loss, tensors, ("prediction",), options)


LOGITS = {"zero": 0.0, "usual": 2.0, "extreme": 2.0**12}


def _of_outputs() -> Iterator[LossCase]:
    for (kind, scale), batch in product(LOGITS.items(), BATCHES):
        group = torch.randint(0, GROUPS, (batch,), generator=_generator())
        logits = (scale * torch.randn(batch, GROUPS, generator=_generator(), dtype=torch.float64)).bfloat16().double()
        tensors, name = {"logits": logits, "group": group}, f"{kind}-{batch}"
        for beta in (0.125, 64.0):
            yield LossCase(f"soft_label-{beta}-{name}", losses.soft_label_loss, tensors, ("logits",), {"beta": beta})
        counts = {"counts": [1, 10, 100, 1000, 10000, 100000], "tau": 2.0}
        yield LossCase(f"logit_adjusted-{name}", losses.logit_adjusted_loss, tensors, ("logits",), counts)
        raw, y = logits[:, :4] / 4, _targets(batch)
        for sharpness in (0.01, 1.0):
            given = {"raw": raw, "y": y}
            yield LossCase(f"evidential-{sharpness}-{name}", _evidential, given, ("raw",), {"sharpness": sharpness})
        yield LossCase(f"conjugate-{name}", _conjugate, {"raw": raw[:, :3], "y": y}, ("raw",))


def _evidential(raw: Tensor, y: Tensor, sharpness: float) -> Tensor:
    return losses.evidential_loss(losses.evidential_parameters(raw, sharpness=sharpness), y)


def _conjugate(raw: Tensor, y: Tensor) -> Tensor:
    return losses.evidential_loss(losses.conjugate_parameters(raw, torch.full_like(y, 2.0)), y)


LOSS_CASES = {case.name: case for cases in (_of_features, _of_predictions, _of_outputs) for case in cases()}
"""All cases by name."""

NOT_COMPARED = {"etf_lengths", "simplex_etf"}
"""Functions of `groupdir.losses` that are tables and no losses."""


def families() -> dict[str, list[LossCase]]:
    """Return the cases by the first part of their names."""
    found: dict[str, list[LossCase]] = {}
    for name, case in LOSS_CASES.items():
        found.setdefault(name.partition("-")[0], []).append(case)
    return found
