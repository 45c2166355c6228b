"""What may come to a cluster that grows when it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from launch.on_ray.capacity import Coming, coming, kinds, own_machines

AWS = {
    "max_workers": 4,
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4},
        "gpu_on_demand": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4},
    },
}
LOCAL = {"max_workers": 2, "available_node_types": {"local.cluster.node": {"resources": {}, "max_workers": 2}}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "ray_bootstrap_config.yaml"
    written.write_text(yaml.safe_dump(AWS))
    return written


def test_what_may_come(file: Path) -> None:
    found = coming(file)
    assert found == Coming([{"CPU": 4.0, "GPU": 1.0}] * 8, 4)
    assert found.holds(lambda node: int(node["CPU"] // 2)) == 8, "on the best four"


def test_which_machines_of_ones_own_there_are(tmp_path: Path) -> None:
    file = tmp_path / "ray_bootstrap_config.yaml"
    assert own_machines(file) == []
    file.write_text(yaml.safe_dump({**AWS, "provider": {"type": "aws"}}))
    assert own_machines(file) == []
    file.write_text(yaml.safe_dump({**LOCAL, "provider": {"type": "local", "worker_ips": ["a", "b"]}}))
    assert own_machines(file) == ["a", "b"]


def test_a_head_that_ray_up_did_not_make(tmp_path: Path) -> None:
    assert coming(tmp_path / "none.yaml").holds(lambda node: 1) == 0


def test_what_one_node_of_each_kind_has(file: Path, tmp_path: Path) -> None:
    assert kinds(file) == [{"CPU": 4.0, "GPU": 1.0}] * 2
    assert kinds(tmp_path / "none.yaml") == []
