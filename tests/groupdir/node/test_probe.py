"""What a node says of itself."""

import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest

import groupdir
from groupdir.config.trial import TrialConfig
from groupdir.node import probe

DIGITS = {
    "data": {"name": "digits"},
    "encoder": {"name": "convnet"},
    "method": {"name": "vanilla"},
    "train": {"epochs": 1},
}


def trial(**data: object) -> dict[str, object]:
    return TrialConfig.from_dict({**DIGITS, "data": {**DIGITS["data"], **data}}, "test").to_dict()  # type: ignore[dict-item]


def table(folder: Path, rows: int = 40, shift: float = 0.0) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    values = np.random.default_rng(0).normal(size=(rows, 2))
    lines = [f"{a:.6f},{b + shift:.6f},{index % 10}" for index, (a, b) in enumerate(values)]
    (folder / "manifest.csv").write_text("\n".join(["a,b,target", *lines]) + "\n")
    data = {"name": "table", "root": str(folder), "manifest": "manifest.csv"}
    return {**DIGITS, "data": data, "encoder": {"name": "mlp"}, "seed": 0}


def test_all_of_a_node_is_plain_and_needs_no_ray(tmp_path: Path) -> None:
    import json
    import subprocess
    import sys

    code = (
        "import json, sys\nfrom groupdir.node import probe\nfrom groupdir.config.trial import TrialConfig\n"
        f"found = probe.probe({trial()!r}, {str(tmp_path / 'meet')!r}, 'a', {str(tmp_path)!r})\n"
        "print(json.dumps(found), 'ray' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text, _, ray = run.stdout.strip().rpartition(" ")
    found = json.loads(text)
    assert ray == "False"
    assert found["data"]["samples"]["train"] > 0
    assert found["storage"] == ""
    assert found["code"] == probe.code_digest()
    assert found["disks"][0]["use"] == "Ray's files"
    assert found["disks"][0]["total"] > found["disks"][0]["free"] > 0
    assert (tmp_path / "meet" / "a").is_file()


def test_the_code_digest_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    copied = tmp_path / "groupdir"
    shutil.copytree(Path(groupdir.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(probe.groupdir, "__file__", str(copied / "__init__.py"))
    same = probe.code_digest.__wrapped__()
    assert same == probe.code_digest()
    with (copied / "labels.py").open("a") as file:
        file.write("\n")
    assert probe.code_digest.__wrapped__() != same


def test_data_that_differ_in_one_number_differ_in_the_digest(tmp_path: Path) -> None:
    first = probe.data(table(tmp_path / "a"))
    assert first["digest"] == probe.data(table(tmp_path / "b"))["digest"]
    assert probe.data(table(tmp_path / "c", shift=0.5))["digest"] != first["digest"]
    assert probe.data(table(tmp_path / "d", rows=41))["digest"] != first["digest"]


def test_data_that_are_not_there_are_a_message(tmp_path: Path) -> None:
    content = table(tmp_path / "a")
    (tmp_path / "a" / "manifest.csv").unlink()
    found = probe.data(content)
    assert set(found) == {"message"}
    assert "manifest.csv" in found["message"]


def test_nodes_meet_in_a_folder_and_part(tmp_path: Path) -> None:
    place = str(tmp_path / "new" / "meet")
    assert probe.leave(place, "one") == ""
    assert probe.leave(place, "two") == ""
    assert probe.meet(place, ["one", "two"]) == {"names": ["one", "two"], "message": ""}
    before = time.monotonic()
    assert probe.meet(place, ["three"], patience=0.5)["names"] == ["one", "two"]
    assert time.monotonic() - before < 3
    assert probe.part(place) == ""
    assert probe.part(place) == "", "another was faster"
    assert not (tmp_path / "new" / "meet").exists()


def test_a_place_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in probe.leave(str(tmp_path / "file" / "meet"), "one")
    assert "nowhere" in probe.leave("nowhere://bucket/meet", "one")
    assert "nowhere" in probe.meet("nowhere://bucket/meet", [])["message"]
    assert "nowhere" in probe.part("nowhere://bucket/meet")


def fake_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
def test_gpus_as_the_driver_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_smi(tmp_path, monkeypatch, 'echo "NVIDIA L4, 23034, 22500"; echo "NVIDIA L4, 23034, 100"')
    found = probe.gpus()
    assert [gpu["name"] for gpu in found["found"]] == ["NVIDIA L4", "NVIDIA L4"]
    assert found["found"][0]["bytes"] == 23034 * 2**20
    assert found["found"][1]["free"] == 100 * 2**20


def test_a_driver_that_fails_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_smi(tmp_path, monkeypatch, 'echo "NVIDIA-SMI has failed"; exit 9')
    assert probe.gpus() == {"found": [], "use": 0, "message": "NVIDIA-SMI has failed"}


@pytest.mark.slow
def test_a_gpu_that_shares_the_machines_memory_tells_no_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_smi(tmp_path, monkeypatch, 'echo "NVIDIA GB10, [N/A], [N/A]"')
    assert probe.gpus()["found"] == [{"name": "NVIDIA GB10", "bytes": None, "free": None}]


@pytest.mark.parametrize(
    ("path", "shared"),
    [("/mnt/efs/groupdir/new", True), ("/mnt/efsother", False), ("/home/me", False), ("/mnt/a b/c", True)],
)
def test_a_folder_that_many_machines_can_mount(tmp_path: Path, path: str, shared: bool) -> None:
    mounts = tmp_path / "mounts"
    lines = ["/dev/root / ext4 rw 0 0", "fs-1.efs:/ /mnt/efs nfs4 rw 0 0", "s3fs /mnt/a\\040b fuse.s3fs rw 0 0"]
    mounts.write_text("\n".join(lines) + "\n")
    assert probe.on_network(Path(path), str(mounts)) is shared
    assert not probe.on_network(Path(path), str(tmp_path / "none"))
