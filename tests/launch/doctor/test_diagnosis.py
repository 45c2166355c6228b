"""What is wrong with a cluster, from what its nodes say: each finding comes alone, names the node and what to do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from launch.doctor.diagnosis import FREE, Finding, Need, NodeReport, judge
from launch.on_ray.slots import Request

VERSIONS = {
    "groupdir": "0.1.0",
    "python": "3.11.9",
    "ray": "2.60.0",
    "torch": "2.11.0",
    "numpy": "2.3.0",
    "cuda": "12.8",
    "driver": "12.9",
}
DATA = {"digest": "d1", "samples": {"train": 1000, "val": 200}}
SAID: dict[str, Any] = {
    "versions": VERSIONS,
    "code": "c1",
    "folder": "/home/me/groupdir/groupdir",
    "gpus": {"found": [{"name": "H100", "bytes": 80 * 2**30, "free": 79 * 2**30}], "use": 1, "message": ""},
    "data": DATA,
    "storage": "",
    "disks": [{"use": "storage", "path": "/mnt", "free": 100 * FREE, "total": 1000 * FREE}],
    "open_files": 65536,
}
HERE = {"versions": VERSIONS, "code": "c1", "data": DATA}
NEED = Need([Request(4, 1)], data_on_nodes=True, storage="/mnt/shared")
HAS = {"CPU": 8.0, "GPU": 1.0}


def node(name: str, said: dict[str, Any], **changes: Any) -> NodeReport:
    about = {"resources": HAS, "free": HAS, "met": {"names": ["w1", "w2"], "message": ""}, **changes}
    return NodeReport(name, f"10.0.0.{name[1:]}", said={"name": name, **said}, **about)


def judged(said: dict[str, Any] = SAID, need: Need = NEED, **changes: Any) -> list[Finding]:
    """What is found where the second of two nodes says something else than the first."""
    return judge([node("w1", SAID), node("w2", said, **changes)], HERE, need)


def test_nothing_is_wrong_with_a_good_cluster() -> None:
    assert judged() == []


def another_code(said: dict[str, Any]) -> None:
    said["code"] = "c2"


def another_version_and_code(said: dict[str, Any]) -> None:
    said["code"] = "c2"
    said["versions"]["groupdir"] = "0.0.9"


def another_python(said: dict[str, Any]) -> None:
    said["versions"]["python"] = "3.12.1"


def another_torch(said: dict[str, Any]) -> None:
    said["versions"]["torch"] = "2.10.0"


def old_driver(said: dict[str, Any]) -> None:
    said["versions"]["driver"] = "11.8"


def hidden_gpu(said: dict[str, Any]) -> None:
    said["gpus"] |= {"use": 0, "message": "UserWarning:\n  forward compatibility was attempted"}


def torch_without_cuda(said: dict[str, Any]) -> None:
    said["gpus"]["use"] = 0
    said["versions"]["cuda"] = None


def broken_driver(said: dict[str, Any]) -> None:
    said["gpus"] = {"found": [], "use": 0, "message": "NVIDIA-SMI has failed\nmore"}


def missing_data(said: dict[str, Any]) -> None:
    said["data"] = {"message": "data.root: no such folder"}


def other_data(said: dict[str, Any]) -> None:
    said["data"] = {"digest": "d2", "samples": {"train": 999, "val": 200}}


def full_disk(said: dict[str, Any]) -> None:
    said["disks"][0]["free"] = FREE - 1


def read_only(said: dict[str, Any]) -> None:
    said["storage"] = "[Errno 30] Read-only file system"


FATAL = [
    (another_code, "groupdir must be the driver's, 0.1.0 with code c1, got 0.1.0 with code c2 in /home/me"),
    (another_version_and_code, "got 0.0.9 with code c2"),
    (another_python, "Python must be the driver's, 3.11.9, got 3.12.1"),
    (another_torch, "torch must be the driver's, 2.11.0, got 2.10.0"),
    (old_driver, "the NVIDIA driver must support CUDA 12.8, for which torch is built, got CUDA 11.8"),
    (hidden_gpu, "torch must be able to use all 1 GPUs, got 0 (forward compatibility was attempted)"),
    (torch_without_cuda, "install a torch for CUDA"),
    (missing_data, "the data cannot be read: data.root: no such folder"),
    (other_data, "must be the driver's, 1,000 train and 200 val samples with digest d1, got 999 train"),
    (full_disk, "the disk for storage must have 1 GiB free, got 1.00 GiB (0%) of /mnt"),
    (read_only, "/mnt/shared must be writable, got: [Errno 30] Read-only file system"),
]


@pytest.mark.parametrize(("spoil", "text"), FATAL, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_wrong_on_one_node_is_one_error(spoil: Callable[[dict[str, Any]], None], text: str) -> None:
    said = copy.deepcopy(SAID)
    spoil(said)
    (finding,) = judged(said)
    assert finding.fatal
    assert text in str(finding)
    assert str(finding).startswith("error: w2 (10.0.0.2): ")
    assert len(finding.todo) > 10


def test_a_driver_that_fails_is_told_of_beside_what_ray_believes() -> None:
    said = copy.deepcopy(SAID)
    broken_driver(said)
    texts = [finding.text for finding in judged(said)]
    assert texts == ["nvidia-smi fails: NVIDIA-SMI has failed", "Ray offers 1 GPUs, but the node has 0"]


def test_a_driver_that_fails_where_ray_knows_no_gpu_is_a_note() -> None:
    """The head of cluster.yaml runs an image with nvidia-smi on a machine without a GPU."""
    said = copy.deepcopy(SAID)
    broken_driver(said)
    (finding,) = judged(said, resources={"CPU": 0.0}, free={"CPU": 0.0})
    assert not finding.fatal
    assert "nvidia-smi fails: NVIDIA-SMI has failed" in finding.text


def test_a_minor_version_of_cuda_that_is_newer_than_the_drivers_is_served() -> None:
    said = copy.deepcopy(SAID)
    said["versions"]["driver"] = "12.0"
    assert judged(said) == []


def test_data_that_the_driver_sends_need_not_be_there() -> None:
    said = copy.deepcopy(SAID)
    missing_data(said)
    (finding,) = judged(said, Need([Request(4, 1)], data_on_nodes=False, storage="/mnt"))
    assert not finding.fatal
    assert "trials get the driver's data" in finding.todo


def test_data_that_the_driver_itself_cannot_read() -> None:
    here = {**HERE, "data": {"message": "data.root: no such folder"}}
    (finding,) = judge([node("w1", SAID, met={"names": ["w1"]})], here, NEED)
    assert (finding.where, finding.fatal) == ("driver", True)


@pytest.mark.parametrize(("skew", "text"), [(61.0, "got 61 s ahead of it"), (-7200.0, "got 7,200 s behind it")])
def test_a_skewed_clock(skew: float, text: str) -> None:
    (finding,) = judged(skew=skew)
    assert text in finding.text
    assert finding.where.startswith("w2")


def test_storage_that_is_not_shared_is_found_by_those_that_do_not_see_it() -> None:
    reports = [node("w1", SAID, met={"names": ["w1"]}), node("w2", SAID, met={"names": ["w2"]})]
    first, second = judge(reports, HERE, NEED)
    assert "must be the same folder on all nodes, but lacks the file that w2 (10.0.0.2) wrote" in first.text
    assert "lacks the file that w1 (10.0.0.1) wrote" in second.text
    assert "s3://" in first.todo


def test_of_many_nodes_that_share_nothing_a_few_are_named() -> None:
    reports = [node(f"w{number}", SAID, met={"names": [f"w{number}"]}) for number in range(1, 9)]
    found = judge(reports, HERE, NEED)
    assert len(found) == 8
    assert "and 4 more wrote" in found[0].text


def test_storage_that_cannot_be_read_back() -> None:
    (finding,) = judged(met={"names": [], "message": "Access Denied"})
    assert "must be readable, got: Access Denied" in finding.text


def test_a_node_that_cannot_answer_is_an_error_and_the_others_are_judged() -> None:
    silent = NodeReport("w2", "10.0.0.2", HAS, HAS, message="it cannot run the driver's groupdir: No module named x")
    (finding,) = judge([node("w1", SAID, met={"names": ["w1"]}), silent], HERE, NEED)
    assert finding.where == "10.0.0.2"
    assert "No module named x" in finding.text


def test_a_trial_that_no_node_can_take() -> None:
    (finding,) = judged(need=Need([Request(4, 2)], data_on_nodes=True, storage="/mnt"))
    assert "requests 4 CPUs and 2 GPUs, which no node has (w1 (10.0.0.1): 8 CPUs and 1 GPU" in finding.text
    assert "PENDING for ever" in finding.text


def test_kinds_of_gpu() -> None:
    """One kind with room is enough."""
    there = {"CPU": 8.0, "GPU": 1.0, "accelerator_type:T4": 1.0}
    asks = [Request(4, 0.5, "A100"), Request(4, 1, "T4")]
    report = [node("w1", SAID, resources=there, free=there)]
    assert judge(report, HERE, Need(asks, data_on_nodes=True, storage="/mnt")) == []
    (finding,) = judge(report, HERE, Need(asks[:1], data_on_nodes=True, storage="/mnt"))
    assert "4 CPUs and 0.5 GPUs (A100), which no node has (w1 (10.0.0.1): 8 CPUs and 1 GPU (T4))" in finding.text


def test_a_trial_that_the_autoscaler_has_a_node_for_is_a_note() -> None:
    kinds = ({"CPU": 4.0}, {"CPU": 8.0, "GPU": 2.0})
    (finding,) = judged(need=Need([Request(4, 2)], data_on_nodes=True, storage="/mnt", may_come=kinds))
    assert not finding.fatal
    assert "PENDING until the autoscaler has added one" in finding.text


def test_cpus_of_one_node_and_gpus_of_another_are_no_node() -> None:
    cpus, gpus = {"CPU": 64.0}, {"CPU": 2.0, "GPU": 8.0}
    reports = [node("w1", SAID, resources=cpus, free=cpus), node("w2", SAID, resources=gpus, free=gpus)]
    assert any("PENDING for ever" in finding.text for finding in judge(reports, HERE, NEED))


def test_a_trial_that_must_wait_for_others_is_a_note() -> None:
    busy = [node("w1", SAID, free={"CPU": 8.0}), node("w2", SAID, free={"CPU": 8.0})]
    (finding,) = judge(busy, HERE, NEED)
    assert not finding.fatal
    assert "PENDING until other trials end" in finding.text


def test_a_trial_that_waits_for_others_or_for_a_node() -> None:
    busy = [node("w1", SAID, free={"CPU": 8.0}), node("w2", SAID, free={"CPU": 8.0})]
    (finding,) = judge(busy, HERE, Need([Request(4, 1)], data_on_nodes=True, storage="/mnt", may_come=[HAS]))
    assert "PENDING until other trials end or the autoscaler has added one" in finding.text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"open_files": 1024}, "must be able to open 4096 files, got 1024"),
        ({"disks": [{"use": "storage", "path": "/mnt", "free": 40 * FREE, "total": 1000 * FREE}]}, "almost full"),
    ],
)
def test_what_is_only_worth_a_note(change: dict[str, Any], text: str) -> None:
    (finding,) = judged(SAID | change)
    assert not finding.fatal
    assert text in finding.text


def test_gpus_that_ray_was_not_told_of_are_a_note() -> None:
    (finding,) = judged(resources={"CPU": 8.0}, free={"CPU": 8.0})
    assert not finding.fatal
    assert "Ray must offer all 1 GPUs of the node, got 0" in finding.text


PRIVATE = Need([Request(4, 1)], data_on_nodes=True, storage="/home/me/results", private=True)


def test_a_head_alone_whose_workers_could_not_write_where_it_does() -> None:
    (finding,) = judge([node("w1", SAID, met={"names": ["w1"]})], HERE, PRIVATE)
    assert finding.fatal
    assert "search.storage_path must be a place where workers that join later can write" in finding.text
    assert "/home/me/results" in finding.text
    assert "s3://" in finding.todo
    assert "--skip-doctor" in finding.todo


def test_a_folder_that_a_worker_shares_is_taken_for_one_that_all_will() -> None:
    assert judged(need=PRIVATE) == []


def test_machines_that_did_not_come_are_named() -> None:
    (finding,) = judged(
        need=Need([Request(4, 1)], data_on_nodes=True, storage="/mnt", missing=["10.0.0.3", "10.0.0.4"])
    )
    assert not finding.fatal
    assert "10.0.0.3, 10.0.0.4 did not join" in finding.text
