"""A search that begins on a head without workers counts on those that may come."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from groupdir.search_config import SearchConfig
from launch import engine
from launch.capacity import capacity, kinds, machines

AWS = {
    "max_workers": 4,
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4},
        "gpu_on_demand": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4},
    },
}
LOCAL = {"max_workers": 2, "available_node_types": {"local.cluster.node": {"resources": {}, "max_workers": 2}}}


@pytest.mark.parametrize(
    ("cluster", "there", "expected"),
    [
        (AWS, {"memory": 1.0}, {"memory": 1.0, "CPU": 16.0, "GPU": 4.0}),
        (AWS, {"CPU": 64.0, "GPU": 1.0}, {"CPU": 64.0, "GPU": 4.0}),
        (LOCAL, {"CPU": 6.0}, {"CPU": 6.0}),
    ],
)
def test_what_may_be(tmp_path: Path, cluster: object, there: dict[str, float], expected: dict[str, float]) -> None:
    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text(yaml.safe_dump(cluster))
    assert capacity(there, file) == expected


def test_how_many_machines_there_are(tmp_path: Path) -> None:
    file = tmp_path / "ray_bootstrap_config.yaml"
    assert machines(file) == 0
    file.write_text(yaml.safe_dump({**AWS, "provider": {"type": "aws"}}))
    assert machines(file) == 0
    file.write_text(yaml.safe_dump({**LOCAL, "provider": {"type": "local", "worker_ips": ["a", "b"]}}))
    assert machines(file) == 3


def test_a_head_that_ray_up_did_not_make(tmp_path: Path) -> None:
    assert capacity({"CPU": 2.0}, tmp_path / "none.yaml") == {"CPU": 2.0}


def test_trials_ask_for_gpus_before_the_first_worker_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(AWS))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ray.cluster_resources", lambda: {"memory": 1.0})
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert engine.resources(SearchConfig()) == ({"cpu": 1.0, "gpu": 1.0}, 4)
    monkeypatch.delenv("RAY_ADDRESS")
    assert engine.resources(SearchConfig()) == ({"cpu": 1.0, "gpu": 0.0}, 1)


def test_what_one_node_of_each_kind_has(tmp_path: Path) -> None:
    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text(yaml.safe_dump(AWS))
    assert kinds(file) == [{"CPU": 4.0, "GPU": 1.0}] * 2
    assert kinds(tmp_path / "none.yaml") == []
