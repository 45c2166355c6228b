"""One trial's whole configuration: frozen, every key known, every value in range, with a digest that names it."""

from __future__ import annotations

import bisect
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from groupdir.config.base import Plugin, PluginConfig, Strict
from groupdir.config.change import change
from groupdir.config.optimizers import AdamConfig, Optim
from groupdir.config.resampling import Resampling
from groupdir.config.stage import Stage, check_stages
from groupdir.config.validation import explain
from groupdir.config.weights import Weights
from groupdir.config.yamlfile import Address, Document
from groupdir.errors import ConfigError, FieldError, Mistake
from groupdir.registry import TABLES, resolve


class MethodConfig(PluginConfig):
    """What every method takes."""

    weights: Weights | None = Field(None, description="Sample weights; null: all samples weigh the same.")
    resampling: Resampling | None = Field(None, description="SMOTER or SMOGN; null: the samples as they are.")

    has_groups: ClassVar[bool] = False
    """Whether the method predicts a group for each input, so that metrics of groups can be measured."""

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return the stages of the training in order, from the configuration alone; by default one.

        Args:
            trial: The trial that this section belongs to.
        """
        return (Stage("fit", trial.train.epochs, trial.optim),)

    def deciding(self, stage: Stage) -> dict[str, Any]:
        """Return the options that decide what the first stage leaves, by name; by default all of them.

        Trials whose stages are equal in these options share the stage. So no option may be left out that the stage
        reads.

        Args:
            stage: The first of several stages.
        """
        return self.model_dump(mode="json")


class DatasetConfig(PluginConfig):
    """What every data set takes."""


class EncoderConfig(PluginConfig):
    """What every encoder takes."""


class TrainConfig(Strict):
    """The loop."""

    epochs: int = Field(90, ge=1, description="Epochs of the last stage; other stages have their own.")
    batch_size: int = Field(128, ge=1)
    keep: Literal["best", "last"] = Field(
        "best",
        description="Which epoch's weights are the result: the best on val by the data set's error, or last.",
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    amp: Literal["none", "bf16"] = Field("none", description="Autocast of encoder and heads; losses stay in float32.")
    compile: bool = Field(False, description="Whether torch.compile is let loose on the encoder; takes minutes first.")
    device_share: float = Field(
        0.5, ge=0, le=1, description="Of a GPU's free memory that training inputs may take; else they stay on the host."
    )
    threads: int = Field(
        1, ge=1, description="Of a CPU trial. Results are bit for bit the same only for the same number."
    )
    max_loss: float = Field(1e6, gt=0, description="A loss above it counts as exploded, and the trial as failed.")


_AFTER_FIRST_STAGE = ("epochs", "keep", "device_share")  # options of `train:` that a first stage does not read


class TrialConfig(Strict):
    """One training run, complete: what it reads, what it trains, how, and from which seed."""

    seed: int = Field(0, ge=0, lt=2**32, description="Of weights, order and noise; the data set has its own.")
    data: Annotated[SerializeAsAny[DatasetConfig], Plugin("data")]
    encoder: Annotated[SerializeAsAny[EncoderConfig], Plugin("encoder")]
    method: Annotated[SerializeAsAny[MethodConfig], Plugin("method")]
    optim: Optim = Field(AdamConfig(name="adam"), description="Its name, or a mapping of its name and options.")
    train: TrainConfig = TrainConfig()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the training, in order. Everything that counts epochs asks here."""
        name = self.method.name
        if name in TABLES["method"]:
            return self.method.stages(self)
        stages: tuple[Stage, ...] = resolve("method", name).stages_of(self)  # type: ignore[attr-defined]
        return stages

    @property
    def total_epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def with_total_epochs(self, total: int) -> Self:
        """Return a copy whose stages have so many epochs together; `train.epochs` is what changes.

        Raises:
            ConfigError: No value of `train.epochs` gives that total.
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

    def shared_stage_key(self, stage: Stage) -> dict[str, Any]:
        """Return everything in the configuration that decides what the first stage leaves.

        A stage with a constant rate is the beginning of every longer one, so that its length is no part of the key.

        Args:
            stage: The first stage of this trial.
        """
        whole = self.to_dict()
        return {
            "data": whole["data"],
            "seed": self.seed,
            "encoder": whole["encoder"],
            "train": {name: value for name, value in whole["train"].items() if name not in _AFTER_FIRST_STAGE},
            "resampling": whole["method"]["resampling"],
            "stage": [stage.name, stage.views, stage.encoder_lr, stage.frozen_norms],
            "epochs": stage.epochs if stage.optim.schedule.follows_length else None,
            "optim": stage.optim.model_dump(mode="json"),
            "method": self.method.deciding(stage),
        }

    @model_validator(mode="after")
    def _stages_can_be_trained(self) -> Self:
        try:
            check_stages(self.stages)
        except (ValueError, ConfigError) as error:
            raise FieldError(("method",), f"{self.method.name} {error}") from error
        return self

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Self:
        """Reads a trial from YAML.

        Args:
            path: The file.
            overrides: `address=value` texts that replace or add values, as of `--set`.

        Raises:
            ConfigError: Every mistake of the file at once, each with file and line.
        """
        document = override(Document.read(path), overrides)
        if "search" in document.data:
            line = document.mistake(("search",), "this is a search space, not a trial: run `groupdir search` on it")
            raise ConfigError([line])
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Validates a parsed file; see `load`."""
        data, mistakes = expand_paths(document)
        if mistakes:
            raise ConfigError(mistakes)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError([document.mistake(at, text) for at, text in explain(error, cls, data)]) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], name: str = "<config>") -> Self:
        """Validates a mapping; `name` is what messages call it.

        Raises:
            ConfigError: Every mistake at once.
        """
        return cls.from_document(Document(name, dict(data), {}))

    def to_dict(self) -> dict[str, Any]:
        """Plain mappings, lists and scalars, defaults included; `from_dict` brings the same trial back."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The YAML that `load` reads back as the same trial."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name this configuration, the same in every process and for every order of keys."""
        return digest(self.to_dict())

    def replaced(self, changes: Mapping[str, Any]) -> Self:
        """A copy with the values at some dotted addresses replaced, checked again.

        Raises:
            ConfigError: The new values do not fit.
        """
        data = self.to_dict()
        for address, value in changes.items():
            change(type(self), data, tuple(address.split(".")), value)
        return type(self).from_dict(data, "<replaced>")


def digest(data: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of a plain mapping, whatever the order of its keys.

    >>> digest({"a": 1, "b": 2.0}) == digest({"b": 2.0, "a": 1})
    True
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def override(document: Document, overrides: Sequence[str]) -> Document:
    """The document with `address=value` texts applied; a value is read as YAML.

    Raises:
        ConfigError: A text has no `=`, or its value is no YAML.
    """
    data = json.loads(json.dumps(document.data)) if overrides else document.data
    for text in overrides:
        address, equals, value = text.partition("=")
        if not equals or not address.strip():
            raise ConfigError(f"--set {text}: must be address=value, such as --set train.epochs=10")
        parsed = Document.parse("value: " + (value or "''"), f"--set {address}").data["value"]
        change(TrialConfig, data, tuple(address.strip().split(".")), parsed)
    return Document(document.name, data, document.lines)


PATHS: tuple[Address, ...] = (("data", "root"), ("data", "cache"), ("encoder", "weights"))
"""Addresses of files and folders."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expand_paths(document: Document) -> tuple[dict[str, Any], list[Any]]:
    """Replaces `${VAR}` in texts, and makes `PATHS` absolute: Ray changes a worker's directory.

    Returns:
        The new content and the mistakes: a variable that is not set.
    """
    mistakes = []

    def expand(value: Any, address: Address) -> Any:
        if isinstance(value, dict):
            return {key: expand(inner, (*address, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [expand(inner, (*address, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        for variable in _VARIABLE.findall(value):
            if variable not in os.environ:
                todo = f"export it, or give the value with --set {'.'.join(map(str, address))}=..."
                mistakes.append(document.mistake(address, f"environment variable {variable} is not set: {todo}"))
        value = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), value)
        return str(Path(value).expanduser().absolute()) if address in PATHS and value else value

    return expand(document.data, ()), mistakes
