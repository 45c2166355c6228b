"""Fixture of all tests of this folder."""

import pytest

from groupdir.losses.group_contrastive_trust import Trust


@pytest.fixture(autouse=True)
def fused_results_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the results of the fused contrastive loss even if they are wrong: the tests shall see that."""
    monkeypatch.setattr(Trust, "checked", lambda self, kind, result, *others: result)
