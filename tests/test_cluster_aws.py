"""cluster.yaml against a mock of EC2 and IAM: all that Ray's AWS provider does, up to the launch of nodes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.checkout import ROOT

moto = pytest.importorskip("moto", reason="moto is not installed: make install")
boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: make install")

aws_config = pytest.importorskip("ray.autoscaler._private.aws.config")
aws_utils = pytest.importorskip("ray.autoscaler._private.aws.utils")
node_provider = pytest.importorskip("ray.autoscaler._private.aws.node_provider")
util = pytest.importorskip("ray.autoscaler._private.util")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

Cluster = dict[str, Any]
IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
REGION = "us-west-2"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty AWS account, and a home for the key that Ray makes."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    with pytest.MonkeyPatch.context() as patch, moto.mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        names = {"HOME": str(home), "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        for name, value in (names | {"AWS_DEFAULT_REGION": REGION}).items():
            patch.setenv(name, value)
        patch.setattr(aws_config, "time", SimpleNamespace(sleep=lambda seconds: None))  # until all of AWS knows a role
        for cache in (aws_utils.resource_cache, aws_utils.client_cache):
            cache.cache_clear()
        yield boto3.client("ec2", region_name=REGION)
        for cache in (aws_utils.resource_cache, aws_utils.client_cache):
            cache.cache_clear()


@pytest.fixture(scope="module")
def cluster(cloud: Any) -> Cluster:
    """What `ray up` makes of the file before a machine is asked for."""
    content = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    full = node_provider.AWSNodeProvider.fillout_available_node_types_resources(util.prepare_config(content))
    util.validate_config(full)
    return node_provider.AWSNodeProvider.bootstrap_config(full)


def launched(cluster: Cluster, cloud: Any, kind: str) -> list[dict[str, Any]]:
    """Has the provider launch a node of a type, as the launcher and the autoscaler do."""
    provider = node_provider.AWSNodeProvider(cluster["provider"], cluster["cluster_name"])
    node = copy.deepcopy(cluster["available_node_types"][kind]["node_config"])
    if kind == cluster["head_node_type"]:
        node |= cluster["head_node"]
    tags = {"ray-node-kind": "head" if kind == "head" else "worker", "ray-user-node-type": kind}
    made = provider.create_node(node, tags, 1)
    reservations = cloud.describe_instances(InstanceIds=list(made))["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def test_resources_are_those_of_the_machines(cluster: Cluster) -> None:
    kinds = cluster["available_node_types"]
    assert kinds["head"]["resources"]["CPU"] == 0, "trials run on the workers"
    for kind in ("gpu", "gpu_on_demand"):
        assert (kinds[kind]["resources"]["CPU"], kinds[kind]["resources"]["GPU"]) == (4, 1)


def test_the_account_gets_what_the_cluster_needs_and_no_more(cluster: Cluster, cloud: Any) -> None:
    key = Path(cluster["auth"]["ssh_private_key"]).expanduser()
    assert key.stat().st_mode & 0o077 == 0
    assert len(cloud.describe_key_pairs()["KeyPairs"]) == 1
    (profile,) = boto3.client("iam").list_instance_profiles()["InstanceProfiles"]
    assert cluster["head_node"]["IamInstanceProfile"]["Arn"] == profile["Arn"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["ray-autoscaler-v1"]
    groups = {
        group for kind in cluster["available_node_types"].values() for group in kind["node_config"]["SecurityGroupIds"]
    }
    (group,) = cloud.describe_security_groups(GroupIds=list(groups))["SecurityGroups"]
    open_to_all = [rule for rule in group["IpPermissions"] if rule["IpRanges"]]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in open_to_all] == [(22, 22)], "only SSH is open to the world"


def test_nodes_are_launched_as_the_file_says(cluster: Cluster, cloud: Any) -> None:
    (image,) = [found["ImageId"] for found in cloud.describe_images(Owners=["amazon"])["Images"]][:1]
    cluster = copy.deepcopy(cluster)
    for kind in cluster["available_node_types"].values():
        assert kind["node_config"]["ImageId"] == f"resolve:ssm:{IMAGE}"
        kind["node_config"]["ImageId"] = image  # AWS resolves the name at the launch; the mock does not
    (head,) = launched(cluster, cloud, "head")
    (spot,) = launched(cluster, cloud, "gpu")
    (on_demand,) = launched(cluster, cloud, "gpu_on_demand")
    assert head["InstanceType"] == "m7i.xlarge"
    assert "IamInstanceProfile" in head
    assert "InstanceLifecycle" not in head
    assert (spot["InstanceType"], spot["InstanceLifecycle"]) == ("g6.xlarge", "spot")
    assert "InstanceLifecycle" not in on_demand
    for node in (head, spot, on_demand):
        tags = {tag["Key"]: tag["Value"] for tag in node["Tags"]}
        assert tags["ray-cluster-name"] == "groupdir"
        (disk,) = cloud.describe_volumes(VolumeIds=[node["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"]
        assert (disk["Size"], disk["VolumeType"]) == (150, "gp3")
        assert node["KeyName"] == cloud.describe_key_pairs()["KeyPairs"][0]["KeyName"]
