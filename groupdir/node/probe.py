"""What a node is and can reach, as plain values: asked for on every node, compared by `launch doctor`.

Nothing here judges, and nothing here imports Ray, so that each function runs in a worker, in a shell, or in a test.
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
"""So many files, each of so many bytes at most, are compared by their content; more or larger ones by their size."""

PATIENCE = 5.0
SHOWN = 3
NETWORK = ("nfs", "lustre", "ceph", "gluster", "beegfs", "gpfs", "cifs", "smb", "afs", "wekafs", "fuse.")
"""How the names of file systems begin that many machines can mount."""
_WRITES = 2**20  # bytes: a disk without so much room is full
_COUNT = "import torch; print(torch.cuda.device_count())"


def probe(trial: Mapping[str, Any], meeting: str, node: str, folder: str) -> dict[str, Any]:
    """All about the node that this runs on.

    Args:
        trial: `TrialConfig.to_dict()` of a trial, for its data.
        meeting: A folder, path or URI, where each node leaves a file that the others look for.
        node: Its name there: hosts may share theirs.
        folder: Where Ray writes on this node.

    Returns:
        Plain values: `name` (of the host), `versions`, `code` (digest of groupdir's source), `folder` (where that is),
        `gpus`, `data`, `storage`, `disks`, `open_files` (limit).
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
    """12 hexadecimal digits that name the source of groupdir: the same on two nodes if their files are."""
    root = Path(groupdir.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def versions() -> dict[str, str | None]:
    """Of what must be the same on all nodes, and of CUDA: what torch is built for, and what the driver serves."""
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
    """The latest CUDA that the node's NVIDIA driver serves, such as "12.8"; None without a driver."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    found = ctypes.c_int()
    if library.cuDriverGetVersion(ctypes.byref(found)) != 0:
        return None
    return f"{found.value // 1000}.{found.value % 1000 // 10}"


def gpus() -> dict[str, Any]:
    """The node's GPUs: `found` by the driver (name, bytes, bytes that are free), and how many torch can `use`.

    A GPU that shares the machine's memory tells no bytes: they are None.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return {"found": [], "use": 0, "message": ""}
    query = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    asked = subprocess.run([program, *query], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return {"found": [], "use": 0, "message": (asked.stdout + asked.stderr).strip()}
    rows = csv.reader(asked.stdout.splitlines(), skipinitialspace=True)
    found = [{"name": name, "bytes": _mebibytes(total), "free": _mebibytes(free)} for name, total, free in rows]
    # In a process of its own: Ray hides the GPUs from a worker that asked for none.
    visible = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    used = subprocess.run([sys.executable, "-c", _COUNT], capture_output=True, text=True, check=False, env=visible)
    count = used.stdout.strip()
    return {"found": found, "use": int(count) if count.isdigit() else 0, "message": used.stderr.strip()}


def _mebibytes(text: str) -> int | None:
    """Bytes, of what nvidia-smi says in MiB.

    >>> _mebibytes("2"), _mebibytes("[N/A]")
    (2097152, None)
    """
    return int(text) * 2**20 if text.isdigit() else None


def data(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The trial's data as this node reads it: `digest` of its labels and files, `samples`; or `message`: why not."""
    try:
        config = TrialConfig.from_dict(dict(trial), "the trial")
        dataset = make_dataset(config)
        labels = {name: dataset.labels(name) for name in ("train", "val")}
        files = list(dataset.files())
        missing = [file for file in files if not file.is_file()]
        if missing:
            names = ", ".join(str(file) for file in missing[:SHOWN])
            return {"message": f"{len(missing)} of {len(files)} files are not there, such as {names}"}
        digest = hashlib.sha256()
        for name, y in labels.items():
            digest.update(name.encode() + y.astype("<f4").tobytes())
        for about in _contents(files):
            digest.update(about)
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
    """Leaves a file for the other nodes; an empty text, or why that cannot be done."""
    try:
        (Place.at(meeting) / node).write(bytes(_WRITES))
    except (GroupdirError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def meet(meeting: str, nodes: Collection[str], patience: float = PATIENCE) -> dict[str, Any]:
    """Whose files this node sees: `names`, or `message`: why it sees none.

    Args:
        meeting: As of `probe`.
        nodes: Who left one.
        patience: Seconds to wait for them: a network file system may show what others wrote a little later.
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
    """Removes what nodes left; an empty text, or why that cannot be done."""
    try:
        Place.at(meeting).remove()
    except (GroupdirError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def clock() -> float:
    """What the node's clock says, in unix seconds."""
    return time.time()


def on_network(path: Path, mounts: str = "/proc/mounts") -> bool:
    """Whether a folder, which need not be there yet, lies on a file system that many machines can mount."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    kinds = {fields[1].replace("\\040", " "): fields[2] for line in lines if len(fields := line.split()) > 2}
    there = path.expanduser().resolve()
    kind = next((kinds[str(parent)] for parent in (there, *there.parents) if str(parent) in kinds), "")
    return kind.startswith(NETWORK)


def disks(folder: str, meeting: str) -> list[dict[str, Any]]:
    """The disks that a search writes to, each once: `use`, `path`, `free` and `total` bytes."""
    folders = {"Ray's files": Path(folder), "temporary files": Path(tempfile.gettempdir())}
    there = Place.at(meeting).path
    if there is not None:
        folders["storage"] = there
    found: dict[int, dict[str, Any]] = {}
    for use, path in folders.items():
        known = next(parent for parent in (path, *path.parents) if parent.is_dir())
        usage = shutil.disk_usage(known)
        about = {"use": use, "path": str(known), "free": usage.free, "total": usage.total}
        found.setdefault(known.stat().st_dev, about)
    return list(found.values())
