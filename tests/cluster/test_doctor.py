"""The doctor on hosts: it is content with a good cluster, and finds each thing that is wrong with one node."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cluster.hosts import Hosts, home, missing
from tests.cluster.plain_ray import PORT, PROGRAMS, give_checkouts, launch, start_ray, stop_ray
from tests.cluster.plain_ray import own as own_environment
from tests.cluster.site import wait_for

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(420),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]
SHARED = "search.storage_path=/mnt/shared/groupdir"
# Pictures lie on each node, as ImageNet-sized data sets do.
SPACE = f"""
name: pictures
data: {{name: images, root: {home()}/data, size: 32, unit: years}}
encoder: {{name: convnet}}
method: {{name: vanilla, loss: {{choice: [mse, l1]}}}}
train: {{epochs: 1}}
search: {{trials: 2, objectives: {{val_mae_all: min}}, resources: {{cpu: 1, gpu: 0}}}}
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """A head and a worker, each with the checkout and the pictures."""
    with Hosts(["head", "worker"], tmp_path_factory.mktemp("hosts")) as made:
        give_checkouts(made)
        for name in made.address:
            draw(made.home(name, "data"))
            made.home(name, "scratch").mkdir()
        made.home("head", "groupdir/search_spaces/pictures.yaml").write_text(SPACE)
        for name in made.address:
            start_ray(made, name, "head")
        yield made


def draw(folder: Path) -> None:
    """The same small pictures everywhere."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["path,target,split"]
    for index in range(40):
        Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / f"{index}.png")
        lines.append(f"{index}.png,{index % 20},{'train' if index < 30 else 'val'}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


def doctor(hosts: Hosts, *changes: str) -> subprocess.CompletedProcess[str]:
    words = ["doctor", "search_spaces/pictures.yaml"]
    run = launch(hosts, "head", [*words, *(f"--set={change}" for change in (SHARED, *changes))])
    assert "Traceback" not in run.stderr, run.stderr
    return run


def errors(run: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of what must be mended; there are some if and only if the exit code says so."""
    found = [line for line in run.stdout.splitlines() if line.startswith("error: ")]
    assert run.returncode == (1 if found else 0), run.stdout + run.stderr
    return found


def of_worker(hosts: Hosts) -> str:
    return f"error: worker ({hosts.address['worker']}): "


def test_a_good_cluster(hosts: Hosts) -> None:
    run = doctor(hosts)
    assert errors(run) == [], run.stdout
    assert "worker (198.18.0.11)" in run.stdout
    assert not list(hosts.shared.glob("**/.doctor-*")), "what nodes left to meet is removed"


def test_missing_data_on_one_node(hosts: Hosts) -> None:
    data = hosts.home("worker", "data")
    (data / "3.png").rename(data / "3.gone")
    try:
        (line,) = errors(doctor(hosts))
        assert line.startswith(of_worker(hosts) + "the data cannot be read: 1 of 41 files are missing")
        data.rename(data.with_name("gone"))
        (line,) = errors(doctor(hosts))
        assert line.startswith(of_worker(hosts) + "the data cannot be read: ")
        assert f"{home()}/data" in line
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(data.with_name("gone"), ignore_errors=True)
        draw(data)


def test_another_version_on_one_node_which_a_search_refuses(hosts: Hosts) -> None:
    labels = hosts.home("worker", "groupdir/groupdir/labels.py")
    text = labels.read_text()
    labels.write_text(text + "\n")
    try:
        (line,) = errors(doctor(hosts))
        assert line.startswith(of_worker(hosts) + "groupdir must be the driver's, 0.1.0 with code ")
        assert f"in {home()}/groupdir/groupdir: bring the checkout there up to date" in line
        search = launch(hosts, "head", ["search", "search_spaces/pictures.yaml", "--set", SHARED])
        assert search.returncode == 2, search.stdout + search.stderr
        assert "groupdir must be the driver's" in search.stdout
        assert "the cluster must be able to run it, got the errors above" in search.stderr
        assert not hosts.home("head", "groupdir/results/pictures").exists(), "refused before a study was made"
    finally:
        labels.write_text(text)


def test_a_groupdir_without_the_doctor_on_one_node(hosts: Hosts) -> None:
    """As an older version is. (A file that is gone would be found where the tests' own groupdir is installed from.)"""
    probe = hosts.home("worker", "groupdir/groupdir/node/probe.py")
    text = probe.read_text()
    probe.write_text("raise ModuleNotFoundError(\"No module named 'groupdir.node.probe'\")\n")
    try:
        (line,) = errors(doctor(hosts))
        assert "it cannot run the driver's groupdir: ModuleNotFoundError: No module named 'groupdir.node.probe'" in line
    finally:
        probe.write_text(text)


def test_storage_that_is_not_shared_which_a_search_refuses(hosts: Hosts) -> None:
    own = f"search.storage_path={home()}/own"
    found = errors(doctor(hosts, own))
    assert len(found) == 2
    assert all(f"{home()}/own must be the same folder on all nodes" in line for line in found)
    assert any("what worker (198.18.0.11) wrote is not there" in line for line in found)
    search = launch(hosts, "head", ["search", "search_spaces/pictures.yaml", "--set", own])
    assert search.returncode == 2
    assert not hosts.home("head", "groupdir/results/pictures").exists()


def test_a_full_disk_on_one_node(hosts: Hosts) -> None:
    """Ray's files lie on a small disk there, of which little is left."""
    scratch = str(home() / "scratch")
    stop_ray(hosts, "worker")
    hosts.run("worker", ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", scratch])
    try:
        start_ray(hosts, "worker", "head", folder=scratch)
        hosts.run("worker", ["dd", "if=/dev/zero", f"of={scratch}/full", "bs=1M", "count=200"])
        (line,) = errors(doctor(hosts))
        assert line.startswith(of_worker(hosts) + "the disk for Ray's files must have 1 GiB free, got 0.0")
        assert f"of {scratch}/session_" in line
    finally:
        stop_ray(hosts, "worker")
        hosts.run("worker", ["umount", "--lazy", scratch])
        start_ray(hosts, "worker", "head")


def test_no_gpu_where_one_is_asked_for(hosts: Hosts) -> None:
    (line,) = errors(doctor(hosts, "search.resources.gpu=1"))
    assert line.startswith(
        "error: cluster: a trial requests 1 CPU and 1 GPU, which no node has (head (198.18.0.10): 1 CPU"
    )
    assert "PENDING for ever" in line


def test_a_skewed_clock_on_one_node(hosts: Hosts) -> None:
    """Ray on the worker, all of it, runs with a clock two hours ahead: see wrong_clock.c."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a clock that is wrong needs a C compiler")
    source, library = Path(__file__).with_name("wrong_clock.c"), hosts.home("worker", "wrong_clock.so")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    stop_ray(hosts, "worker")
    start_ray(hosts, "worker", "head", env={"LD_PRELOAD": str(home() / library.name)})
    try:
        (line,) = errors(doctor(hosts))
        assert line.startswith(of_worker(hosts) + "its clock must be the driver's within 5 s, got 7,200 s ahead of it")
    finally:
        stop_ray(hosts, "worker")
        start_ray(hosts, "worker", "head")


CLOUD = "{provider: {type: aws}, max_workers: 2, available_node_types: {gpu: {resources: {CPU: 1}, max_workers: 2}}}"
OWN = """
provider: {type: local, head_ip: HEAD, worker_ips: [WORKER]}
max_workers: 1
available_node_types: {local.cluster.node: {resources: {}, max_workers: 1}}
"""


def test_a_head_that_is_still_alone(hosts: Hosts, tmp_path: Path) -> None:
    """Where a cloud's workers are to come, its own disk is no storage; machines of one's own are waited for."""
    file, own = hosts.home("head", "ray_bootstrap_config.yaml"), f"search.storage_path={home()}/own"
    search = ["search", "search_spaces/pictures.yaml", "--set", own]
    stop_ray(hosts, "worker")
    try:
        file.write_text(CLOUD)
        (line,) = errors(doctor(hosts, own))
        assert line.startswith("error: cluster: search.storage_path must be where workers that are still to come can")
        assert launch(hosts, "head", search).returncode == 2
        file.write_text(OWN.replace("HEAD", hosts.address["head"]).replace("WORKER", hosts.address["worker"]))
        log = tmp_path / "search.log"
        words = [str(PROGRAMS / "python"), "-m", "launch", *search]
        env = own_environment({"RAY_ADDRESS": f"{hosts.address['head']}:{PORT}"})
        waits = hosts.begin("head", words, log, cwd=home() / "groupdir", env=env)
        said = f"waiting up to 90 s for {hosts.address['worker']}"
        wait_for("the head waits", lambda: said in log.read_text(), 60, [log])
        start_ray(hosts, "worker", "head")
        assert waits.wait(timeout=120) == 2
        assert f"{home()}/own must be the same folder on all nodes" in log.read_text()
        assert not hosts.home("head", "groupdir/results/pictures").exists()
    finally:
        file.unlink()
        stop_ray(hosts, "worker")
        start_ray(hosts, "worker", "head")
