"""Base class of the data sets: splits of arrays, the meaning of the targets, and the shots.

This file and the data sets import torch only where a batch is augmented, so that `groupdir check` reads labels fast.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from groupdir.config.trial import DatasetConfig, InputKind
from groupdir.data.comparisons import Comparison, SharedKeys, array_keys
from groupdir.data.split_names import SplitName as SplitName  # noqa: PLC0414 - handed on
from groupdir.metrics import ShotSplit, metric_name, searchable

if TYPE_CHECKING:
    import torch

Inputs = tuple["torch.Tensor", ...]


@dataclass(frozen=True)
class Targets:
    """Meaning of the labels of a data set.

    Attributes:
        low: Lower end of the label range that is divided into groups, in label units.
        high: Upper end of this range. A label outside the range is assigned to the first or last group, but errors are
            computed with the label itself.
        bin_width: Width of a label bin, in label units. Shots and sample weights count samples per bin.
        unit: Name of the label unit, such as "years".
        center: Label, in label units, for which the network outputs 0.
        scale: Label difference, in label units, for which the network's output changes by 1. Its outputs are
            (y - center) / scale.
        error: Metric over all validation samples, such as "mae". Its best value selects the epoch of a trial.
        weights_high: Upper end of the label bins of training samples, in label units, from which sample weights are
            computed. The last bin also counts all labels above it. None: the bins end at `high`.
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
    def bins_high(self) -> float:
        """Upper end of the label bins of training samples, in label units."""
        return self.high if self.weights_high is None else self.weights_high

    @property
    def selected_by(self) -> str:
        """Name of the validation metric whose best value selects the epoch of a trial, such as "val_mae_all"."""
        return searchable(metric_name("val", self.error))


@dataclass(frozen=True)
class InputSpec:
    """Inputs of an encoder.

    Attributes:
        kind: "image": one array (N, C, H, W) float32; "vector": one array (N, D) float32; "embedding_pair": one array
            (N, 2, D) float32; "token_pair": two arrays, tokens (N, 2, L) int64 with 0 for padding, and lengths (N, 2)
            int64, at least 1.
        shape: Shape of one sample of the first array, as the encoder receives it.
        vectors: Token vectors (V, D) float32, for "token_pair" only. Row 0, the padding, is zero.
        vocabulary: The V tokens in the order of `vectors`, for "token_pair" only. The first two are "<pad>" and
            "<unk>".
        columns: Encoding of table rows as vectors, for a "vector" that is made from a table. It consists of plain
            mappings, lists and scalars, because checkpoints store it.
        mean: Mean of each channel, for an "image" whose splits hold bytes (N, H, W, C). The bytes are scaled to 0..1
            before the mean is subtracted. None: splits hold the inputs of the encoder.
        std: Standard deviation of each channel, by which that difference is divided. None exactly if `mean` is None.
        orient: Whether pictures from files are turned as their EXIF orientation says.
        background: Colour behind transparent pixels of pictures from files. None: transparency is dropped.
    """

    kind: InputKind
    shape: tuple[int, ...]
    vectors: np.ndarray | None = field(default=None, repr=False)
    vocabulary: tuple[str, ...] | None = field(default=None, repr=False)
    columns: dict[str, Any] | None = field(default=None, repr=False)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    orient: bool = False
    background: str | None = None


@dataclass(frozen=True)
class ColumnSummary:
    """Summary of a column of a table, and of its entries in the network's input.

    Attributes:
        name: Name of the column.
        kind: "numeric", "categorical", or "left out".
        missing: Number of rows of the table without a value.
        entries: Number of entries of the network's input; 0 if the column is left out.
        content: Range of the numbers or list of the texts, or the reason why the column is left out.
    """

    name: str
    kind: str
    missing: int
    entries: int
    content: str


@dataclass(frozen=True)
class Split:
    """Samples of a split (training, validation or test), as arrays that the processes of a node can share.

    Attributes:
        inputs: Arrays of N rows each, in the format that `InputSpec` describes. They may be memory-mapped files.
        y: (N,) in label units: float32, or float64 where float32 would lose digits that the labels have.
    """

    inputs: tuple[np.ndarray, ...]
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


class Dataset(ABC):
    """Data set with a training, a validation and a test split.

    A subclass sets `Config` and defines `targets`, `inputs`, `shots`, `build` and `read_inputs`. The other methods have
    defaults.

    An instance can be pickled and holds only numpy arrays, so an object store can share it between the processes of a
    node.

    Args:
        config: Section `data` of the trial.

    Raises:
        DataError: If files are missing or broken.
    """

    Config: ClassVar[type[DatasetConfig]]
    augments: ClassVar[bool] = False  # whether `augment` or `view` changes inputs, so that two views differ
    augment_one_view: bool = False  # whether a stage that trains on one view of each sample augments it
    on_each_node: ClassVar[bool] = (
        False  # whether each worker process reads the files itself; else Ray sends it the splits
    )
    draws: ClassVar[int] = 0  # random numbers that `view` needs per sample; 0: `augment` is used instead of `view`

    def __init__(self, config: DatasetConfig) -> None:
        self.config = config
        self._splits: dict[SplitName, Split] = {}

    @property
    @abstractmethod
    def targets(self) -> Targets:
        """Meaning of the labels."""

    @property
    @abstractmethod
    def inputs(self) -> InputSpec:
        """Inputs of the encoder. Reading this property may build the training split."""

    @property
    @abstractmethod
    def shots(self) -> ShotSplit:
        """Shots of the data set: whether a label bin has many, a median number of or few training samples."""

    @abstractmethod
    def build(self, split: SplitName) -> Split:
        """Read or generate a split.

        `split` calls this at most once per split, and for the test split only if it is requested.
        """

    @classmethod
    @abstractmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Read new inputs for a prediction. The files of the data set are not needed.

        Args:
            path: File or folder with the new inputs.
            spec: The `inputs` that the encoder was trained on.

        Returns:
            Arrays as in `Split.inputs`, and a name or number for each row.

        Raises:
            DataError: If the file is missing, unreadable, or has another shape.
        """

    def split(self, name: SplitName) -> Split:
        """Return a split. The first call builds it, and later calls return the same object."""
        if name not in self._splits:
            self._splits[name] = self.build(name)
        return self._splits[name]

    def labels(self, name: SplitName) -> np.ndarray:
        """Return the labels (N,) of a split, as in `Split.y`.

        The default builds the split. A data set that can read labels without inputs overrides this.
        """
        return self.split(name).y

    def comparisons(self) -> Sequence[Comparison]:
        """Return the comparisons of samples of different splits that `groupdir data check` makes.

        The default compares the inputs for equality. Labels are never compared.
        """
        return [SharedKeys("equal inputs", lambda name: array_keys(self.split(name).inputs))]

    def sample_name(self, name: SplitName, index: int) -> str:
        """Return the place or the name of a sample of a split, for a message."""
        return f"{name} sample {index}"

    def files(self) -> Sequence[Path]:
        """Return the files of the training and validation data.

        The doctor checks that all nodes of a cluster have the same files. The default is no files.
        """
        return ()

    def column_summaries(self) -> Sequence[ColumnSummary]:
        """Return the summary of each column of a table. The default is no columns."""
        return ()

    def warnings(self) -> Sequence[str]:
        """Return warnings about the data for the user, one line each. The default is none."""
        return ()

    def prepare(self, names: Iterable[SplitName] = ("train", "val")) -> Dataset:
        """Build splits now and return this data set. A search never builds "test"."""
        for name in names:
            self.split(name)
        return self

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """Return a random view of a training batch, on the device of the batch. The default changes nothing.

        Args:
            inputs: Tensors of B rows each.
            generator: CPU generator, the only source of randomness.
        """
        return inputs

    def view(self, inputs: Inputs, draws: torch.Tensor, views: int) -> Inputs:
        """Return a random view of a training batch, computed from random numbers that belong to the samples.

        Unlike with `augment`, the view of a sample does not depend on the order and size of batches.

        Args:
            inputs: Tensors of B rows each.
            draws: Uniform random numbers `(B, self.draws)` float32 in [0, 1), on the device of the inputs.
            views: Number of views of each sample that the stage requests. This call returns one of them.
        """
        raise TypeError(f"{type(self).__name__} sets `draws` > 0 but does not define `view`")

    @classmethod
    def present(cls, inputs: Inputs, spec: InputSpec) -> Inputs:
        """Convert rows of a split to inputs of the encoder without augmentation. The default changes nothing.

        Args:
            inputs: Tensors of B rows each, in the format of splits and of `read_inputs`.
            spec: The `inputs` that the encoder is trained on.
        """
        return inputs
