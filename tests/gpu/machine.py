"""Hardware and versions behind a table of the GPU check: card, driver, packages, commit."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess

import torch

from groupdir.node.probe import code_digest, driver_cuda
from tests.checkout import ROOT

PACKAGES = ("torch", "torchvision", "triton", "numpy", "ray", "optuna")


def about(device: torch.device, cores: int) -> dict[str, str]:
    """Return what the figures depend on, as texts by name."""
    facts = {"card": "none (CPU)"}
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        facts = {
            "card": f"{card.name}, {card.total_memory / 2**30:.0f} GiB",
            "driver": _driver(),
            "CUDA": f"{torch.version.cuda} (driver: up to {driver_cuda()})",
        }
    facts |= {"cores": str(cores), "Python": platform.python_version()}
    facts |= {name: version for name in PACKAGES if (version := _version(name))}
    return facts | {"commit": _commit(), "groupdir": code_digest()}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def _commit() -> str:
    """Return the commit of the checkout, with a mark if files were changed; "unknown" without a repository."""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
