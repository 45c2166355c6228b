"""Each private name of Ray about a cluster's file, asked of the installed Ray."""

from pathlib import Path
from typing import Any

import pytest

from launch.on_ray import private_cluster
from tests.launch.on_ray.test_private import CHANGED

CLUSTER: dict[str, Any] = {
    "cluster_name": "test",
    "max_workers": 1,
    "provider": {"type": "aws", "region": "eu-central-1"},
    "auth": {"ssh_user": "ubuntu"},
    "available_node_types": {"head": {"node_config": {}, "resources": {"CPU": 1}, "max_workers": 0}},
    "head_node_type": "head",
}


def test_the_schema_of_a_cluster() -> None:
    assert {"provider", "auth", "available_node_types"} <= set(private_cluster.cluster_schema()["properties"])


def test_a_cluster_with_defaults(capfd: pytest.CaptureFixture[str]) -> None:
    full = private_cluster.with_defaults(CLUSTER)
    assert full.keys() > CLUSTER.keys()
    assert private_cluster.cluster_mistake(full) is None
    wrong = private_cluster.cluster_mistake(full | {"head_node_type": "missing"})
    assert wrong is not None
    assert wrong[0] == "head_node_type", CHANGED + f"it names no field in: {wrong[1]}"
    assert capfd.readouterr() == ("", "")


def test_the_head_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.autoscaler._private.local import node_provider

    monkeypatch.setattr(node_provider, "get_state_path", lambda name: str(tmp_path / name), raising=True)
    monkeypatch.setattr(node_provider, "get_lock_path", lambda name: str(tmp_path / f"{name}.lock"), raising=True)
    private_cluster.record_head({"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2"]}, "test")
    assert "10.0.0.1" in (tmp_path / "test").read_text(), CHANGED + "it keeps its machines elsewhere"
