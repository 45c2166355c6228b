"""The start of Ray: what cannot start or be reached ends in an error of the project, at once."""

import socket
import time

import pytest
import ray

from groupdir.errors import NodeError
from launch.on_ray.backend import quiet_ray, refuse_unreachable


def test_a_cluster_at_which_nothing_listens_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refuse_unreachable(f"127.0.0.1:{port}")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    start = time.monotonic()
    with pytest.raises(NodeError, match=rf"no Ray answers at 127\.0\.0\.1:{port} .*unset RAY_ADDRESS"), quiet_ray(0):
        pass
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("address", ["auto", "local", "ray://head:10001", "head"])
def test_other_forms_of_an_address_are_left_to_ray(address: str) -> None:
    refuse_unreachable(address)


def test_a_port_that_cannot_exist_is_refused() -> None:
    with pytest.raises(NodeError, match=r"no Ray answers at 127\.0\.0\.1:70000"):
        refuse_unreachable("127.0.0.1:70000")


@pytest.mark.slow
def test_a_ray_that_does_not_start_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine has the memory for ten petabytes of shared data."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    message = r"Ray could not start on this machine: ValueError.*nothing that was recorded is lost"
    with pytest.raises(NodeError, match=message), quiet_ray(10**16):
        pass
    assert not ray.is_initialized()
