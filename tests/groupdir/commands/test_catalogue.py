"""The list of plug-ins is read from source, and complete."""

import inspect
from pathlib import Path

import pytest

from groupdir.commands.catalogue import load_catalogue, summary_of
from groupdir.metrics import METRICS
from groupdir.registry import TABLES, resolve

TARGETS = [target for table in TABLES.values() for target in table.values()]


@pytest.mark.parametrize("target", TARGETS)
def test_a_summary_is_the_first_line_of_the_docstring(target: str) -> None:
    module, _, name = target.partition(":")
    kind = next(kind for kind, table in TABLES.items() if target in table.values())
    expected = (inspect.getdoc(resolve(kind, target)) or "").splitlines()[0]
    assert summary_of(target) == expected, f"{name} in {module} needs a docstring of its own"


def test_every_plug_in_and_preset_is_listed(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    catalogue = load_catalogue()
    assert {kind: [entry.name for entry in entries] for kind, entries in catalogue.kinds.items()} == {
        **{kind: list(table) for kind, table in TABLES.items()},
        "metric": list(METRICS),
    }
    presets = sorted(path.stem for path in (root / "search_spaces/baselines").glob("*.yaml"))
    assert [entry.name for entry in catalogue.presets] == presets
    assert all(entry.summary for entries in catalogue.kinds.values() for entry in entries)
    cut = [entry.name for entry in catalogue.presets if not entry.summary.endswith(".")]
    assert not cut, "the first line of a preset is a whole sentence"
    assert all(Path(preset["file"]).is_file() for preset in catalogue.to_json()["presets"])
