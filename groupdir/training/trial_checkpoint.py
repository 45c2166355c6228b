"""Checkpoint of a trial, read with care: its structure is checked before any part of it is used.

A checkpoint may come from somebody else. It contains its configuration, which can name classes as "module:Class".
Those are imported from installed packages and from PYTHONPATH, and not from the current folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from torch import Tensor

from groupdir.config.trial import TrialConfig, digest
from groupdir.config.validation import explain
from groupdir.config.yamlvalues import check_plain
from groupdir.data.base import InputSpec, Targets
from groupdir.errors import ConfigError, DataError, GroupdirError, described
from groupdir.methods.base import Method
from groupdir.metrics import METRICS
from groupdir.registry import only_installed_code, resolve
from groupdir.training.checkpoint import load_checkpoint

MOST_BINS = 1_000_000
"""Largest number of label bins, each of which needs memory."""

MOST_PIXELS = 3 * 4096 * 4096
"""Largest number of values of one input."""


def _finite(value: float) -> float:
    if isinstance(value, str | bool) or not math.isfinite(value):
        raise ValueError(f"must be a finite number, got {value!r}")
    return value


Number = Annotated[float, AfterValidator(_finite)]
Count = Annotated[StrictInt, Field(ge=1)]
State = dict[StrictStr, Tensor]


class _Part(BaseModel):
    """Base of the parts of a checkpoint. A later version may add keys."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="ignore")


class _Targets(_Part):
    low: Number
    high: Number
    bin_width: Annotated[Number, Field(gt=0)]
    unit: StrictStr
    center: Number = 0.0
    scale: Annotated[Number, Field(gt=0)] = 1.0
    error: StrictStr = "mae"
    weights_high: Number | None = None

    @model_validator(mode="after")
    def _a_range_of_bins(self) -> Self:
        high = max(self.high, self.high if self.weights_high is None else self.weights_high)
        if not self.low < self.high or (high - self.low) / self.bin_width > MOST_BINS:
            raise ValueError(f"must have low < high and at most {MOST_BINS:,} bins of labels, got {self.low} to {high}")
        if self.error not in METRICS:
            raise ValueError(f"must have a metric as its error, got {self.error[:50]!r}")
        return self


class _Inputs(_Part):
    kind: StrictStr
    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=4)]
    vocabulary: tuple[StrictStr, ...] | None = None
    columns: dict[StrictStr, Any] | None = None
    mean: tuple[Number, ...] | None = None
    std: tuple[Annotated[Number, Field(gt=0)], ...] | None = None
    orient: StrictBool = False
    background: Literal["white", "black"] | None = None

    @model_validator(mode="after")
    def _a_possible_input(self) -> Self:
        if self.kind not in ("image", "vector", "embedding_pair", "token_pair"):
            raise ValueError(f"must be of a known kind, got {self.kind[:50]!r}")
        if (self.kind == "token_pair") != (self.vocabulary is not None):
            raise ValueError("must have a vocabulary exactly for pairs of tokens")
        channels = {None if values is None else len(values) for values in (self.mean, self.std)}
        if channels not in ({None}, {self.shape[0]}):
            raise ValueError(f"must have a mean and a deviation for each of {self.shape[0]} channels, or none")
        if math.prod(self.shape) > MOST_PIXELS:
            raise ValueError(f"must have at most {MOST_PIXELS:,} values, got the shape {self.shape}")
        return self


class _Best(_Part):
    epoch: Count
    value: Number
    model: State


class _Content(_Part):
    config: dict[StrictStr, Any]
    digest: StrictStr
    epoch: Annotated[StrictInt, Field(ge=0)]
    inputs: _Inputs
    targets: _Targets
    train_y: Tensor
    model: State
    optimizer: dict[StrictStr, Any] | None = None
    best: _Best | None = None

    @model_validator(mode="after")
    def _labels_and_widths(self) -> Self:
        y = self.train_y
        plain = y.is_floating_point() and y.layout == torch.strided and not y.requires_grad
        if not plain or y.ndim != 1 or not len(y) or not bool(torch.isfinite(y).all()):
            raise ValueError(f"train_y must be a list of finite labels, got {y.dtype} of shape {tuple(y.shape)}")
        if self.inputs.kind != "image" and math.prod(self.inputs.shape) > sum(map(torch.numel, self.model.values())):
            raise ValueError(f"inputs of the shape {self.inputs.shape} need more weights than the checkpoint has")
        return self


@dataclass(frozen=True)
class TrialCheckpoint:
    """Checkpoint of a trial whose structure is right.

    Attributes:
        path: File.
        digest: Digest of the configuration, as the training wrote it.
        settings: Configuration as plain data. It is not validated.
        epoch: Number of the last trained epoch.
        spec: Inputs of the encoder.
        targets: Meaning of the labels.
        train_y: (N,) labels of the training.
        model: State of the method.
        optimizer: State of the optimizer, or None before the first epoch.
        best: The mapping `epoch`, `value`, `model` of the best epoch, or None.
    """

    path: Path
    digest: str
    settings: dict[str, Any]
    epoch: int
    spec: InputSpec
    targets: Targets
    train_y: np.ndarray
    model: dict[str, Tensor]
    optimizer: dict[str, Any] | None
    best: dict[str, Any] | None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a checkpoint.

        Raises:
            DataError: If the file is no checkpoint of a trial, or its configuration was changed.
        """
        content = load_checkpoint(path)
        try:
            parts = _Content.model_validate(content)
        except ValidationError as error:
            mistakes = [f"{'.'.join(map(str, at))}: {text}" for at, text in explain(error, _Content, content)]
            raise DataError(f"{path}: is not a checkpoint of a trial: {'; '.join(mistakes[:3])}") from None
        wrong = [f"{'.'.join(map(str, at))}: {text}" for at, text in check_plain(parts.config)]
        if wrong:
            raise DataError(f"{path}: its configuration is broken: {'; '.join(wrong[:3])}")
        with usable(path):
            changed = digest(parts.config) != parts.digest
        if changed:
            raise DataError(f"{path}: its configuration was changed after the training: use the original file")
        spec, best = parts.inputs, parts.best
        vectors = _vectors(parts, path)
        inputs = InputSpec(**(spec.model_dump() | {"vectors": vectors}))
        return cls(
            path=Path(path),
            digest=parts.digest,
            settings=parts.config,
            epoch=parts.epoch,
            spec=inputs,
            targets=Targets(**parts.targets.model_dump()),
            train_y=parts.train_y.numpy(),
            model=parts.model,
            optimizer=parts.optimizer,
            best=None if best is None else {"epoch": best.epoch, "value": best.value, "model": best.model},
        )

    def config(self, allow_code: bool = False) -> TrialConfig:
        """Return the configuration, for which its classes are imported.

        Args:
            allow_code: Whether classes may be imported from the current folder too.

        Raises:
            DataError: If the configuration is not valid here, or names a class that cannot be imported.
        """
        try:
            with usable(self.path), only_installed_code(not allow_code):
                config = TrialConfig.from_dict(self.settings, str(self.path))
                resolve("data", config.data.name)
                resolve("encoder", config.encoder.name)
                resolve("method", config.method.name)
        except ConfigError as error:
            text = str(error)
            raise DataError(text if str(self.path) in text else f"{self.path}: {text}") from error
        return config

    def method(self, config: TrialConfig) -> Method:
        """Return the trained method, with the weights of the epoch that `train.keep` selects.

        Args:
            config: The configuration of this checkpoint.

        Raises:
            DataError: If the weights are not those of the configuration.
        """
        section = config.encoder
        options = section.model_copy(update={"weights": None} if hasattr(section, "weights") else {})  # loaded below
        best = self.best if config.train.keep == "best" else None
        with usable(self.path):
            encoder = resolve("encoder", section.name)(options, self.spec)
            method: Method = resolve("method", config.method.name)(config.method, encoder, self.targets, self.train_y)
            weights = self.model if best is None else best["model"]
            check_weights(method, weights)
            method.load_state_dict(weights)
        return method


def check_weights(method: Method, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights with other names, shapes or types than those of a method.

    Raises:
        ValueError: If the weights do not fit.
    """
    expected = {name: _kind(tensor) for name, tensor in method.state_dict().items()}
    given = {name: _kind(tensor) for name, tensor in weights.items()}
    wrong = sorted(name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name))
    if wrong:
        name = wrong[0]
        text = f"must be {expected.get(name, 'no weights of this method')}, got {given.get(name, 'none')}"
        raise ValueError(f"{len(wrong)} weights are of another method; {name[:200]} {text}")


def _kind(tensor: Tensor) -> str:
    extra = (", sparse" if tensor.layout != torch.strided else "") + (
        ", with a gradient" if tensor.requires_grad else ""
    )
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}{extra}"


@contextmanager
def usable(path: str | Path) -> Iterator[None]:
    """Context in which every error about the parts of a checkpoint names the file.

    Raises:
        DataError: If an error is raised that is not the project's own.
    """
    try:
        yield
    except GroupdirError:
        raise
    except Exception as error:  # a file that anybody may have changed can raise any error
        text = described(error)
        raise DataError(f"{path}: the parts of the checkpoint do not fit each other: {text[:500]}") from error


def _vectors(parts: _Content, path: str | Path) -> np.ndarray | None:
    """Return the word vectors of the encoder's state, or None without a vocabulary."""
    vocabulary = parts.inputs.vocabulary
    if vocabulary is None:
        return None
    vectors = next((tensor for name, tensor in parts.model.items() if name.endswith("vectors")), None)
    if vectors is None or vectors.ndim != 2 or len(vectors) != len(vocabulary) or vectors.dtype != torch.float32:
        raise DataError(f"{path}: must have a vector for each of its {len(vocabulary):,} words")
    return vectors.detach().numpy()
