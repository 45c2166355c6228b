"""Parts of a trial that do not fit each other, as far as the options tell."""

from typing import Any

import pytest

from groupdir.config.fit import misfits
from groupdir.config.trial import TrialConfig

TABLE = {"name": "table", "root": "/nowhere"}
TOKENS = {"name": "stsb", "root": "/nowhere", "inputs": "tokens"}
PHOTOS = {"name": "agedb", "root": "/nowhere"}


def trial(data: dict[str, Any], encoder: str, method: dict[str, Any]) -> TrialConfig:
    return TrialConfig.from_dict({"data": data, "encoder": {"name": encoder}, "method": method})


@pytest.mark.parametrize("recipe", ["two_stage", "joint"])
@pytest.mark.parametrize("pretrain", [None, {"epochs": 3}])
def test_the_default_recipe_follows_the_data(recipe: str, pretrain: Any) -> None:
    if recipe == "joint" and pretrain:
        pytest.skip("a joint recipe has no pre-training")
    method = {"name": "group_dir", "recipe": recipe, "pretrain": pretrain}
    on_table, on_pictures = trial(TABLE, "mlp", method), trial({"name": "digits"}, "convnet", method)
    assert misfits(on_table) == misfits(on_pictures) == {}
    assert on_table.stages[0].views == 1
    assert on_pictures.stages[0].views == (2 if recipe == "two_stage" else 1)
    if pretrain:
        assert on_pictures.to_dict()["method"]["pretrain"]["views"] == 2, "the chosen number is written down"


@pytest.mark.parametrize(
    ("config", "address", "text"),
    [
        (trial(TABLE, "mlp", {"name": "group_dir", "pretrain": {"views": 2}}), "method", "pretrain asks for 2 views"),
        (
            trial(TABLE, "mlp", {"name": "vanilla", "regularizer": "conr"}),
            "method",
            "data set table has no augmentation",
        ),
        (
            trial(TABLE, "convnet", {"name": "vanilla"}),
            "encoder.name",
            "convnet reads image, but the data set gives vector",
        ),
        (trial(TOKENS, "mlp", {"name": "vanilla"}), "encoder.name", "gives token_pair"),
        (trial(TOKENS, "bilstm", {"name": "vae"}), "method.lambda_reconstruction", "words cannot be reconstructed"),
        (trial(TOKENS, "bilstm", {"name": "vir"}), "method.lambda_reconstruction", "words cannot be reconstructed"),
        (trial(TOKENS, "bilstm", {"name": "vanilla", "resampling": "smogn"}), "method.resampling", "sentences cannot"),
        (
            trial(PHOTOS, "resnet", {"name": "vanilla", "resampling": "smoter"}),
            "method.resampling",
            "photographs cannot",
        ),
    ],
)
def test_parts_that_do_not_fit(config: TrialConfig, address: str, text: str) -> None:
    (found,) = misfits(config).items()
    assert found[0] == address
    assert text in found[1]
