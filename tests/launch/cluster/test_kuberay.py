"""launch/cluster/kuberay.yaml has the structure of a RayJob, and of one in which a search works."""

import copy
import shlex
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

Manifest = dict[str, Any]
# The fields that this manifest uses, as the operator's definition of ray.io/v1 names them, and no others.
TEXT, WHOLE, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


AMOUNTS = {"type": "object", "additionalProperties": TEXT}
CONTAINER = closed(
    ["name", "image", "resources"],
    name=TEXT,
    image=TEXT,
    ports={"type": "array", "items": closed(["containerPort", "name"], containerPort=WHOLE, name=TEXT)},
    resources=closed(["limits"], requests=AMOUNTS, limits=AMOUNTS),
    volumeMounts={"type": "array", "items": closed(["name", "mountPath"], name=TEXT, mountPath=TEXT)},
)
VOLUME = closed(
    ["name"],
    name=TEXT,
    persistentVolumeClaim=closed(["claimName"], claimName=TEXT),
    emptyDir=closed([], medium=TEXT, sizeLimit=TEXT),
)
POD = closed(
    ["spec"],
    spec=closed(
        ["containers"],
        terminationGracePeriodSeconds=WHOLE,
        containers={"type": "array", "minItems": 1, "items": CONTAINER},
        volumes={"type": "array", "items": VOLUME},
    ),
)
GROUP = closed(
    ["groupName", "template", "maxReplicas", "minReplicas"],
    groupName=TEXT,
    replicas=WHOLE,
    minReplicas=WHOLE,
    maxReplicas=WHOLE,
    rayStartParams=AMOUNTS,
    template=POD,
)
RAYJOB = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=closed(["name"], name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$"}),
    spec=closed(
        ["entrypoint", "rayClusterSpec"],
        entrypoint=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=WHOLE,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=WHOLE,
        runtimeEnvYAML=TEXT,
        rayClusterSpec=closed(
            ["headGroupSpec"],
            rayVersion=TEXT,
            enableInTreeAutoscaling=FLAG,
            autoscalerOptions=closed([], idleTimeoutSeconds=WHOLE),
            headGroupSpec=closed(["template"], rayStartParams=AMOUNTS, template=POD),
            workerGroupSpecs={"type": "array", "minItems": 1, "items": GROUP},
        ),
    ),
)


@pytest.fixture
def manifest(root: Path) -> Manifest:
    found: Manifest = yaml.safe_load((root / "launch/cluster/kuberay.yaml").read_text(encoding="utf-8"))
    return found


def pods(manifest: Manifest) -> Iterator[Manifest]:
    cluster = manifest["spec"]["rayClusterSpec"]
    yield cluster["headGroupSpec"]["template"]["spec"]
    yield from (group["template"]["spec"] for group in cluster["workerGroupSpecs"])


def test_its_structure_is_a_rayjobs(manifest: Manifest) -> None:
    jsonschema.validate(manifest, RAYJOB)
    for group in manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_every_pod_has_one_image_and_the_storage(manifest: Manifest) -> None:
    images = {container["image"] for pod in pods(manifest) for container in pod["containers"]}
    assert len(images) == 1, "two images are two groupdirs"
    for pod in pods(manifest):
        (container,) = pod["containers"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert set(mounts) == volumes
        assert mounts["storage"] == "/storage"
        assert container["resources"]["requests"] == container["resources"]["limits"], "Ray believes the limits"


def test_the_head_takes_no_trials_and_has_rays_version(manifest: Manifest) -> None:
    cluster = manifest["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["rayVersion"] == version("ray")


def test_the_entrypoint_searches_on_this_cluster_and_a_retry_resumes(manifest: Manifest, root: Path) -> None:
    spec = manifest["spec"]
    assert yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"]["RAY_ADDRESS"] == "auto"
    shell, option, script = shlex.split(spec["entrypoint"])
    assert (shell, option) == ("bash", "-c")
    assert "then python -m launch resume /storage/digits;" in script
    space, out = script.split("python -m launch search ")[1].rstrip("; fi").split(" --out ")
    assert (root / space).is_file()
    assert out == "/storage/digits"
    assert spec["backoffLimit"] > 0


@pytest.mark.parametrize("line", ["# To edit", "EDIT"])
def test_what_is_to_be_edited_is_marked(root: Path, line: str) -> None:
    assert line in (root / "launch/cluster/kuberay.yaml").read_text(encoding="utf-8")


def another_version(manifest: Manifest) -> None:
    manifest["apiVersion"] = "ray.io/v1alpha1"


def misspelled(manifest: Manifest) -> None:
    manifest["spec"]["shutdownAfterJobFinish"] = manifest["spec"].pop("shutdownAfterJobFinishes")


def a_number_for_a_text(manifest: Manifest) -> None:
    manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def no_container(manifest: Manifest) -> None:
    manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"] = []


def too_long_a_name(manifest: Manifest) -> None:
    manifest["metadata"]["name"] = "groupdir-" + "x" * 40


@pytest.mark.parametrize(
    "spoil", [another_version, misspelled, a_number_for_a_text, no_container, too_long_a_name], ids=lambda f: f.__name__
)
def test_the_check_finds(manifest: Manifest, spoil: Callable[[Manifest], None]) -> None:
    changed = copy.deepcopy(manifest)
    spoil(changed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, RAYJOB)
