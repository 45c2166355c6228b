"""Names become classes, and their options become classes without the code that uses them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groupdir.errors import ConfigError
from groupdir.methods.base import Method
from groupdir.registry import CONFIGS, METHODS, TABLES, Kind, resolve, resolve_config
from tests.checkout import ROOT

EVERY = [(kind, name) for kind, table in TABLES.items() for name in table]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_plug_in_and_its_options_belong_together(kind: Kind, name: str) -> None:
    cls, options = resolve(kind, name), resolve_config(kind, name)
    assert cls.Config is options  # type: ignore[attr-defined]
    assert (options.__module__, options.__name__) == (CONFIGS[kind], f"{cls.__name__}Config")


@pytest.mark.parametrize("name", METHODS)
def test_a_registered_method_says_its_stages_in_its_options(name: str) -> None:
    """`TrialConfig.stages` does not import its class."""
    assert resolve("method", name).stages is Method.stages  # type: ignore[attr-defined]


def test_a_class_of_ones_own_brings_its_options() -> None:
    assert resolve_config("data", "tests.toy.parts:Waves").__qualname__ == "Waves.Config"


def test_options_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "new", "groupdir.methods.new:New")
    with pytest.raises(
        ConfigError, match=r"'new' must have its options in class NewConfig of groupdir\.config\.methods"
    ):
        resolve_config("method", "new")
    with pytest.raises(ConfigError, match="unknown method 'group_dri': did you mean 'group_dir'"):
        resolve_config("method", "group_dri")


def test_no_yaml_of_ours_needs_torch() -> None:
    """Loading torch takes 2 s of processor time; `groupdir check` should take less than 1."""
    code = f"""
import sys
from pathlib import Path
from groupdir.config import TrialConfig, load_space
from groupdir.config.benchmark import load_benchmark
from groupdir.config.file_kind import is_benchmark
from groupdir.config.schema import build_schema
from groupdir.config.yamlfile import Document
build_schema()
for path in sorted(Path({str(ROOT / "search_spaces")!r}).rglob("*.yaml")):
    document = Document.read(path)
    load = load_benchmark if is_benchmark(document) else load_space if "search" in document.data else TrialConfig.load
    load(path)
    heavy = {{"torch", "ray", "scipy", "sklearn", "pandas"}} & set(sys.modules)
    assert not heavy, f"{{path}} loads {{', '.join(sorted(heavy))}}"
print("fine")
"""
    environment = {**os.environ, "GROUPDIR_DATA": "/nowhere", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr


def test_every_yaml_is_looked_at() -> None:
    assert len(list(Path(ROOT / "search_spaces").rglob("*.yaml"))) > 50


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise RuntimeError('boom\\nagain')", r"cannot be loaded: RuntimeError at \w+\.py:1: boom again$"),
        ("raise SystemExit(7)", r"cannot be loaded: SystemExit at \w+\.py:1: 7$"),
        ("def (", r"cannot be loaded: SyntaxError: invalid syntax \(\w+\.py, line 1\)$"),
        ("import no_such_module", "cannot be loaded: No module named 'no_such_module'; it must be importable"),
        ("Mine = 5", "must be a class with a nested `Config`, got 5"),
        ("class Mine: pass", "must be a class with a nested `Config`"),
        ("class Mine: Config = None", "must have a `Config` that is a pydantic model, got None"),
        ("class Mine:\n  class Config: pass", "must have a `Config` that is a pydantic model"),
    ],
)
@pytest.mark.parametrize("kind", ["method", "sampler"])
def test_a_class_that_cannot_be_loaded_is_a_mistake(
    kind: Kind, code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"own_{kind}_{abs(hash(code))}"
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=f"'{module}:Mine' {says}"):
        resolve_config(kind, f"{module}:Mine")


@pytest.mark.parametrize("name", [":Mine", "..:Mine", ".mod:Mine"])
def test_a_module_that_no_import_can_name_is_a_mistake(name: str) -> None:
    with pytest.raises(ConfigError, match=f"method '{name}' cannot be loaded"):
        resolve_config("method", name)
