"""A plug-in without a test of its own, or a kind without a conformance suite, fails here."""

import pytest

from groupdir import registry
from groupdir.registry import TABLES, Kind
from tests.plugins import SUITES, without_a_suite, without_a_test


@pytest.mark.parametrize("kind", TABLES)
def test_every_plug_in_has_a_test_of_its_own(kind: Kind) -> None:
    assert not without_a_test(kind)


def test_every_kind_has_a_conformance_suite() -> None:
    assert not without_a_suite()
    assert set(SUITES) == set(TABLES)


def test_a_new_module_without_a_test_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.GROUP_LOSSES, "new", "groupdir.group_losses.new:New")
    assert without_a_test("group_loss") == ["tests/groupdir/group_losses/test_new.py must test New by name"]


def test_a_new_class_in_a_module_that_has_a_test_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.GROUP_LOSSES, "new", "groupdir.group_losses.linear:New")
    assert without_a_test("group_loss") == ["tests/groupdir/group_losses/test_linear.py must test New by name"]


def test_a_new_kind_without_a_suite_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, "reward", {})  # type: ignore[misc]
    assert without_a_suite() == ["no conformance case for kind reward: add its suite to SUITES of tests/plugins.py"]
