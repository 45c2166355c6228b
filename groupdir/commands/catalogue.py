"""Catalogue of the names that a YAML can use: registered plug-ins, metrics and presets."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from groupdir.command_line.checkout import find_checkout
from groupdir.metrics import METRICS
from groupdir.registry import TABLES

PRESETS = Path("search_spaces/baselines")
TITLES = {
    "method": "methods",
    "regression_loss": "regression losses of vanilla and vae (method.loss)",
    "group_loss": "group losses of group_dir (method.group_loss)",
    "regularizer": "regularizers of any method (method.regularizer)",
    "weights": "sample-weight modes of any method (method.weights.mode)",
    "resampling": "resamplers of any method (method.resampling)",
    "optimizer": "optimizers (optim)",
    "schedule": "learning-rate schedules (optim.schedule)",
    "data": "data sets",
    "encoder": "encoders",
    "scheduler": "schedulers, which stop trials (search.scheduler)",
    "sampler": "samplers, which suggest trials (search.sampler)",
    "metric": "metrics of a search",
}


@dataclass(frozen=True)
class Entry:
    """Entry of the catalogue: a name and one line of description."""

    name: str
    summary: str


@dataclass(frozen=True)
class Catalogue:
    """Catalogue of the registered plug-ins by kind, the metrics and the presets.

    Attributes:
        kinds: Plug-ins of each kind, in the order of the registry, then the metrics.
        presets: Search spaces of the published methods and benchmarks, in the checkout.
        folder: Folder of the presets, as typed in the current folder; None without a checkout.
    """

    kinds: Mapping[str, tuple[Entry, ...]]
    presets: tuple[Entry, ...] = ()
    folder: Path | None = None

    def text(self) -> str:
        """Return the catalogue as text, with one line for each entry."""
        lines = []
        for kind, entries in self.kinds.items():
            lines.append(f"{TITLES[kind]}:")
            lines += [f"  {entry.name:14s} {entry.summary}" for entry in entries]
        if self.presets:
            lines.append(f"presets in {self.folder}, each a search space or a benchmark:")
            lines += [f"  {entry.name:16s} {entry.summary}" for entry in self.presets]
        return "\n".join(lines)

    def to_json(self) -> dict[str, list[dict[str, str]]]:
        """Return the catalogue as a list of `name` and `summary` for each kind, and a list of `presets` with `file`."""
        content = {kind: [vars(entry) for entry in entries] for kind, entries in self.kinds.items()}
        folder = self.folder or Path()
        presets = [{**vars(entry), "file": str(folder / f"{entry.name}.yaml")} for entry in self.presets]
        return {**content, "presets": presets}


def load_catalogue() -> Catalogue:
    """Return the plug-ins of the registry and the presets of the checkout, without importing a plug-in."""
    kinds: dict[str, tuple[Entry, ...]] = {
        kind: tuple(Entry(name, summary_of(target)) for name, target in table.items() if _is_installed(target))
        for kind, table in TABLES.items()
    }
    kinds = {kind: entries for kind, entries in kinds.items() if entries}
    kinds["metric"] = tuple(
        Entry(metric.name, f"{metric.text}, {metric.unit}; the {metric.best} is best") for metric in METRICS.values()
    )
    checkout = find_checkout()
    files = [] if checkout is None else sorted((checkout / PRESETS).glob("*.yaml"))
    if checkout is None or not files:
        return Catalogue(kinds)
    folder = PRESETS if Path.cwd() == checkout else checkout / PRESETS
    return Catalogue(kinds, tuple(Entry(file.stem, _first_comment(file)) for file in files), folder)


def summary_of(target: str) -> str:
    """Return the first line of the docstring of a plug-in. Parse its file, because an import may load torch.

    Args:
        target: "module:Class" of a registered plug-in.
    """
    module, _, name = target.partition(":")
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent.joinpath(*rest)
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return (ast.get_docstring(classes[0] if classes else tree) or "").partition("\n")[0]


def _is_installed(target: str) -> bool:
    """Return whether a plug-in's package is here: schedulers and samplers stand in the checkout, not in the wheel."""
    return importlib.util.find_spec(target.partition(".")[0]) is not None


def _first_comment(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip().lstrip("# ")
