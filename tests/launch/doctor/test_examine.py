"""When the doctor is asked, and for whom it waits: a cluster begins as a head alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from groupdir.config.space import StudyConfig
from groupdir.errors import DataError
from groupdir.files.storage import Place
from launch.doctor import examine as doctor
from launch.doctor.diagnosis import Finding
from launch.doctor.examine import Health

KIND = {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 4}
AWS = {"max_workers": 4, "provider": {"type": "aws"}, "available_node_types": {"gpu": KIND}}
LOCAL = {
    "max_workers": 2,
    "provider": {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2", "10.0.0.3"]},
    "available_node_types": {"local.cluster.node": {"resources": {}, "max_workers": 2}},
}
SICK = Health([], [Finding("cluster", "it is ill", "mend it")])


@pytest.fixture
def config() -> StudyConfig:
    method = {"name": "vanilla", "loss": {"choice": ["mse", "l1"]}}
    return StudyConfig.from_dict(
        {"name": "small", "data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": method}
    )


class Head:
    """A head, the file that it has of its cluster, and who joins it when."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.joins = [["10.0.0.1"]]  # who is there, second after second
        self.now = 0.0
        patch.setenv("HOME", str(folder))
        patch.setenv("RAY_ADDRESS", "auto")
        patch.setattr(doctor, "quiet_ray", lambda size: contextlib.nullcontext())
        patch.setattr(doctor, "examine", lambda config, folder: SICK)
        patch.setattr(doctor, "_alive", self.alive)
        patch.setattr(doctor, "_absent", set())
        patch.setattr(doctor.time, "monotonic", lambda: self.now)
        patch.setattr(doctor.time, "sleep", self.sleep)

    def of(self, cluster: dict[str, Any]) -> None:
        (self.folder / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(cluster))

    def alive(self) -> list[dict[str, str]]:
        there = self.joins[min(int(self.now), len(self.joins) - 1)]
        return [{"NodeManagerAddress": address} for address in there]

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    with monkeypatch.context() as patch:
        yield Head(tmp_path, patch)


def test_a_machine_that_stays_alone_is_not_asked(head: Head, config: StudyConfig) -> None:
    doctor.refuse_sick(config, head.folder / "small")
    head.joins = [["10.0.0.1", "10.0.0.2"]]
    with pytest.raises(DataError, match="cannot run this search because of the errors above"):
        doctor.refuse_sick(config, head.folder / "small")


def test_a_head_whose_workers_a_cloud_will_send_is_asked(head: Head, config: StudyConfig) -> None:
    head.of(AWS)
    with pytest.raises(DataError, match="cannot run this search because of the errors above"):
        doctor.refuse_sick(config, head.folder / "small")
    assert head.now == 0, "nobody comes before there are trials"


def test_machines_of_ones_own_are_waited_for(
    head: Head, config: StudyConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    head.of(LOCAL)
    head.joins = [["10.0.0.1"]] * 5 + [["10.0.0.1", "10.0.0.3"]] * 5 + [["10.0.0.1", "10.0.0.2", "10.0.0.3"]]
    with pytest.raises(DataError):
        doctor.refuse_sick(config, head.folder / "small")
    assert head.now == 10
    assert "waiting up to 90 s for 10.0.0.2, 10.0.0.3\n" in capsys.readouterr().out


def test_but_not_for_ever_and_not_twice(head: Head, config: StudyConfig) -> None:
    head.of(LOCAL)
    head.joins = [["10.0.0.1", "10.0.0.2"]]
    for _ in range(2):
        with pytest.raises(DataError):
            doctor.refuse_sick(config, head.folder / "small")
        assert head.now == 90
    assert doctor._to_come(Place.at(str(head.folder)))[1:] == (["10.0.0.3"], False)


def test_a_folder_on_the_heads_disk_is_no_place_for_a_clouds_workers(head: Head) -> None:
    head.of(AWS)
    kind = {"CPU": 4.0, "GPU": 1.0}
    assert doctor._to_come(Place.at(str(head.folder))) == ([kind], [], True)
    assert doctor._to_come(Place.at("s3://bucket/groupdir")) == ([kind], [], False)
