"""Public names that programs outside of this project import; they stay where they are."""

import importlib
import inspect

import pytest

NAMES = {
    "groupdir.labels": ["LabelGroups.equal_width", "LabelGroups.assign", "soft_labels", "sample_weights", "LDS"],
    "groupdir.losses": [
        "group_contrastive_loss",
        "ranksim_loss",
        "conr_loss",
        "batch_monte_carlo_loss",
        "gmm_integration_loss",
        "bucket_integration_loss",
        "evidential_loss",
        "focal_loss",
    ],
    "groupdir.metrics": ["ShotSplit.from_train", "ShotSplit.fixed", "shot_metrics"],
    "groupdir.config": ["TrialConfig.load", "TrialConfig.digest", "load_space", "StudyConfig"],
    "groupdir.training": ["run_trial", "EpochResult"],
    "launch.schedulers": ["ParetoASHA"],
    "analysis.pareto": ["pareto_front", "hypervolume"],
    "analysis.compare": ["paired_bootstrap", "Difference"],
}
PARAMETERS = {
    "groupdir.labels.LabelGroups.equal_width": "low, high, groups",
    "groupdir.labels.soft_labels": "group, groups, beta, *, dtype",
    "groupdir.labels.sample_weights": "y, *, bin_width, low, mode, lds, high, clip",
    "groupdir.losses.group_contrastive_loss": "z, group, temperature, similarity",
    "groupdir.metrics.ShotSplit.from_train": "train_y, bin_width, many, few, low, high",
    "groupdir.training.run_trial": "config, *, resume",
    "analysis.compare.paired_bootstrap": "target, first, second, metric, *, draws, seed",
}


def found_at(module: str, name: str) -> object:
    value: object = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_the_name_is_there(module: str, name: str) -> None:
    assert found_at(module, name) is not None


@pytest.mark.parametrize(("address", "parameters"), PARAMETERS.items())
def test_its_parameters_come_first_and_in_order(address: str, parameters: str) -> None:
    module = next(module for module in NAMES if address.startswith(module + "."))
    signature = inspect.signature(found_at(module, address.removeprefix(module + ".")))  # type: ignore[arg-type]
    names: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in names:
            names.append("*")
        names.append(parameter.name)
    assert ", ".join(names).startswith(parameters)
