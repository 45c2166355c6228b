"""Trials of the part `packing`: digits-sized ones, and a ResNet-18 on pictures in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.jpegs import write_jpegs
from tests.gpu.part import Setting


def digits(setting: Setting, number: int, epochs: int) -> dict[str, Any]:
    """Return a trial as search_spaces/digits.yaml draws them; trials of other numbers have other groups."""
    joint = {"name": "group_dir", "recipe": "joint", "groups": (10, 20, 5, 40)[number], "temperature": 2.5}
    return {
        "seed": number,
        "data": {"name": "digits"} | ({"train": 256, "val_per_label": 1} if setting.small else {}),
        "encoder": {"name": "convnet"},
        "method": joint,
        "optim": {"name": "adam", "lr": 0.002, "weight_decay": 0.0001, "schedule": "cosine", "warmup_steps": 20},
        "train": {"epochs": epochs, "batch_size": 128, "device": str(setting.device)},
    }


def resnet(
    setting: Setting, root: Path, number: int, epochs: int, method: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a trial with a ResNet-18 in bf16, and with other options of its method if these are given."""
    joint = {"name": "group_dir", "recipe": "joint", "groups": 5}
    return {
        "seed": number,
        "data": {"name": "tests.toy.photos:Lamps", "root": str(root), "size": 32 if setting.small else 112},
        "encoder": {"name": "resnet", "depth": 18},
        "method": joint | dict(method or {}),
        "optim": {"name": "adam", "lr": 0.0002, "schedule": "constant"},
        "train": {
            "epochs": epochs,
            "batch_size": 16 if setting.small else 64,
            "amp": "none" if setting.small else "bf16",
            "device": str(setting.device),
        },
    }


def lamps_root(setting: Setting) -> Path:
    """Return a folder of pictures, which the first call writes."""
    root = setting.folder / "lamps"
    if not root.exists():
        write_jpegs(root, *((16, 40) if setting.small else (1024, 128)))
    return root
