"""A cluster of several nodes on this machine."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.checkout import ROOT

MIB = 1024**2


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head on which no trial runs; tests add nodes."""
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    temp = tempfile.mkdtemp(prefix="gd-", dir="/tmp")
    head = {"num_cpus": 0, "object_store_memory": 80 * MIB, "include_dashboard": False, "temp_dir": temp}
    made = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made
    ray.shutdown()
    made.shutdown()
    shutil.rmtree(temp, ignore_errors=True)
