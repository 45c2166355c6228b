"""Small folders like AgeDB-DIR and STS-B-DIR, written once."""

from pathlib import Path

import pytest

from tests.search_spaces.presets import write_agedb, write_stsb


@pytest.fixture(scope="session")
def agedb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of a small folder in AgeDB-DIR's layout, which tests must not change."""
    return write_agedb(tmp_path_factory.mktemp("agedb"))


@pytest.fixture(scope="session")
def stsb(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The parent of a small folder in STS-B-DIR's layout, which tests must not change; and its training scores."""
    return write_stsb(tmp_path_factory.mktemp("stsb"))
