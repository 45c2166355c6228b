"""What a data set is: splits of arrays, what its targets mean, and which labels are rare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from groupdir.config.trial import DatasetConfig
from groupdir.metrics import ShotSplit, metric_name, searchable

SplitName = Literal["train", "val", "test"]
Inputs = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Targets:
    """What the numbers mean.

    Attributes:
        low: Lower end of the label range that groups cut, in label units.
        high: Its upper end. Labels outside are clamped for groups, never for errors.
        bin_width: Width of a label bin, in label units: the unit of shots and weights.
        unit: The unit's name, such as "years".
        center: What the network calls 0, in label units.
        scale: What the network calls 1, in label units: its outputs are (y - center) / scale.
        error: The metric that selects an epoch, over all validation samples, such as "mae".
        weights_high: Where the label bins of sample weights end, if not at `high`: labels from its last bin on are
            counted together.
    """

    low: float
    high: float
    bin_width: float
    unit: str
    center: float = 0.0
    scale: float = 1.0
    error: str = "mae"
    weights_high: float | None = None

    @property
    def selected_by(self) -> str:
        """The validation metric whose best value selects a trial's epoch."""
        return searchable(metric_name("val", self.error))


@dataclass(frozen=True)
class InputSpec:
    """What an encoder is given.

    Attributes:
        kind: "image": one array (N, C, H, W) float32; "vector": one array (N, D) float32; "embedding_pair": one array
            (N, 2, D) float32; "token_pair": two arrays, tokens (N, 2, L) int64 with 0 for padding, and lengths (N, 2)
            int64, at least 1.
        shape: Shape of one sample of the first array, as the encoder is given it.
        vectors: Of "token_pair": (V, D) float32, the vector of each token; row 0, the padding, is zero.
        vocabulary: Of "token_pair": the V tokens, in the order of `vectors`; the first two are "<pad>" and "<unk>".
        columns: Of a "vector" made of a table: how, as plain mappings, lists and scalars; a checkpoint carries it.
        mean: Of an "image" that splits hold as bytes (N, H, W, C): what is taken from each channel once 0..255 became
            0..1. None where splits hold what the encoder is given.
        std: And what it is then divided by.
    """

    kind: Literal["image", "vector", "embedding_pair", "token_pair"]
    shape: tuple[int, ...]
    vectors: np.ndarray | None = field(default=None, repr=False)
    vocabulary: tuple[str, ...] | None = field(default=None, repr=False)
    columns: dict[str, Any] | None = field(default=None, repr=False)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Split:
    """One split, as arrays that processes of a node can share.

    Attributes:
        inputs: Arrays of N rows each, as `InputSpec` says; they may be mapped files.
        y: (N,) float32, in label units.
    """

    inputs: tuple[np.ndarray, ...]
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


class Dataset(ABC):
    """A data set. Subclasses set `Config`, `targets` and `build`; the rest follows.

    An instance can be pickled and holds numpy arrays only, so that an object store can share it between the
    processes of a node.

    Args:
        config: Its section of the trial.

    Raises:
        DataError: Files are missing or broken.
    """

    Config: ClassVar[type[DatasetConfig]]
    augments: ClassVar[bool] = False  # whether `augment` changes anything, so that two views differ
    augment_one_view: bool = False  # whether training on one view augments too
    on_each_node: ClassVar[bool] = False  # whether workers read its files themselves, instead of being sent the splits
    draws: ClassVar[int] = 0  # uniform numbers that `view` takes for a sample; 0: there is `augment` alone

    def __init__(self, config: DatasetConfig) -> None:
        self.config = config
        self._splits: dict[str, Split] = {}

    @property
    @abstractmethod
    def targets(self) -> Targets:
        """What the labels mean."""

    @property
    @abstractmethod
    def inputs(self) -> InputSpec:
        """What an encoder is given; may build the training split."""

    @property
    @abstractmethod
    def shots(self) -> ShotSplit:
        """Which labels have many, a median number of, or few training samples."""

    @abstractmethod
    def build(self, split: SplitName) -> Split:
        """Reads or makes one split. Called at most once for each; the test split only when someone asks for it."""

    @classmethod
    @abstractmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Reads new inputs for a prediction, without the data set's own files.

        Args:
            path: What the user named.
            spec: The `inputs` that the encoder was trained on.

        Returns:
            Arrays as in `Split.inputs`, and one name (or number) a row.

        Raises:
            DataError: The file is missing, unreadable, or of another shape.
        """

    def split(self, name: SplitName) -> Split:
        """One split, built at the first call."""
        if name not in self._splits:
            self._splits[name] = self.build(name)
        return self._splits[name]

    def labels(self, name: SplitName) -> np.ndarray:
        """The labels (N,) float32 of a split; a data set that knows them without its inputs gives them so."""
        return self.split(name).y

    def files(self) -> Sequence[Path]:
        """The files that training and validation are read from, by which nodes are compared; the default is none."""
        return ()

    def prepare(self, names: Iterable[SplitName] = ("train", "val")) -> Dataset:
        """Builds splits now and gives the data set itself; a search never names "test"."""
        for name in names:
            self.split(name)
        return self

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """One random view of a training batch, on its own device; the default changes nothing.

        Args:
            inputs: Tensors of B rows each.
            generator: The only source of randomness, a CPU generator.
        """
        return inputs

    def view(self, inputs: Inputs, draws: torch.Tensor, views: int) -> Inputs:
        """As `augment`, by numbers that belong to the samples: the same whatever the order and size of batches.

        Args:
            inputs: Tensors of B rows each.
            draws: `(B, self.draws)` float32 in [0, 1), on the same device.
            views: How many views the stage makes of each sample, of which this is one.
        """
        raise TypeError(f"{type(self).__name__} has draws, but defines no view")

    @classmethod
    def present(cls, inputs: Inputs, spec: InputSpec) -> Inputs:
        """What an encoder is given of rows of a split where nothing is augmented; the default is the rows themselves.

        Args:
            inputs: Tensors of B rows each, as splits and `read_inputs` have them.
            spec: The `inputs` that the encoder is trained on.
        """
        return inputs
