"""Distinct groups of a batch and their order by distance, for the group-aware contrastive loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_LEVELS = 256
"""Up to this many distinct groups, a product with memberships is cheaper than sorting every anchor's distances."""


@dataclass(frozen=True)
class Groups:
    """Distinct groups of a batch, H of them. If H is large, every sample counts as a group of its own."""

    value: Tensor  # (H,) int64 or float64
    code: Tensor  # (B,) index of each sample's group
    count: Tensor  # (H,) members
    member: Tensor | None  # (B, H) memberships, 1 or 0; None where every sample is its own group

    @classmethod
    def of(cls, group: Tensor, dtype: torch.dtype) -> Groups:
        """Return the distinct groups of a batch, with memberships in `dtype`. On a GPU this waits for H."""
        group = group.detach().to(torch.float64 if group.is_floating_point() else torch.int64)
        if group.is_floating_point() and not bool(group.isfinite().all()):
            bad = int((~group.isfinite()).sum())
            raise ValueError(f"group must hold finite targets, got {bad} NaN or infinite among {len(group)}")
        value, code, count = torch.unique(group, return_inverse=True, return_counts=True)
        if len(value) > MAX_LEVELS:
            return cls(group, torch.arange(len(group), device=group.device), torch.ones_like(code), None)
        member = code[:, None] == torch.arange(len(value), device=group.device)
        return cls(value, code, count, member.to(dtype))

    def order(self, anchor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return tables `(A, H)` for anchors `(A,)`: groups by distance, how many are nearer, the last one as near."""
        distance = (self.value[anchor, None] - self.value).abs()
        near, ranking = distance.sort(dim=1, stable=True)
        first = torch.searchsorted(near, distance)
        last = torch.searchsorted(near, distance, right=True) - 1
        return ranking, first, last

    def others(self, rows: slice, dtype: torch.dtype) -> Tensor:
        """Count the members `(r, H)` of each group without the anchor itself."""
        anchor = self.code[rows, None] == self.code if self.member is None else self.member[rows]
        return self.count.to(dtype) - anchor.to(dtype)
