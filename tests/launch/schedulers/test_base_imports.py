"""What an import of schedulers and samplers loads, and the lazy name for Tuners of one's own."""

import subprocess
import sys

import pytest

from tests.checkout import ROOT

HEAVY = ("ray", "torch", "optuna", "scipy", "sklearn", "pandas", "pyarrow", "moocore")


def loaded(code: str) -> set[str]:
    """Which heavy packages a program loads, in a process of its own."""
    text = f"{code}\nimport sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(run.stdout.split())


def test_decisions_and_suggestions_load_nothing_heavy() -> None:
    assert not loaded("import launch.schedulers, launch.sampling.searcher")


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"sampler": {"name": "random"}, "scheduler": {"name": "pareto_asha"}}, set()),
        ({"sampler": {"name": "qmc"}, "scheduler": {"name": "asha"}}, {"scipy"}),
        ({"sampler": {"name": "tpe"}, "scheduler": {"name": "none"}}, {"optuna", "scipy"}),
    ],
)
def test_a_sampler_loads_what_it_needs(search: dict[str, object], expected: set[str]) -> None:
    """The first trial of tpe is a point of the design, which scipy makes."""
    code = f"""
from groupdir.config.search import SearchConfig
from groupdir.config.parameters import Space
from groupdir.config.domains import Uniform
from launch.sampling.searcher import propose
from launch.schedulers import make_scheduler
search = SearchConfig.model_validate({search})
make_scheduler(search).decide(0, 1, {{}})
assert propose(Space({{}}, {{"x": Uniform(0.0, 1.0)}}), search, []).params
"""
    assert loaded(code) - {"pandas", "pyarrow"} == expected


def test_the_name_for_a_tuner_loads_ray() -> None:
    assert "ray" in loaded("from launch.schedulers import ParetoASHA")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import launch.schedulers

    with pytest.raises(AttributeError, match="has no attribute 'ParetoHyperband'"):
        launch.schedulers.ParetoHyperband  # noqa: B018
