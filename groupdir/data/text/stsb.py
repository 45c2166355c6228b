"""STS-B-DIR: predict the similarity of two sentences, 0 to 5, from sentence embeddings or word vectors."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.config.datasets import STSBConfig
from groupdir.data.base import Dataset, InputSpec, Split, SplitName, Targets
from groupdir.data.comparisons import Comparison, SharedKeys
from groupdir.data.text.embeddings import read_embeddings
from groupdir.data.text.tokens import build_vocabulary, encode, read_vectors, tokenize
from groupdir.errors import DataError
from groupdir.metrics import STSB_SHOTS, ShotSplit

FILES: dict[SplitName, str] = {"train": "train_new.tsv", "val": "dev_new.tsv", "test": "test_new.tsv"}
FOLDER = "sts-b-dir"
SHOWN = 5


class STSB(Dataset):
    """STS-B-DIR data set (Yang et al. 2021): similarity of two sentences, 0 to 5, from embeddings or word vectors.

    It has 5,249 training, 1,000 validation and 1,000 test pairs. The shots are the published lists over 50 bins of 0.1.

    Source: the split, bins and lists of Yang et al. 2021.

    Differences from the source: their vocabulary is the 30,000 most frequent words of all three splits. This vocabulary
    does not depend on validation or test sentences. It holds the words of the training sentences, followed by words of
    the vectors file in the order of the file. A test word that is missing in the file, or beyond the size of the
    vocabulary, is unknown here but has a vector in the source. For words without a vector see
    `groupdir.data.text.tokens.read_vectors`.
    """

    Config = STSBConfig
    config: STSBConfig

    def __init__(self, config: STSBConfig) -> None:
        super().__init__(config)
        self._spec: InputSpec | None = None
        folders = [Path(config.root), Path(config.root) / FOLDER]
        roots = [folder for folder in folders if (folder / FILES["train"]).is_file()]
        if not roots:
            raise DataError(
                f"data.root: must be a folder that holds {FILES['train']}, got {config.root}: neither "
                f"{FILES['train']} nor {FOLDER}/{FILES['train']} exists there"
            )
        self.folder = roots[0]

    @property
    def targets(self) -> Targets:
        """Similarity 0 to 5 in bins of 0.1. The network predicts y / 5, and MSE selects the epoch."""
        return Targets(low=0, high=5, bin_width=0.1, unit="similarity", center=0, scale=5, error="mse")

    @property
    def inputs(self) -> InputSpec:
        """Embedding pairs, or token pairs with the vocabulary of the training sentences and the vectors file."""
        if self._spec is None:
            if self.config.inputs == "embeddings":
                self._spec = InputSpec("embedding_pair", self.split("train").inputs[0].shape[1:])
            else:
                pairs, _ = read_pairs(self.folder / FILES["train"])
                size, lower = self.config.vocabulary_size, self.config.lower
                sentences = (tokenize(sentence, lower) for pair in pairs for sentence in pair)
                vocabulary = build_vocabulary(sentences, size)
                path = self.folder / self.config.vectors
                vocabulary, vectors = read_vectors(path, vocabulary, self.config.dimension, size, lower)
                self._spec = InputSpec("token_pair", (2, self.config.max_tokens), vectors, vocabulary)
        return self._spec

    @property
    def shots(self) -> ShotSplit:
        """Published lists of shots."""
        return ShotSplit.fixed(STSB_SHOTS)

    def files(self) -> Sequence[Path]:
        """Return the files of the pairs, and of their embeddings or of the word vectors."""
        names = [FILES["train"], FILES["val"]]
        if self.config.inputs == "embeddings":
            names += [self.config.embeddings.replace("{split}", split) for split in ("train", "val")]
        else:
            names.append(self.config.vectors)
        return [self.folder / name for name in names]

    def labels(self, name: SplitName) -> np.ndarray:
        """Return the scores of a split without reading embeddings or word vectors."""
        return read_pairs(self.folder / FILES[name])[1]

    def comparisons(self) -> Sequence[Comparison]:
        """Return the comparisons of pairs and of single sentences, as they are written."""
        pairs = SharedKeys(
            "the same pair of sentences", lambda name: [(frozenset(pair),) for pair in self._pairs(name)]
        )
        return [pairs, SharedKeys("a common sentence", self._pairs)]

    def sample_name(self, name: SplitName, index: int) -> str:
        """Return the line of a pair, and its sentences."""
        return f"{FILES[name]}:{index + 2} {' | '.join(self._pairs(name)[index])}"

    def _pairs(self, name: SplitName) -> list[tuple[str, str]]:
        return read_pairs(self.folder / FILES[name])[0]

    def build(self, split: SplitName) -> Split:
        """Read the TSV file of a split, and its embeddings if they are the inputs."""
        path = self.folder / FILES[split]
        pairs, y = read_pairs(path)
        if self.config.inputs == "embeddings":
            return Split((self._embeddings(split, y),), y)
        vocabulary = self.inputs.vocabulary
        assert vocabulary is not None
        return Split(encode(pairs, vocabulary, self.config.max_tokens, self.config.lower), y)

    def _embeddings(self, split: SplitName, y: np.ndarray) -> np.ndarray:
        path = self.folder / self.config.embeddings.replace("{split}", split)
        arrays, scores = read_embeddings(path)
        if len(arrays) != len(y):
            raise DataError(
                f"{path}: must have a row for each of the {len(y)} pairs in {FILES[split]}, got {len(arrays)}"
            )
        if scores is not None and (off := np.flatnonzero(~(np.abs(scores - y) <= 1e-3))).size:
            row = int(off[0])
            raise DataError(
                f"{path}: row {row}: score must be {y[row]} as in {FILES[split]}, got {scores[row]} ({off.size} differ)"
            )
        if split != "train" and arrays.shape[1:] != self.inputs.shape:
            want = self.inputs.shape[-1]
            raise DataError(f"{path}: embeddings must hold {want} numbers as in training, got {arrays.shape[2]}")
        return arrays

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Read a Parquet file with embedding1 and embedding2, or a TSV file with sentence1 and sentence2."""
        if spec.kind == "embedding_pair":
            arrays, _ = read_embeddings(path)
            if arrays.shape[1:] != tuple(spec.shape):
                raise DataError(f"{path}: must hold pairs of {spec.shape[-1]} numbers, got {arrays.shape[2]}")
            return (arrays,), range(len(arrays))
        pairs, _ = read_pairs(path, scored=False)
        assert spec.vocabulary is not None
        lower = not any(token != token.lower() for token in spec.vocabulary)  # as in the training sentences
        return encode(pairs, spec.vocabulary, spec.shape[-1], lower), range(len(pairs))


def read_pairs(path: Path, scored: bool = True) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Read sentence pairs and their scores (N,) float32 from a tab-separated file with a header and without quoting.

    Args:
        path: File to read.
        scored: Whether the file must have scores. If not, all scores are NaN.

    Raises:
        DataError: If the file is missing, lacks a column, or has broken rows. The error shows the first of them and
            counts the others.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    header = rows[0] if rows else []
    names = ["sentence1", "sentence2"] + (["score"] if scored else [])
    if missing := [name for name in names if name not in header]:
        raise DataError(f"{path}:1: must have the columns {', '.join(names)}, got no {', '.join(missing)}")
    at = [header.index(name) for name in names]
    pairs, scores, broken = [], [], []
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            broken.append(f"{path}:{number}: must have {len(header)} tab-separated fields, got {len(row)}")
            continue
        score = _score(row[at[2]]) if scored else np.nan
        if score is None:
            broken.append(f"{path}:{number}: score must be a number from 0 to 5, got {row[at[2]]!r}")
            continue
        pairs.append((row[at[0]], row[at[1]]))
        scores.append(score)
    if broken:
        more = f"\n... and {len(broken) - SHOWN} more broken rows" if len(broken) > SHOWN else ""
        raise DataError("\n".join(broken[:SHOWN]) + more)
    if not pairs:
        raise DataError(f"{path}: must have rows, got none")
    return pairs, np.array(scores, dtype=np.float32)


def _score(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 5 else None
