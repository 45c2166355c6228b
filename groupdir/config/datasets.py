"""Options of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from groupdir.config.metric_fields import ErrorMetric
from groupdir.config.trial import DatasetConfig, InputKind

CACHE_FOLDER, CACHE_VARIABLE = ".groupdir-cache", "GROUPDIR_CACHE"
"""Name of the folder of decoded pictures in the root of a data set, and environment variable that names another."""

DATA_SEEDS = ("data.seed", "data.split_seed")
"""Addresses of the seeds of data draws. All trials of a study have the same ones unless its space leaves them open."""

Augmentation = Literal["crop_flip", "crop_flip_color", "resized_crop_color"]


class LongTailConfig(DatasetConfig):
    """Base of the options of the built-in data sets of drawn pictures."""

    @property
    def kind(self) -> InputKind:
        """Pictures."""
        return "image"

    seed: int = Field(0, ge=0, description="Seed of the data; the trial has a separate seed.")
    train: int = Field(2500, ge=1, description="Number of training pictures.")
    val_per_label: int = Field(5, ge=1, description="Number of validation pictures of each label.")
    test_per_label: int = Field(20, ge=1, description="Number of test pictures of each label.")
    floor: float = Field(0.05, ge=0, le=1, description="Share of the training labels that are uniform over 0..100.")
    many: int = Field(21, ge=0, description="Labels with more training pictures are many-shot.")
    few: int = Field(4, ge=0, description="Labels with fewer training pictures are few-shot.")
    augment: Literal["none", "shift_noise"] = Field(
        "shift_noise", description="Augmentation in training on one view; two views of a picture are always augmented."
    )

    @property
    def drawn_with(self) -> str:
        """Seed of the data."""
        return f"seed={self.seed}"

    @model_validator(mode="after")
    def _shots_are_disjoint(self) -> Self:
        if self.few > self.many + 1:
            raise ValueError(f"few <= many + 1 must hold, got many={self.many}, few={self.few}")
        return self


class DigitsConfig(LongTailConfig):
    """Options of `Digits`."""


class FacesConfig(LongTailConfig):
    """Options of `Faces`."""

    floor: float = Field(0.06, ge=0, le=1, description="Share of the training ages that are uniform over 0..100.")
    latent: float = Field(
        6.0, ge=0, description="Standard deviation, in years, of the age shown by an adult's signs around the true age."
    )

    @property
    def drawn_with(self) -> str:
        """Seed of the data, and the deviation of the shown age."""
        return f"{super().drawn_with} latent={self.latent}"


class STSBConfig(DatasetConfig):
    """Options of `STSB`."""

    @property
    def kind(self) -> InputKind:
        """Pairs of embeddings, or of sentences as tokens."""
        return "embedding_pair" if self.inputs == "embeddings" else "token_pair"

    root: str = Field(description="Folder of train_new.tsv; or its parent, if the folder is named sts-b-dir.")
    inputs: Literal["embeddings", "tokens"] = Field(
        "embeddings", description="embeddings: for the encoder mlp; tokens: for the encoder bilstm."
    )
    embeddings: str = Field(
        "minilm-{split}.parquet",
        description="Files with columns score, embedding1, embedding2, and rows in the order of the TSV files.",
    )
    vectors: str = Field(
        "static-300d.txt.gz", description="File of word vectors in GloVe's text layout, gzipped or not."
    )
    dimension: int = Field(300, ge=1, description="Dimension of the word vectors.")
    max_tokens: int = Field(40, ge=1, description="Tokens of a sentence that are used; the rest is cut off.")
    vocabulary_size: int = Field(
        30_000, ge=1, description="Largest vocabulary: training words by frequency, then words of the vectors file."
    )
    lower: bool = Field(
        True, description="Convert tokens to lower case; false for the published GloVe file, which is cased."
    )


class PhotosConfig(DatasetConfig):
    """Base of the options of data sets of photographs."""

    interpolates: ClassVar[bool] = False

    @property
    def kind(self) -> InputKind:
        """Pictures."""
        return "image"

    root: str = Field(description="Folder of the data set.")
    size: int = Field(224, ge=32, le=4096, description="Height and width of the resized pictures, in pixels.")
    cache: str | None = Field(
        None, description=f"Folder of decoded pictures; null: ${CACHE_VARIABLE}, or else {CACHE_FOLDER} in the root."
    )
    broken: Literal["refuse", "skip"] = Field(
        "refuse",
        description="Pictures of any split that cannot be decoded. refuse: stop with an error; skip: leave them out.",
    )
    augment: Literal["none", "crop_flip", "crop_flip_color", "resized_crop_color"] = Field(
        "crop_flip", description="Augmentation in training on one view."
    )
    augment_views: Augmentation = Field("resized_crop_color", description="Augmentation in training on two views.")
    normalize: Literal["half", "imagenet"] = Field(
        "half",
        description="Mean and deviation of pixels. half: 0.5, as published; imagenet: for weights trained on ImageNet.",
    )


class AgeDBConfig(PhotosConfig):
    """Options of `AgeDB`."""


class IMDBWikiConfig(PhotosConfig):
    """Options of `IMDBWiki`."""


class OwnLabelsConfig(DatasetConfig):
    """Base of the options of the user's data sets: place of the manifest and meaning of its labels."""

    root: str = Field(description="Folder that relative paths start from.")
    manifest: str = Field(
        "manifest.csv", description="CSV or Parquet (.parquet) file; a relative path starts from root."
    )
    target: str = Field("target", description="Column to predict.")
    split: str | None = Field(
        "split", description="Column that holds train, val or test. null, or no such column: split by label bins."
    )
    split_seed: int = Field(666, ge=0, description="Seed of a split by label bins.")
    split_most: int = Field(30, ge=1, description="Most rows of a bin in val, and in test, in a split by label bins.")
    split_file: str | None = Field(
        None,
        description="CSV file that keeps a split by label bins; a relative path starts from root. null: next to the "
        "manifest, and shared by all targets and bin widths.",
    )
    group: str | None = Field(
        None,
        description="Column of what belongs together, such as a person. A split by label bins keeps the rows of a "
        "value in one split; a table does not predict from it.",
    )
    unit: str = Field("units", description="Unit of the labels, such as years.")
    low: float | None = Field(None, description="Lower end of the groups; null: the lowest bin of the training labels.")
    high: float | None = Field(None, description="Upper end of the groups; null: the end of the highest bin.")
    bin_width: float | None = Field(
        None,
        gt=0,
        description="Width of a label bin; null: a round number, for at most 125 bins with 5 rows on average, and at "
        "least 1 if labels are whole.",
    )
    many: int | None = Field(
        None, ge=0, description="Bins with more training samples are many-shot; null: 0.8 of the mean count of a bin."
    )
    few: int | None = Field(
        None, ge=0, description="Bins with fewer training samples are few-shot; null: 0.16 of the mean count of a bin."
    )
    center: float | None = Field(
        None, description="Label that the network sees as 0; null: the mean of the training labels."
    )
    scale: float | None = Field(
        None,
        gt=0,
        description="Label difference that the network sees as 1; null: the standard deviation of the training labels.",
    )
    error: ErrorMetric = Field("mae", description="Metric on the validation set that selects the best epoch.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low < high must hold, got low={self.low}, high={self.high}")
        if self.many is not None and self.few is not None and self.few > self.many + 1:
            raise ValueError(f"few <= many + 1 must hold, got many={self.many}, few={self.few}")
        return self

    @model_validator(mode="after")
    def _a_column_for_each_role(self) -> Self:
        if self.target == self.split:
            raise ValueError(f"target and split must be two columns, got {self.target!r} for both: set split to null")
        if self.group is not None and self.group in (self.target, self.split):
            role = "target" if self.group == self.target else "split"
            raise ValueError(f"group and {role} must be two columns, got {self.group!r} for both")
        return self

    @property
    def manifest_path(self) -> Path:
        """Path of the manifest."""
        return Path(self.root) / self.manifest

    @property
    def split_path(self) -> Path | None:
        """Path of the split file, or None for one next to the manifest."""
        return None if self.split_file is None else Path(self.root) / self.split_file


class ImagesConfig(OwnLabelsConfig, PhotosConfig):
    """Options of `Images`."""

    path: str = Field("path", description="Column with the file of each picture; a relative path starts from root.")
    orient: bool = Field(
        True, description="Turn pictures as the EXIF orientation of their files says; also in a prediction."
    )
    background: Literal["white", "black"] | None = Field(
        "white", description="Colour behind transparent pixels; null: drop transparency and use the hidden colours."
    )


class TabularConfig(OwnLabelsConfig):
    """Options of `Tabular`."""

    @property
    def kind(self) -> InputKind:
        """Vectors."""
        return "vector"

    columns: tuple[str, ...] | None = Field(
        None, description="Columns to predict from; null: all except target, split and group."
    )
    without: tuple[str, ...] = Field((), description="Columns to leave out, such as an id.")
    features: tuple[str, ...] = Field(
        (),
        description="Columns to predict from although they look like an index, a row number or an id; numbers such as "
        "-999 in them are measurements.",
    )
    categorical: tuple[str, ...] = Field((), description="Columns whose numbers are categories, such as a postcode.")
    most_categories: int = Field(100, ge=1, description="Most categories that a column of text may have in training.")
    duplicates: Literal["refuse", "keep"] = Field(
        "refuse",
        description="Identical rows. refuse: stop with an error; keep: use them, and keep them together in a split by "
        "bins.",
    )
