"""Options of the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from groupdir.config.metric_fields import ErrorMetric
from groupdir.config.trial import DatasetConfig

CACHE_FOLDER, CACHE_VARIABLE = ".groupdir-cache", "GROUPDIR_CACHE"
"""Name of the folder of decoded pictures in a data set's root, and the environment variable that names another."""

Augmentation = Literal["crop_flip", "crop_flip_color", "resized_crop_color"]


class LongTailConfig(DatasetConfig):
    """Options that the built-in pictures share."""

    seed: int = Field(0, ge=0, description="Of every random draw of the data; the trial has its own.")
    train: int = Field(2500, ge=1, description="Training pictures.")
    val_per_label: int = Field(5, ge=1, description="Validation pictures of each label.")
    test_per_label: int = Field(20, ge=1, description="Test pictures of each label.")
    floor: float = Field(0.05, ge=0, le=1, description="Share of the training labels that is uniform over 0..100.")
    many: int = Field(21, ge=0, description="Labels with more training pictures than this are many-shot.")
    few: int = Field(4, ge=0, description="Labels with fewer training pictures than this are few-shot.")
    augment: Literal["none", "shift_noise"] = Field(
        "shift_noise", description="Of training on one view; two views of a picture always differ."
    )

    @model_validator(mode="after")
    def _shots_are_disjoint(self) -> Self:
        if self.few > self.many + 1:
            raise ValueError(f"few <= many + 1 must hold, got many={self.many}, few={self.few}")
        return self


class DigitsConfig(LongTailConfig):
    """Options of `Digits`."""


class FacesConfig(LongTailConfig):
    """Options of `Faces`."""

    floor: float = Field(0.06, ge=0, le=1, description="Share of the training ages that is uniform over 0..100.")
    latent: float = Field(6.0, ge=0, description="By how many years (sd) an adult's signs run ahead or behind.")


class STSBConfig(DatasetConfig):
    """Options of `STSB`."""

    root: str = Field(description="The folder that holds train_new.tsv, or the folder around it if named sts-b-dir.")
    inputs: Literal["embeddings", "tokens"] = Field(
        "embeddings", description="embeddings: for mlp; tokens: for bilstm."
    )
    embeddings: str = Field(
        "minilm-{split}.parquet", description="Columns score, embedding1, embedding2; rows as in the TSV."
    )
    vectors: str = Field("static-300d.txt.gz", description="Word vectors in GloVe's text layout, gzipped or not.")
    dimension: int = Field(300, ge=1, description="Of the word vectors.")
    max_tokens: int = Field(40, ge=1)
    vocabulary_size: int = Field(
        30_000, ge=1, description="At most: words of training, most frequent first, then of the vectors file."
    )
    lower: bool = Field(True, description="Whether tokens are lower-cased; the published GloVe file keeps the case.")


class PhotosConfig(DatasetConfig):
    """Options that data sets of photographs share."""

    root: str = Field(description="The folder of the data set.")
    size: int = Field(224, ge=32, le=4096, description="Height and width that pictures are resized to, in pixels.")
    cache: str | None = Field(
        None, description=f"Folder of decoded pictures; null: that of ${CACHE_VARIABLE}, or {CACHE_FOLDER} in the root."
    )
    broken: Literal["refuse", "skip"] = Field("refuse", description="Pictures that cannot be decoded; skip drops them.")
    augment: Literal["none", "crop_flip", "crop_flip_color", "resized_crop_color"] = Field(
        "crop_flip", description="Of training on one view."
    )
    augment_views: Augmentation = Field("resized_crop_color", description="Of training on two views.")
    normalize: Literal["half", "imagenet"] = Field(
        "half", description="half: 0.5, as published; imagenet: for weights that were trained on it."
    )


class AgeDBConfig(PhotosConfig):
    """Options of `AgeDB`."""


class IMDBWikiConfig(PhotosConfig):
    """Options of `IMDBWiki`."""


class OwnLabelsConfig(DatasetConfig):
    """Options of data of your own: where the manifest is, and what its labels mean."""

    root: str = Field(description="The folder that paths start from.")
    manifest: str = Field("manifest.csv", description="CSV or Parquet (.parquet); a relative path starts from root.")
    target: str = Field("target", description="The column that is predicted.")
    split: str | None = Field(
        "split", description="The column with train, val and test; null, or no such column: split by label bins."
    )
    split_seed: int = Field(666, ge=0, description="Of a split by label bins.")
    split_most: int = Field(30, ge=1, description="Of a split by label bins: rows of a bin in val, and in test.")
    unit: str = Field("units", description="What labels count, such as years.")
    low: float | None = Field(None, description="Where groups begin; null: the lowest bin of the training labels.")
    high: float | None = Field(None, description="Where groups end; null: the end of the highest bin.")
    bin_width: float | None = Field(
        None, gt=0, description="Of a label bin; null: a round number, at most 125 bins, of whole labels at least 1."
    )
    many: int | None = Field(
        None, ge=0, description="Bins with more training samples are many-shot; null: 0.8 of a mean bin's."
    )
    few: int | None = Field(
        None, ge=0, description="Bins with fewer training samples are few-shot; null: 0.16 of a mean bin's."
    )
    center: float | None = Field(None, description="What the network calls 0; null: the mean of the training labels.")
    scale: float | None = Field(None, gt=0, description="What the network calls 1; null: their standard deviation.")
    error: ErrorMetric = Field("mae", description="The metric that selects an epoch.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low < high must hold, got low={self.low}, high={self.high}")
        if self.many is not None and self.few is not None and self.few > self.many + 1:
            raise ValueError(f"few <= many + 1 must hold, got many={self.many}, few={self.few}")
        return self

    @property
    def manifest_path(self) -> Path:
        """Where the manifest is."""
        return Path(self.root) / self.manifest


class ImagesConfig(OwnLabelsConfig, PhotosConfig):
    """Options of `Images`."""

    path: str = Field("path", description="The column with each picture's file; a relative one starts from root.")


class TabularConfig(OwnLabelsConfig):
    """Options of `Tabular`."""

    columns: tuple[str, ...] | None = Field(None, description="What to predict from; null: all but target and split.")
    without: tuple[str, ...] = Field((), description="Columns that are left out, such as an id.")
    categorical: tuple[str, ...] = Field((), description="Columns whose numbers are names, such as a postcode.")
    most_categories: int = Field(100, ge=1, description="Texts that a column may have in training.")
    duplicates: Literal["refuse", "keep"] = Field(
        "refuse", description="Rows that are the same; keep: a split by label bins has them together."
    )
