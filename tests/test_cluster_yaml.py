"""cluster.yaml passes Ray's own schema and defaults, offline, and mistakes in it are refused."""

import copy
import fnmatch
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

util = pytest.importorskip("ray.autoscaler._private.util", reason="Ray is not installed")

Cluster = dict[str, Any]


@pytest.fixture
def cluster(root: Path) -> Cluster:
    return yaml.safe_load((root / "cluster.yaml").read_text(encoding="utf-8"))


def prepared(cluster: Cluster) -> Cluster:
    """What `ray up` makes of it before it talks to AWS."""
    full = util.prepare_config(copy.deepcopy(cluster))
    util.validate_config(full)
    return full


def test_ray_accepts_it(cluster: Cluster) -> None:
    full = prepared(cluster)
    assert full["provider"]["type"] == "aws"
    head, workers = full["available_node_types"]["head"], full["available_node_types"]["gpu"]
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"], "the head holds the study and must not be a spot node"
    assert workers["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert 0 <= workers["min_workers"] <= workers["max_workers"] <= full["max_workers"]
    assert full["idle_timeout_minutes"] > 0


def test_nothing_of_rays_defaults_is_left_in_the_commands(cluster: Cluster) -> None:
    full = prepared(cluster)
    commands = [line for key, lines in full.items() if key.endswith("_commands") for line in lines]
    assert not [line for line in commands if "anaconda" in line or "ray-wheels" in line]
    assert any(line.endswith("node.sh install") for line in full["worker_setup_commands"])
    assert any("--autoscaling-config=~/ray_bootstrap_config.yaml" in line for line in full["head_start_ray_commands"])


def test_workers_watch_for_the_notice_of_a_spot_machine_after_ray_has_started(cluster: Cluster) -> None:
    full = prepared(cluster)
    last = full["worker_start_ray_commands"][-1]
    (module,) = re.findall(r"python -m (\S+) ", last)
    assert importlib.util.find_spec(module) is not None
    assert last.endswith("< /dev/null &"), "`ray up` would wait for it"
    assert "ray start" in full["worker_start_ray_commands"][-2]
    assert not [line for line in full["head_start_ray_commands"] if module in line], "the head is no spot machine"


def unknown_field(cluster: Cluster) -> None:
    cluster["idle_timeout_minute"] = cluster.pop("idle_timeout_minutes")


def unknown_field_of_a_node(cluster: Cluster) -> None:
    cluster["available_node_types"]["gpu"]["InstanceType"] = "g6.xlarge"


def wrong_type(cluster: Cluster) -> None:
    cluster["max_workers"] = "four"


def missing_resources(cluster: Cluster) -> None:
    del cluster["available_node_types"]["gpu"]["resources"]


def missing_cluster_name(cluster: Cluster) -> None:
    cluster["cluster_name"] = None


def unknown_head_type(cluster: Cluster) -> None:
    cluster["head_node_type"] = "haed"


def more_kept_than_allowed(cluster: Cluster) -> None:
    cluster["available_node_types"]["gpu"]["min_workers"] = cluster["max_workers"] + 1


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (unknown_field, jsonschema.ValidationError, "idle_timeout_minute"),
        (unknown_field_of_a_node, jsonschema.ValidationError, "InstanceType"),
        (wrong_type, jsonschema.ValidationError, "four"),
        (missing_resources, jsonschema.ValidationError, "resources"),
        (missing_cluster_name, jsonschema.ValidationError, "cluster_name"),
        (unknown_head_type, ValueError, "head_node_type"),
        (more_kept_than_allowed, ValueError, "max_workers"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_ray_refuses(cluster: Cluster, spoil: Callable[[Cluster], None], error: type[Exception], message: str) -> None:
    spoil(cluster)
    with pytest.raises(error, match=message):
        prepared(cluster)


def test_ray_refuses_a_cluster_without_provider(cluster: Cluster) -> None:
    del cluster["provider"]
    with pytest.raises(KeyError, match="provider"):
        prepared(cluster)
    with pytest.raises(jsonschema.ValidationError, match="provider"):
        util.validate_config(cluster)


def test_the_checkout_is_mounted(cluster: Cluster, root: Path) -> None:
    mounts: dict[str, str] = cluster["file_mounts"]
    for remote, local in mounts.items():
        assert remote == f"~/groupdir/{local}"
        assert (root / local).exists(), f"file_mounts names {local}, which is not in the checkout"
    needed = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "groupdir", "launch", "search_spaces"}
    assert needed <= set(mounts.values())


def test_no_source_is_left_out_of_the_mounts(cluster: Cluster, root: Path) -> None:
    """A pattern such as `data/` would leave groupdir/data/ out."""
    for package in ("groupdir", "launch", "analysis", "search_spaces"):
        for path in (root / package).rglob("*"):
            parts = path.relative_to(root).parts
            if "__pycache__" in parts:
                continue
            for pattern in cluster["rsync_exclude"]:
                matched = [part for part in parts if fnmatch.fnmatch(part, pattern.rstrip("/"))]
                assert not matched, f"rsync_exclude: {pattern!r} leaves {path.relative_to(root)} out"
