"""Report on a node as plain values: software, GPUs, data, storage and disks.

`launch doctor` collects a report from every node and compares them. This file only measures, and it does not import
Ray, so each function also runs in a shell or in a test.
"""

from __future__ import annotations

import csv
import ctypes
import hashlib
import importlib.metadata
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import groupdir
from groupdir.config.trial import TrialConfig
from groupdir.errors import GroupdirError
from groupdir.files.storage import Place
from groupdir.training.trainer import make_dataset

WHOLE_FILES, WHOLE_BYTES = 16, 2**28
"""Largest number of files, and largest size of a file in bytes, for a comparison by content instead of by size."""

PATIENCE = 5.0
SHOWN = 3
NETWORK = ("nfs", "lustre", "ceph", "gluster", "beegfs", "gpfs", "cifs", "smb", "afs", "wekafs", "fuse.")
"""Prefixes of the types of file systems that several machines can mount."""
_WRITES = 2**20  # bytes of a test file, which fails on a full disk
_COUNT = "import torch; print(torch.cuda.device_count())"


def probe(trial: Mapping[str, Any], meeting: str, node: str, folder: str) -> dict[str, Any]:
    """Return the report on this node.

    Args:
        trial: `TrialConfig.to_dict()` of a trial whose data is read.
        meeting: Folder, as a path or URI, in which each node writes a file that the other nodes look for.
        node: Name of this file. It is not the host name, because several hosts may have the same name.
        folder: Folder in which Ray writes on this node.

    Returns:
        Plain values: `name` (of the host), `versions`, `code` (digest of the source of groupdir), `folder` (of this
        source), `gpus`, `data`, `storage`, `disks`, `open_files` (limit).
    """
    return {
        "name": socket.gethostname(),
        "versions": versions(),
        "code": code_digest(),
        "folder": str(Path(groupdir.__file__).parent),
        "gpus": gpus(),
        "data": data(trial),
        "storage": leave(meeting, node),
        "disks": disks(folder, meeting),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a digest of the source of groupdir, 12 hexadecimal digits. Equal files give equal digests."""
    root = Path(groupdir.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def versions() -> dict[str, str | None]:
    """Return the versions of the software that all nodes must share, and the CUDA versions of torch and the driver."""
    import torch

    names = ("ray", "torch", "numpy")
    return {
        "groupdir": groupdir.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in names},
        "cuda": torch.version.cuda,
        "driver": driver_cuda(),
    }


def driver_cuda() -> str | None:
    """Return the latest CUDA version that the NVIDIA driver supports, such as "12.8"; None without a driver."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    version = ctypes.c_int()
    if library.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return None
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def gpus() -> dict[str, Any]:
    """Return the GPUs that the driver lists (`found`: name, bytes, free bytes), and how many torch can `use`.

    `message` is the error output. For a GPU that shares the memory of the machine, the driver reports no bytes, so they
    are None.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return {"found": [], "use": 0, "message": ""}
    query = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    listing = subprocess.run([program, *query], capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        return {"found": [], "use": 0, "message": (listing.stdout + listing.stderr).strip()}
    rows = csv.reader(listing.stdout.splitlines(), skipinitialspace=True)
    cards = [{"name": name, "bytes": _mebibytes(total), "free": _mebibytes(free)} for name, total, free in rows]
    # In a separate process, because Ray hides the GPUs from a worker that requested none.
    visible = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    used = subprocess.run([sys.executable, "-c", _COUNT], capture_output=True, text=True, check=False, env=visible)
    count = used.stdout.strip()
    return {"found": cards, "use": int(count) if count.isdigit() else 0, "message": used.stderr.strip()}


def _mebibytes(text: str) -> int | None:
    """Return the bytes for a number of MiB from nvidia-smi, or None if it is not a number.

    >>> _mebibytes("2"), _mebibytes("[N/A]")
    (2097152, None)
    """
    return int(text) * 2**20 if text.isdigit() else None


def data(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return `digest` (of labels and files) and `samples` of the data of a trial, or `message` if it cannot be read."""
    try:
        config = TrialConfig.from_dict(dict(trial), "the trial")
        dataset = make_dataset(config)
        labels = {name: dataset.labels(name) for name in ("train", "val")}
        files = list(dataset.files())
        missing = [file for file in files if not file.is_file()]
        if missing:
            names = ", ".join(str(file) for file in missing[:SHOWN])
            return {"message": f"{len(missing)} of {len(files)} files are missing, such as {names}"}
        digest = hashlib.sha256()
        for name, y in labels.items():
            digest.update(name.encode() + y.astype("<f4").tobytes())
        for content in _contents(files):
            digest.update(content)
    except (GroupdirError, OSError) as error:
        return {"message": str(error).splitlines()[0]}
    return {"digest": digest.hexdigest()[:12], "samples": {name: len(y) for name, y in labels.items()}}


def _contents(files: list[Path]) -> Iterator[bytes]:
    for file in files:
        size = file.stat().st_size
        yield f"{file.name} {size}\0".encode()
        if len(files) <= WHOLE_FILES and size <= WHOLE_BYTES:
            yield file.read_bytes()


def leave(meeting: str, node: str) -> str:
    """Write a file for the other nodes. Return an empty text, or the reason if this fails."""
    try:
        (Place.at(meeting) / node).write(bytes(_WRITES))
    except (GroupdirError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def meet(meeting: str, nodes: Collection[str], patience: float = PATIENCE) -> dict[str, Any]:
    """Return `names` of the files that this node sees in the meeting folder, and `message` if reading fails.

    Args:
        meeting: Folder, as in `probe`.
        nodes: Names of the nodes that wrote a file.
        patience: Seconds to wait for their files, because a network file system may show new files with a delay.
    """
    end = time.monotonic() + patience
    while True:
        try:
            names = Place.at(meeting).names()
        except (GroupdirError, OSError) as error:
            return {"names": [], "message": str(error).splitlines()[0]}
        if set(nodes) <= set(names) or time.monotonic() >= end:
            return {"names": names, "message": ""}
        time.sleep(0.2)


def part(meeting: str) -> str:
    """Remove the files of the nodes. Return an empty text, or the reason if this fails."""
    try:
        Place.at(meeting).remove()
    except (GroupdirError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def clock() -> float:
    """Return the time of the clock of this node, in unix seconds."""
    return time.time()


def on_network(path: Path, mounts: str = "/proc/mounts") -> bool:
    """Return whether a folder lies on a file system that several machines can mount. The folder need not exist yet."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    kinds = {fields[1].replace("\\040", " "): fields[2] for line in lines if len(fields := line.split()) > 2}
    full = path.expanduser().resolve()
    kind = next((kinds[str(parent)] for parent in (full, *full.parents) if str(parent) in kinds), "")
    return kind.startswith(NETWORK)


def disks(folder: str, meeting: str) -> list[dict[str, Any]]:
    """Return each disk that a search writes to, with `use`, `path`, and `free` and `total` bytes."""
    folders = {"Ray's files": Path(folder), "temporary files": Path(tempfile.gettempdir())}
    storage = Place.at(meeting).path
    if storage is not None:
        folders["storage"] = storage
    by_device: dict[int, dict[str, Any]] = {}
    for use, path in folders.items():
        existing = next(parent for parent in (path, *path.parents) if parent.is_dir())
        usage = shutil.disk_usage(existing)
        disk = {"use": use, "path": str(existing), "free": usage.free, "total": usage.total}
        by_device.setdefault(existing.stat().st_dev, disk)
    return list(by_device.values())
