"""Which registered plug-ins lack a test of their own, and which kinds a conformance suite."""

import re

from groupdir.registry import TABLES, Kind
from tests.checkout import ROOT

TRAINED = "tests/groupdir/methods/test_conformance.py"
SUITES: dict[Kind, str] = {
    "method": TRAINED,
    "regression_loss": TRAINED,
    "group_loss": TRAINED,
    "regularizer": TRAINED,
    "weights": TRAINED,
    "resampling": TRAINED,
    "optimizer": TRAINED,
    "schedule": TRAINED,
    "data": "tests/groupdir/data/test_conformance.py",
    "encoder": "tests/groupdir/models/test_conformance.py",
    "scheduler": "tests/launch/schedulers/test_conformance.py",
    "sampler": "tests/launch/sampling/test_conformance.py",
}
"""The suite that asks of every entry of a kind what should hold for all of them."""


def without_a_test(kind: Kind) -> list[str]:
    """Return the tests that are missing: a/b/c.py is tested by tests/a/b/test_c.py, which names every class."""
    missing = []
    for entry, target in TABLES[kind].items():
        module, _, attribute = target.partition(":")
        folder, _, name = module.rpartition(".")
        path = ROOT / "tests" / folder.replace(".", "/") / f"test_{name}.py"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if "\ndef test_" not in text or not re.search(rf"\b{attribute}\b|\"{entry}\"", text):
            missing.append(f"{path.relative_to(ROOT)} must test {attribute} by name")
    return missing


def without_a_suite() -> list[str]:
    """Return the kinds for which no conformance suite looks through the registry's table."""
    missing = []
    for kind in TABLES:
        path = ROOT / SUITES.get(kind, "")
        if not path.is_file() or not re.search(r"\bTABLES\b", path.read_text(encoding="utf-8")):
            missing.append(f"no conformance case for kind {kind}: add its suite to SUITES of tests/plugins.py")
    return missing
