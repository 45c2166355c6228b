"""What all tests share: one thread, no surprises from the clock, the real data where it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.s3 import S3, s3_server

# Before anything imports torch, and inherited by every subprocess: one thread is what a trial gets on a CPU, and sums
# over several threads are not the same bit for bit.
os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine is no failure. Examples are the same every time, unless new ones are asked for.
settings.register_profile("groupdir", deadline=None, derandomize=not os.environ.get("GROUPDIR_RANDOM_EXAMPLES"))
settings.load_profile("groupdir")

ROOT = Path(__file__).resolve().parent.parent


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a GPU where torch sees none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("torch sees no CUDA device")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets, beside the checkout: agedb-dir/, sts-b-dir/."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not here: no folder ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    """An S3 that stands on this machine, which the environment names."""
    pytest.importorskip("moto", reason="moto, the local S3, is not installed")
    with s3_server() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.env.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty folder for studies."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder
