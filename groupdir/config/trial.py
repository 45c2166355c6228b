"""Configuration of one trial: frozen, validated, and named by a digest."""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from groupdir.config.base import Plugin, PluginConfig, Strict
from groupdir.config.change import change_all
from groupdir.config.file_kind import likeness, other_kind
from groupdir.config.optimizers import AdamConfig, Optim
from groupdir.config.paths import expand_paths
from groupdir.config.resampling import Resampling
from groupdir.config.stage import Stage, check_stages, shareable, with_optim
from groupdir.config.validation import explain
from groupdir.config.weights import Weights
from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import check_plain, dump_yaml
from groupdir.errors import ConfigError, FieldError, Mistake, described
from groupdir.registry import TABLES, resolve


class MethodConfig(PluginConfig):
    """Base of the options of every method."""

    weights: Weights | None = Field(None, description="Sample weights; null: all samples weigh the same.")
    resampling: Resampling | None = Field(
        None, description="Resampling of the training samples: SMOTER or SMOGN; null: none."
    )

    has_groups: ClassVar[bool] = False
    """Whether the method predicts a group for each input, so that metrics of groups can be measured."""

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return the stages of the training in order, from the configuration alone. By default there is one stage.

        Args:
            trial: Configuration that contains this section.
        """
        return (Stage("fit", trial.train.epochs, trial.optim),)

    def for_views(self, augments: bool) -> Self:
        """Return the options with a number for each number of views that is left to the data set.

        Args:
            augments: Whether the data set augments, so that two views of a sample differ.
        """
        return self

    def check_inputs(self, data: DatasetConfig) -> None:
        """Refuse a data set whose kind of inputs the method cannot use.

        Raises:
            FieldError: If the method cannot use it, with the address of the option inside this section.
        """
        if self.resampling is not None:
            try:
                self.resampling.check_inputs(data.kind, data.interpolates)
            except ValueError as error:
                raise FieldError(("resampling",), str(error)) from error

    def deciding(self, stage: Stage) -> dict[str, Any]:
        """Return the options that decide the result of the first stage, by name. By default all options decide it.

        Trials share a first stage if these options are equal, so the result must hold every option that the stage
        reads.

        Args:
            stage: First of several stages.
        """
        return self.model_dump(mode="json")


InputKind = Literal["image", "vector", "embedding_pair", "token_pair"]
"""Kind of the inputs of an encoder; see `groupdir.data.base.InputSpec`."""


class DatasetConfig(PluginConfig):
    """Base of the options of every data set."""

    interpolates: ClassVar[bool] = True
    """Whether the mean of two inputs is an input too, as resampling requires."""

    @property
    def kind(self) -> InputKind | None:
        """Kind of the inputs, or None if only the data set itself knows it."""
        return None

    @property
    def drawn_with(self) -> str:
        """Options that decide the inputs of drawn samples, as a text; empty if files hold the samples."""
        return ""


class EncoderConfig(PluginConfig):
    """Base of the options of every encoder."""

    kinds: ClassVar[tuple[InputKind, ...]] = ()
    """Kinds of inputs that the encoder reads; empty if only the encoder itself knows them."""


class TrainConfig(Strict):
    """Options of the training loop."""

    epochs: int = Field(90, ge=1, description="Epochs of the last stage; other stages have a separate number.")
    batch_size: int = Field(128, ge=1, description="Samples of a batch.")
    keep: Literal["best", "last"] = Field(
        "best",
        description="Epoch whose weights are the result. best: lowest error on val, by the data set's metric; last: "
        "the last.",
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="Device; auto: a GPU if there is one, else the CPU."
    )
    amp: Literal["none", "bf16"] = Field("none", description="Autocast of encoder and heads; losses stay in float32.")
    compile: bool = Field(
        False,
        description="Compile the encoder for training steps with torch.compile, which takes a minute at the start.",
    )
    device_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of a GPU's free memory for the training inputs; larger inputs stay in the host's memory.",
    )
    threads: int = Field(
        1,
        ge=1,
        description="CPU threads, also of a trial on a GPU, whose batches the CPU prepares. Results on a CPU are "
        "identical bit for bit only with the same number.",
    )
    max_loss: float = Field(1e6, gt=0, description="Largest loss; a trial with a larger loss fails.")


_AFTER_FIRST_STAGE = ("epochs", "keep", "device_share")  # options of `train:` that a first stage does not read


class TrialConfig(Strict):
    """Configuration of one training run: seed, data set, encoder, method, optimizer and training loop."""

    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of weights, order and noise; the data set has a separate seed."
    )
    stage_seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="Seed of a first stage that several trials of a search share; null: the trial's seed.",
    )
    data: Annotated[SerializeAsAny[DatasetConfig], Plugin("data")]
    encoder: Annotated[SerializeAsAny[EncoderConfig], Plugin("encoder")]
    method: Annotated[SerializeAsAny[MethodConfig], Plugin("method")]
    optim: Optim = Field(AdamConfig(name="adam"), description="Optimizer: a name, or a mapping of name and options.")
    train: TrainConfig = TrainConfig()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Stages of the training in order. All code that counts epochs uses this property."""
        name = self.method.name
        if name in TABLES["method"]:
            return self.method.stages(self)
        declared = resolve("method", name).stages_of(self)  # type: ignore[attr-defined]
        stages: tuple[Stage, ...] = with_optim(declared, self.optim)
        return stages

    @property
    def total_epochs(self) -> int:
        """Number of epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def with_total_epochs(self, total: int) -> Self:
        """Return a copy with `train.epochs` changed so that all stages together have the given number of epochs.

        Raises:
            ConfigError: If no value of `train.epochs` gives this total.
        """
        choices = range(1, total + 1)
        place = bisect.bisect_left(choices, total, key=lambda epochs: self._with_epochs(epochs).total_epochs)
        changed = self._with_epochs(choices[min(place, total - 1)])
        if changed.total_epochs != total:
            text = (
                f"the stages of {self.method.name} must have {total} epochs together, got {changed.total_epochs} "
                f"for train.epochs {changed.train.epochs}: change the epochs of its stages"
            )
            raise ConfigError([Mistake("method", text)])
        return changed

    def _with_epochs(self, epochs: int) -> Self:
        return self.replaced({"train.epochs": epochs})

    @property
    def first_seed(self) -> int:
        """Seed of the first stage if it can be shared, and of resampled samples; otherwise the trial's seed."""
        return self.seed if self.stage_seed is None else self.stage_seed

    def seed_of(self, stage: Stage) -> int:
        """Return the seed of a stage of this trial."""
        first = shareable(self.stages) if self.stage_seed is not None else None
        return self.first_seed if first is not None and stage.name == first.name else self.seed

    def with_seed(self, seed: int) -> Self:
        """Return a copy that trains all its stages with a seed."""
        return self.model_copy(update={"seed": seed, "stage_seed": None})

    def shared_stage_key(self, stage: Stage) -> dict[str, Any]:
        """Return all options that decide the result of the first stage.

        The number of epochs is left out for a constant learning rate, because a longer stage continues a shorter one.

        Args:
            stage: First stage of this trial.
        """
        whole = self.to_dict()
        return {
            "data": whole["data"],
            "seed": self.first_seed,
            "encoder": whole["encoder"],
            "train": {name: value for name, value in whole["train"].items() if name not in _AFTER_FIRST_STAGE},
            "resampling": whole["method"]["resampling"],
            "stage": [stage.name, stage.views, stage.encoder_lr, stage.frozen_norms],
            "epochs": stage.epochs if stage.optim.schedule.follows_length else None,
            "optim": stage.optim.model_dump(mode="json"),
            "method": self.method.deciding(stage),
        }

    @property
    def augments(self) -> bool:
        """True if the data set augments, so that two views of a sample differ."""
        return bool(resolve("data", self.data.name).augments)  # type: ignore[attr-defined]

    @field_validator("method")
    @classmethod
    def _views_follow_the_data(cls, method: MethodConfig, info: ValidationInfo) -> MethodConfig:
        """Choose the numbers of views that the method leaves to the data set."""
        data = info.data.get("data")
        return method if data is None else method.for_views(bool(resolve("data", data.name).augments))  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _stages_can_be_trained(self) -> Self:
        name = self.method.name
        try:
            stages = self.stages
        except ConfigError as error:
            raise FieldError(("method",), f"{name} {error}") from error
        except Exception as error:
            if name in TABLES["method"]:
                raise
            raise FieldError(("method",), f"{name} cannot say its stages: {described(error)}") from error
        try:
            check_stages(stages)
        except ValueError as error:
            raise FieldError(("method",), f"{name} {error}") from error
        if self.stage_seed is not None and shareable(stages) is None:
            raise FieldError(("stage_seed",), f"{name} has no first stage that trials share: remove stage_seed")
        return self

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Self:
        """Read a trial from a YAML file.

        Args:
            path: YAML file.
            overrides: Strings `address=value` that replace or add values, as in `--set`.

        Raises:
            ConfigError: If the file has mistakes. The error lists all of them with file and line.
        """
        document = override(Document.read(path), overrides)
        if mistake := other_kind(document):
            raise ConfigError([mistake])
        try:
            return cls.from_document(document)
        except ConfigError as error:
            if (looks := likeness(document, cls.model_fields)) is None:
                raise
            mistake, explained = looks
            parts = tuple(f"{address}." for address in explained)
            others = [other for other in error.mistakes if not f"{other.address}.".startswith(parts)]
            raise ConfigError([mistake, *others]) from error

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Validate a parsed file and return its trial; see `load`."""
        data, mistakes = expand_paths(document)
        if mistakes:
            raise ConfigError(mistakes)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError([document.mistake(at, text) for at, text in explain(error, cls, data)]) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], name: str = "<config>") -> Self:
        """Validate a mapping and return its trial.

        Args:
            data: Content of a trial.
            name: Name of the content in messages.

        Raises:
            ConfigError: If the content has mistakes. The error lists all of them.
        """
        document = Document(name, dict(data), {})
        if mistakes := [document.mistake(at, text) for at, text in check_plain(document.data)]:
            raise ConfigError(mistakes)
        return cls.from_document(document)

    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain mappings, lists and scalars, with defaults; `from_dict` reads it."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """Return the content as YAML, from which `load` reads the same trial."""
        return dump_yaml(self.to_dict())

    @property
    def digest(self) -> str:
        """Name of this configuration in 16 hexadecimal digits, the same in every process and for any order of keys."""
        return digest(self.to_dict())

    @property
    def digest_without_seed(self) -> str:
        """Digest of everything but the seeds, which is the same for all trainings of one configuration."""
        return configuration_digest(self.to_dict())

    def replaced(self, changes: Mapping[str, Any]) -> Self:
        """Return a validated copy with other values.

        Args:
            changes: New values by dotted address.

        Raises:
            ConfigError: If the new values do not fit.
        """
        data = self.to_dict()
        change_all(type(self), data, changes)
        return type(self).from_dict(data, "<replaced>")


def digest(data: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that depend on the content of a mapping and not on the order of its keys.

    >>> digest({"a": 1, "b": 2.0}) == digest({"b": 2.0, "a": 1})
    True
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def configuration_digest(config: Mapping[str, Any]) -> str:
    """Return the digest of a trial's configuration without its seeds, which is the same for all of its trainings.

    Args:
        config: `TrialConfig.to_dict()` of the trial.
    """
    return digest({name: value for name, value in config.items() if name not in ("seed", "stage_seed")})


def override(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with changed values.

    Args:
        document: Parsed file.
        overrides: Strings `address=value`. The value is parsed as YAML.

    Raises:
        ConfigError: If a string has no `=`, or its value is not valid YAML.
    """
    data = json.loads(json.dumps(document.data)) if overrides else document.data
    changes: dict[str, Any] = {}
    for text in overrides:
        address, equals, value = text.partition("=")
        if not equals or not address.strip():
            raise ConfigError(f"--set {text}: must be address=value, such as --set train.epochs=10")
        parsed = Document.parse("value: " + (value or "''"), f"--set {address}").data["value"]
        changes[address.strip()] = parsed
    change_all(TrialConfig, data, changes)
    return Document(document.name, data, document.lines)
