"""Sentences as tokens: a tokenizer, a vocabulary, and word vectors in GloVe's text layout."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from groupdir.errors import DataError

PAD, UNKNOWN = "<pad>", "<unk>"
_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokenize(sentence: str, lower: bool = True) -> list[str]:
    """Words, and every punctuation mark on its own.

    Differences from the source: Yang et al. 2021 use nltk's word_tokenize and keep the case.

    >>> tokenize("It's 5%.")
    ['it', "'", 's', '5', '%', '.']
    """
    return _TOKEN.findall(sentence.lower() if lower else sentence)


def build_vocabulary(sentences: Iterable[Sequence[str]], size: int) -> tuple[str, ...]:
    """The padding, the unknown token, and the most frequent tokens; equals are ordered by name.

    Args:
        sentences: Tokens.
        size: How many at most, without the first two.
    """
    counts = Counter(token for sentence in sentences for token in sentence)
    ordered = sorted(counts, key=lambda token: (-counts[token], token))
    return (PAD, UNKNOWN, *ordered[:size])


def encode(
    pairs: Sequence[tuple[str, str]], vocabulary: Sequence[str], length: int, lower: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers (N, 2, length) int64, 0 for padding, and lengths (N, 2) int64; an empty sentence is one <unk>."""
    index = {token: number for number, token in enumerate(vocabulary)}
    tokens = np.zeros((len(pairs), 2, length), dtype=np.int64)
    lengths = np.ones((len(pairs), 2), dtype=np.int64)
    for row, pair in enumerate(pairs):
        for side, sentence in enumerate(pair):
            found = [index.get(token, 1) for token in tokenize(sentence, lower)[:length]] or [1]
            tokens[row, side, : len(found)] = found
            lengths[row, side] = len(found)
    return tokens, lengths


def read_vectors(path: Path, vocabulary: Sequence[str], dimension: int) -> np.ndarray:
    """Vectors (V, dimension) float32 for a vocabulary, from a text file, gzipped or not.

    The last `dimension` fields of a line are the vector, since some tokens of the published file hold spaces. The
    padding is zero; a token without a vector gets a fixed draw from N(0, 1).

    Raises:
        DataError: The file is missing or broken, a line has too few fields or one that is no finite number, or no token
            has a vector.
    """
    index = {token: number for number, token in enumerate(vocabulary)}
    vectors = np.random.default_rng(0).standard_normal((len(vocabulary), dimension)).astype(np.float32)
    vectors[0] = 0
    number, found = 0, 0
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                fields = line.rstrip("\n").split(" ")
                if len(fields) <= dimension:
                    came = f"{len(fields)} fields"
                    raise DataError(
                        f"{path}:{number}: must be a token and {dimension} numbers, got {came}: set data.dimension"
                    )
                token = " ".join(fields[:-dimension])
                if token in index:
                    vector = np.array(fields[-dimension:], dtype=np.float32)
                    if not np.isfinite(vector).all():
                        raise ValueError("got NaN or infinite ones")
                    vectors[index[token]] = vector
                    found += 1
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(
            f"{path}: word vectors cannot be read: {error}; set data.vectors to a file in GloVe's text layout"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}:{number}: must be a token and {dimension} numbers: {error}") from error
    if not found:  # a dimension too small also ends here: the numbers left over count as part of the token
        raise DataError(
            f"{path}: must hold vectors of {dimension} numbers for tokens of the data, got none of {number} lines: "
            "check data.dimension and data.lower"
        )
    return vectors
