"""Random structural changes to the content of a checkpoint."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def junk(rng: random.Random) -> Any:
    """Return a value that `torch.load` reads and that no checkpoint should hold at most places."""
    itself: list[Any] = []
    itself.append(itself)
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    return rng.choice(
        [
            None, True, -1, 0, 3, 10**30, 2**63, 0.5, float("nan"), float("inf"), -1e308, "", "x" * 20_000, "a\nb",
            "\0", b"bytes", [], {}, (), [1, 2], {"a": 1}, {1: 2}, {None: None}, {"name": "vanilla"},
            {"name": "os:system"}, itself, deep, OrderedDict(), set(),
            torch.zeros(0), torch.zeros(()),
            torch.zeros(3, 3),
            torch.zeros(2).bool(),
            torch.full((5,), float("nan")), torch.zeros(4, dtype=torch.complex64), torch.zeros(2, dtype=torch.int64),
            torch.zeros(1, 1).expand(300, 300), torch.Size([3]), torch.float64, "vector", "image", "token_pair",
            (10**9,), (10**6, 10**6), (8, 0), (-8,), ["a", "b"], list(range(3_000)),
            {str(key): key for key in range(3_000)},
        ]
    )  # fmt: skip


def places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield the holder and the key of every value in nested mappings."""
    if isinstance(value, dict) and depth < 6:
        for key in list(value):
            yield value, key
            yield from places(value[key], depth + 1)


def changed_tensor(tensor: Tensor, rng: random.Random) -> Tensor:
    """Return a tensor of another shape, type or content."""
    kind = rng.randrange(7)
    if kind == 0:
        return tensor[..., None]
    if kind == 1:
        return tensor.flatten()[: max(0, tensor.numel() - 1)].clone()
    if kind == 2:
        return tensor.to(rng.choice([torch.int64, torch.float64, torch.float16, torch.bool, torch.complex64]))
    if kind == 3:
        return torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor * 0 - 5
    if kind == 4:
        return tensor.repeat(2, *[1] * (tensor.ndim - 1)) if tensor.ndim else tensor.repeat(2)
    if kind == 5:
        return tensor.to_sparse() if tensor.ndim else tensor[None]
    return torch.nn.Parameter(tensor.float()).data.requires_grad_()


def mutated(content: dict[str, Any], other: dict[str, Any], seed: int) -> Any:
    """Return a copy of the content of a checkpoint after one to three random changes.

    Args:
        content: Content of a checkpoint.
        other: Content of a checkpoint of another method.
        seed: Seed of the changes.
    """
    rng = random.Random(seed)
    if seed % 50 == 0:
        return junk(rng)
    content = copy.deepcopy(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = list(places(content))
        top = [(content, key) for key in content]
        if not found:
            break
        holder, key = rng.choice(top if rng.random() < 0.4 else found)
        kind = rng.randrange(8)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[f"{key}x"] = holder.pop(key)
        elif kind == 2 and key in other:
            holder[key] = copy.deepcopy(other[key])
        elif kind in (3, 4) and isinstance(holder[key], Tensor):
            holder[key] = changed_tensor(holder[key], rng)
        elif kind == 5:
            source, name = rng.choice(found)
            if name in source:
                holder[key] = copy.deepcopy(source[name])
        else:
            holder[key] = junk(rng)
    return content
