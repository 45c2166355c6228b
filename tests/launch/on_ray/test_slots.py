"""How many trials run, and on what, while nodes come and go."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from groupdir.config.search import SearchConfig
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from launch.control.study_loop import StudyLoop
from launch.interrupt import Interrupt
from launch.on_ray import backend as engine
from launch.on_ray import slots as module
from launch.on_ray.capacity import Coming
from launch.on_ray.slots import Request, Slots
from launch.schedulers.none import NoStopping
from launch.study.study import Study
from tests.launch.conftest import CONTENT

WORKER = {"CPU": 4.0, "GPU": 1.0}


class Nodes:
    """What runs, looked at anew each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *nodes: dict[str, float]) -> None:
        self.there = list(nodes)
        monkeypatch.setattr(module, "AGE", -1.0)

    def __call__(self) -> list[dict[str, float]]:
        return self.there


def search(**resources: Any) -> SearchConfig:
    return SearchConfig.model_validate({"resources": resources})


def taken(slots: Slots, most: int = 50) -> int:
    """How many more trials may start."""
    return sum(slots.take(f"more-{number}") is not None for number in range(most))


def test_a_node_counts_from_when_it_comes_until_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {"CPU": 2.0})
    slots = Slots(search(), nodes, Coming())
    assert [slots.take(number) for number in range(3)] == [Request(1.0, 0.0)] * 2 + [None]
    nodes.there.append({"CPU": 1.0})
    assert slots.take(2) is not None
    assert slots.take(3) is None
    nodes.there.pop()
    slots.give_back(2)
    assert slots.take(3) is None, "the nodes that are left are full"


def test_a_search_asks_for_gpus_before_the_first_worker_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(search(), Nodes(monkeypatch, {"memory": 1.0}), Coming([WORKER] * 8, 4))
    assert slots.take(0) == Request(1.0, 1.0)
    assert taken(slots) == 3, "the autoscaler adds four at most"


def test_what_may_come_on_a_cluster_that_ray_up_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    kind = {"resources": WORKER, "max_workers": 2}
    cluster = {"max_workers": 2, "available_node_types": {"gpu": kind}}
    (tmp_path / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(cluster))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(module, "alive_nodes", list)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert taken(Slots.of_cluster(search())) == 2
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert taken(Slots.of_cluster(search())) == 3, "one that waits is what the operator's autoscaler comes for"
    monkeypatch.delenv("RAY_ADDRESS")
    assert taken(Slots.of_cluster(search())) == 1, "a Ray of this process's own does not grow"


def test_parts_are_counted_node_by_node(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, WORKER, WORKER)
    assert taken(Slots(search(cpu=1, gpu=0.3), nodes, Coming())) == 6
    assert taken(Slots(search(cpu=3), nodes, Coming())) == 2
    assert taken(Slots(search(cpu=1, gpu=0.1), nodes, Coming())) == 8, "CPUs are the limit"


def test_half_of_one_kind_and_all_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    large = {"CPU": 8.0, "GPU": 2.0, "accelerator_type:A100": 1.0}
    small = {"CPU": 4.0, "GPU": 1.0, "accelerator_type:T4": 1.0}
    nodes = Nodes(monkeypatch, large, small, {"CPU": 16.0})
    slots = Slots(search(cpu=1, gpu={"A100": 0.5, "T4": 1.0}), nodes, Coming())
    found = [slots.take(number) for number in range(6)]
    assert found[5] is None
    assert [request.kind for request in found if request] == ["A100"] * 3 + ["A100", "T4"]
    assert found[0] is not None
    assert found[0].bundle == {"CPU": 1.0, "GPU": 0.5, "accelerator_type:A100": 0.001}
    nodes.there.remove(large)
    assert slots.move(0).kind == "T4", "no node has an A100 any more"


def test_what_no_node_holds_waits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(search(gpu={"H100": 1.0}), Nodes(monkeypatch, {"CPU": 2.0}), Coming())
    assert taken(slots) == 1, "Ray says what it waits for"


def test_how_many_at_once_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    config = SearchConfig.model_validate({"concurrency": 3})
    assert taken(Slots(config, Nodes(monkeypatch, {"CPU": 2.0}), Coming())) == 3


@pytest.mark.parametrize("gpu", [{}, {"A100": 0}, {"A100": -1}, {"A100": float("nan")}, -0.5])
def test_parts_that_are_none(gpu: Any) -> None:
    with pytest.raises(ValueError, match=r"must|finite"):
        search(gpu=gpu)


def test_a_machine_that_can_hold_no_trial_says_so(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would wait for ever."""
    search = {**CONTENT["search"], "resources": {"gpu": {"A100": 0.5, "T4": 1.0}}}
    study = Study.create(tmp_path / "study", StudyConfig.from_dict({**CONTENT, "search": search}))
    for place in (module, engine):
        monkeypatch.setattr(place, "alive_nodes", lambda refused=(): [{"CPU": 2.0}])
    loop = StudyLoop(study, NoStopping(), "val_mae_all")
    requested = r"1 CPU and 0\.5 GPUs \(A100\) or 1 CPU and 1 GPU \(T4\)"
    says = rf"resources: a trial requests {requested} but this machine has 2 CPUs and 0 GPUs: lower the request"
    with pytest.raises(ConfigError, match=says):
        engine.run_trials(study, loop, None, Interrupt(None), engine.Screen(lambda: None, print))
    study.close()
