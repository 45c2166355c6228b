"""Mistakes in a cluster's file are named, with their line, before a machine is touched."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from groupdir.errors import ConfigError
from launch.cluster.cluster_file import ClusterFile

FILES = ("cluster.yaml", "launch/cluster/on_premise.yaml")


@pytest.fixture(autouse=True)
def _in_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_the_checkout_are_right(name: str) -> None:
    file = ClusterFile.load(name)
    assert file.is_local == ("on_premise" in name)
    assert bool(file.workers) == file.is_local


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (FILES[0], "idle_timeout_minutes:", "idle_timeout_minute:", "idle_timeout_minute: unknown field: did you mean"),
        (FILES[0], "cluster_name: groupdir", "cluster_name:", "cluster_name: must be a text, got None"),
        (FILES[0], "\nmax_workers: 4", "\nmax_workers: four", r":\d+: max_workers: must be a whole number, got 'four'"),
        (FILES[0], "head_node_type: head", "head_node_type: haed", "head_node_type: .*must be one of"),
        (FILES[0], "    priority: 1\n    resources: {}\n", "", "available_node_types.gpu.resources: is missing"),
        (FILES[0], "  gpu:\n", "  gpu:\n    InstanceType: x\n", "available_node_types.gpu.InstanceType: unknown field"),
        (
            FILES[0],
            "min_workers: 0\n    max_workers: 4",
            "min_workers: 9\n    max_workers: 9",
            "max_workers: .*smaller",
        ),
        (FILES[0], "  type: aws", "  kind: aws", "provider.type: must name"),
        (FILES[1], "  head_ip: 192.168.0.10\n", "", "provider.head_ip: is missing: must be the address"),
        (FILES[1], "worker_ips: [192.168.0.11, 192.168.0.12]", "worker_ips: 7", "provider.worker_ips: must be a list"),
        (FILES[1], "  ssh_user: me", "  ssh_usr: me", "auth.ssh_usr: unknown field: did you mean 'ssh_user'"),
        (FILES[1], "\nupscaling_speed: 100.0", "\nhead_node: {}", "head_node: is not allowed for machines of your own"),
        (
            FILES[1],
            ": search_spaces",
            ": search_space",
            "file_mounts.~/groupdir/search_spaces: .*run this in the checkout",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    text = Path(name).read_text(encoding="utf-8")
    assert old in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        ClusterFile.load(wrong)
    assert all(str(mistake).startswith(f"{wrong}:") for mistake in caught.value.mistakes)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        ClusterFile.load(tmp_path / "none.yaml")


def test_workers_behind_the_head_are_reached_through_it(tmp_path: Path) -> None:
    text = Path(FILES[1]).read_text(encoding="utf-8")
    outside = tmp_path / "outside.yaml"
    outside.write_text(text.replace("  head_ip:", "  external_head_ip: gate.example.org\n  head_ip:"), encoding="utf-8")
    file = ClusterFile.load(outside)
    assert file.login("192.168.0.10", head=True)[-1] == "me@gate.example.org"
    worker = file.login("192.168.0.11")
    assert worker[-1] == "me@192.168.0.11"
    assert any(
        word.startswith("ProxyCommand=ssh ") and word.endswith("-W %h:%p me@gate.example.org") for word in worker
    )


def test_a_key_whose_path_has_spaces_comes_through_the_shell_of_the_proxy(tmp_path: Path) -> None:
    text = Path(FILES[1]).read_text(encoding="utf-8")
    outside = tmp_path / "outside.yaml"
    text = text.replace("  head_ip:", "  external_head_ip: gate.example.org\n  head_ip:")
    outside.write_text(text.replace("~/.ssh/id_ed25519", "/keys/of me/id"), "utf-8")
    words = ClusterFile.load(outside).login("192.168.0.11")
    (proxy,) = (word.partition("=")[2] for word in words if word.startswith("ProxyCommand="))
    assert "/keys/of me/id" in words
    assert "/keys/of me/id" in shlex.split(proxy)


def test_what_costs_money_until_down(root: Path) -> None:
    cloud = ClusterFile.load(root / "cluster.yaml")
    assert cloud.costs == (
        "the head (m7i.xlarge) at all times, with disks and addresses, and up to 4 workers (g6.xlarge (gpu)) while "
        "trials wait"
    )
    assert not ClusterFile.load(root / "launch/cluster/on_premise.yaml").costs
    content = {**cloud.content, "available_node_types": {**cloud.content["available_node_types"]}}
    kept = {**content["available_node_types"]["gpu"], "min_workers": 2}
    content["available_node_types"]["gpu"] = kept
    assert "and 2 workers at all times" in ClusterFile(cloud.path, content).costs
    google = {"head_node_type": "h", "available_node_types": {"h": {"node_config": {"machineType": "n2-standard-4"}}}}
    other = ClusterFile(cloud.path, {"provider": {"type": "gcp"}, "max_workers": 0, **google})
    assert other.costs == "the head (n2-standard-4) at all times, with disks and addresses"


def test_host_keys_are_checked(root: Path) -> None:
    """A machine that pretends to be another is refused; nothing is forgotten at once."""
    login = ClusterFile.load(root / "launch/cluster/on_premise.yaml").login("10.0.0.1")
    assert "StrictHostKeyChecking=accept-new" in login
    assert not [word for word in login if "UserKnownHostsFile" in word]


def test_a_machine_behind_another_is_reached_through_it(root: Path) -> None:
    file = ClusterFile.load(root / "launch/cluster/on_premise.yaml")
    through = "ssh -W %h:%p me@gateway.example.org"
    behind = ClusterFile(file.path, {**file.content, "auth": {**file.content["auth"], "ssh_proxy_command": through}})
    assert f"ProxyCommand={through}" in behind.login("10.0.0.1")
    text = (root / "launch/cluster/on_premise.yaml").read_text()
    assert f"# ssh_proxy_command: {through}" in text, "the example is the one that is tried"
