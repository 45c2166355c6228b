"""Configurations that `groupdir train` measures next to one another: the first one, and each of `--beside`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from groupdir.command_line.next_command import next_command
from groupdir.config.benchmark import YAML_SUFFIXES
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError
from groupdir.files.predictions import fingerprint
from groupdir.files.study_files import best_file, rule_of
from groupdir.names import check_name
from groupdir.registry import TABLES
from groupdir.training.trainer import make_dataset


@dataclass(frozen=True)
class Plan:
    """Configuration to train.

    Attributes:
        label: Name of the configuration in tables, and of its folder.
        config: The configuration.
        tuned: Whether a search or a person has chosen its values. A method's name alone has the defaults.
    """

    label: str
    config: TrialConfig
    tuned: bool = True

    @property
    def title(self) -> str:
        """Label, which says if the configuration is not tuned."""
        return self.label if self.tuned else f"{self.label} (untuned)"


def plans_beside(config: TrialConfig, file: Path, beside: Sequence[str]) -> list[Plan]:
    """Return the configuration of a file, then each configuration of `--beside`.

    Args:
        config: Configuration to compare the others with.
        file: File of `config`. If a rule has chosen it, a study in `beside` gives the choice of the same rule.
        beside: YAML files of trials, folders of studies, and names of methods. A method has the data, encoder,
            optimizer, batches and number of epochs of `config`.

    Raises:
        ConfigError: If an entry does not fit, occurs twice, or has other test samples than `config`.
    """
    plans = [Plan(config.method.name, config)]
    for text in beside:
        plan = _plan(config, file, text, {plan.label for plan in plans})
        for other in plans:
            if plan.config.digest_without_seed == other.config.digest_without_seed:
                raise ConfigError(f"--beside {text}: is the same configuration as {other.label}: name another one")
            if plan.label == other.label:
                raise ConfigError(f"--beside {text}: {plan.label} is the label of two configurations: rename one file")
        try:
            check_name(plan.label)
        except ValueError as error:
            raise ConfigError(f"--beside {text}: the label {error}: rename the file or the folder") from error
        _check_same_test(config, plan.config, text)
        plans.append(plan)
    return plans


def _plan(config: TrialConfig, file: Path, text: str, taken: set[str]) -> Plan:
    """Return the configuration that an entry of `--beside` names, with a label that is not taken if possible."""
    path = Path(text)
    if text in TABLES["method"] or not (path.is_dir() or path.suffix in YAML_SUFFIXES):
        if text == config.method.name:
            raise ConfigError(f"--beside {text}: must differ from the method of the configuration: name another method")
        return Plan(text, with_method(config, text), tuned=False)
    is_study = path.is_dir()
    source = _best_of(path, file) if is_study else path
    label = path.resolve().name if is_study else path.stem
    if label in taken:
        label = f"{path.resolve().parent.name}_{label}"
    return Plan(label, TrialConfig.load(source))


def _best_of(study: Path, file: Path) -> Path:
    """Return the file of a study that the same rule has chosen as another file."""
    rule = rule_of(file)
    if rule is None:
        raise ConfigError(
            f"--beside {study}: a study needs a rule that chooses one of its trials, but {file} was not chosen by a "
            f"rule: name a YAML file in the study's folder, such as {study / best_file('few')}"
        )
    chosen = study / best_file(rule)
    if not chosen.is_file():
        command = next_command("select", study, "--shot", rule)
        raise ConfigError(f"--beside {study}: has no {chosen.name}, the rule of {file}: run `{command}` first")
    return chosen


def _check_same_test(config: TrialConfig, other: TrialConfig, text: str) -> None:
    """Refuse a configuration with another data set, other test samples or other shots."""
    if other.data == config.data:
        return
    if other.data.name != config.data.name:
        raise ConfigError(
            f"--beside {text}: has the data set {other.data.name}, but the first configuration has {config.data.name}: "
            "compare configurations of one data set"
        )
    first, second = make_dataset(config), make_dataset(other)
    samples = [fingerprint(each.labels("test"), each.config.drawn_with) for each in (first, second)]
    if samples[0] != samples[1] or first.shots != second.shots:
        what = "samples" if samples[0] != samples[1] else "shots"
        raise ConfigError(
            f"--beside {text}: its test split of {other.data.name} has other {what} than that of the first "
            "configuration: give both the same section data"
        )


def with_method(config: TrialConfig, name: str) -> TrialConfig:
    """Return the trial with another method, trained for the number of epochs of all stages together."""
    data = config.to_dict() | {"method": {"name": name}, "stage_seed": None}
    method = TrialConfig.from_dict(data, "--beside")
    try:
        return method.with_total_epochs(config.total_epochs)
    except ConfigError as error:
        raise ConfigError(
            f"--beside {name}: must be trained for the {config.total_epochs} epochs of the first configuration, but "
            f"{error}; or give --beside a file with this method"
        ) from error
