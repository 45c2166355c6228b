"""Options of schedulers and samplers: in the JSON Schema, and as a name alone."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from groupdir.config.schema import build_schema
from groupdir.config.search import SearchConfig
from tests.checkout import ROOT

STUDY = yaml.safe_load(Path(ROOT / "search_spaces/digits.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("section", "valid"),
    [
        ({"scheduler": {"name": "asha", "min_peers": 3}}, False),
        ({"scheduler": {"min_peers": 3}}, True),  # of the default, pareto_asha
        ({"scheduler": {"name": "none", "mode": "stop"}}, False),
        ({"scheduler": {"name": "my.module:Mine", "x": 1}}, True),
        ({"scheduler": {"grace_period": {"choice": [1, 2]}}}, False),  # an option of a search cannot be left open
        ({"sampler": {"name": "random", "startup": 3}}, False),
        ({"sampler": {"startup": 3}}, True),
        ({"sampler": "qmc"}, True),
    ],
)
def test_the_schema_knows_the_options_of_each(section: dict[str, Any], valid: bool) -> None:
    schema = jsonschema.Draft202012Validator(build_schema())
    assert schema.is_valid({**STUDY, "search": {**STUDY["search"], **section}}) == valid


def test_a_name_alone_is_a_section() -> None:
    search = SearchConfig.model_validate({"scheduler": "none", "sampler": "qmc"})
    assert (search.scheduler.text, search.sampler.text) == ("none, every trial runs to its last epoch", "qmc")
    assert SearchConfig().sampler.text == "hypervolume, after 10 trials of a quasi-random design"
