"""JPEGs that a benchmark makes for itself, the data set over them, and the loader that people would take instead."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder


def write_jpegs(root: Path, count: int, side: int) -> None:
    """Pictures of about side x side pixels in ten folders by label, as an `ImageFolder` wants them, and `rows.csv`.

    They are smooth with some noise and about as large as a photograph's file: 1 bit a pixel.
    """
    names = [f"train/{number % 10}/{number}.jpg" for number in range(count)]
    for label in range(10):
        (root / "train" / str(label)).mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda item: _write(root / item[1], item[0], side), enumerate(names)))
    rows = [f"{name},{number % 10},train" for number, name in enumerate(names)]
    rows += [f"{name},{number % 10},val" for number, name in enumerate(names[:10])]
    (root / "rows.csv").write_text("\n".join(["file,y,split", *rows]) + "\n", encoding="utf-8")


def _write(path: Path, seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(side * 4 // 5, side * 6 // 5, 2)
    rough = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    smooth = np.asarray(rough.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = smooth + rng.integers(-6, 7, smooth.shape, dtype=np.int16)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=85)


class PilLoader:
    """Torchvision's `ImageFolder` and `DataLoader` with the published transforms by PIL.

    Args:
        root: As of `write_jpegs`.
        size: Of the pictures.
        batch: Of the batches.
        workers: Processes, which stay from epoch to epoch.
        device: Where batches go.
    """

    def __init__(self, root: Path, size: int, batch: int, workers: int, device: torch.device) -> None:
        published = [
            transforms.Resize((size, size)),
            transforms.RandomCrop(size, padding=16),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
        folder = ImageFolder(str(root / "train"), transforms.Compose(published))
        on_gpu = device.type == "cuda"
        self.device = device
        self.loader = DataLoader(
            folder, batch, shuffle=True, num_workers=workers, pin_memory=on_gpu, persistent_workers=True
        )

    def epoch(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Pictures `(B, 3, size, size)` and labels `(B,)` on the device."""
        for pictures, label in self.loader:
            yield pictures.to(self.device, non_blocking=True), label.to(self.device, non_blocking=True)


def machine(device: torch.device, cores: int) -> str:
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")]
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    return f"{names[0] if names else platform.processor()}, {cores} cores{gpu}; torch {torch.__version__}"


def wait(device: torch.device) -> None:
    """Until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
