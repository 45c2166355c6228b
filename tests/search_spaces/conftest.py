"""A small folder like AgeDB-DIR, written once."""

from pathlib import Path

import pytest

from tests.search_spaces.presets import write_agedb


@pytest.fixture(scope="session")
def agedb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of a small folder in AgeDB-DIR's layout, which tests must not change."""
    return write_agedb(tmp_path_factory.mktemp("agedb"))
