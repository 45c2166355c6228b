"""Tokens, vocabulary and word vectors in the text format of GloVe."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupdir.data.text.tokens import PAD, UNKNOWN, build_vocabulary, encode, read_vectors, tokenize
from groupdir.errors import DataError

VOCABULARY = (PAD, UNKNOWN, "dog", "cat", ".")
GLOVE = b"the 9 9 9\ndog 1 2 3\n. . 4 5 6\ncat -0.5 1e-2 7\n. 7 8 9\n"


@given(st.text(max_size=30))
def test_tokens_hold_every_character_but_spaces(sentence: str) -> None:
    tokens = tokenize(sentence, lower=False)
    assert "".join(tokens) == "".join(sentence.split())
    assert all(tokens)


def test_words_and_single_punctuation_marks() -> None:
    assert tokenize("The U.S.' 2nd, naïve--test?!") == [
        *("the", "u", ".", "s", ".", "'", "2nd", ",", "naïve", "-", "-", "test", "?", "!")
    ]
    assert tokenize("The End", lower=False) == ["The", "End"]
    assert tokenize(" \t ") == []


def test_the_vocabulary_is_the_most_frequent_tokens_then_by_name() -> None:
    sentences = [["b", "d", "c"], ["b", "a"], ["c", "b"], []]
    assert build_vocabulary(sentences, 10) == (PAD, UNKNOWN, "b", "c", "a", "d")
    assert build_vocabulary(sentences, 3) == (PAD, UNKNOWN, "b", "c", "a")
    assert build_vocabulary([], 3) == (PAD, UNKNOWN)


def test_sentences_become_numbers_padded_and_cut() -> None:
    tokens, lengths = encode([("Dog cat.", "a dog"), ("", "cat " * 9)], VOCABULARY, 4)
    assert tokens.dtype == lengths.dtype == np.int64
    assert tokens.tolist() == [[[2, 3, 4, 0], [1, 2, 0, 0]], [[1, 0, 0, 0], [3, 3, 3, 3]]]
    assert lengths.tolist() == [[3, 2], [1, 4]]  # an empty sentence is one <unk>, so that no length is 0


def test_case_matters_when_it_is_kept() -> None:
    tokens, _ = encode([("Dog dog", "<pad>")], VOCABULARY, 3, lower=False)
    assert tokens.tolist() == [[[1, 2, 0], [1, 1, 1]]]  # no sentence can spell the padding


@pytest.mark.parametrize("packed", [False, True])
def test_vectors_are_read_plain_and_gzipped(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("glove.txt.gz" if packed else "glove.txt")
    path.write_bytes(gzip.compress(GLOVE) if packed else GLOVE)
    vocabulary, vectors = read_vectors(path, VOCABULARY, 3)
    assert vocabulary == VOCABULARY
    assert vectors.shape == (5, 3)
    assert vectors.dtype == np.float32
    assert vectors[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(vectors[2:], [[1, 2, 3], [-0.5, 0.01, 7], [7, 8, 9]], rtol=1e-6)  # not ". ." of the file


def test_tokens_with_spaces_keep_their_own_vector(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_bytes(GLOVE)
    assert read_vectors(tmp_path / "glove.txt", (PAD, UNKNOWN, ". ."), 3)[1][2].tolist() == [4, 5, 6]


# Tokens that fill the vocabulary

FILE = b"zebra 1 0 0\ndog 0 2 0\n<pad> 9 9 9\nThe 0 0 3\n. . 5 5 5\nant 4 0 0\nn't 8 8 8\n! 0 5 0\nbee 0 0 6\n"


@pytest.mark.parametrize(
    ("size", "lower", "filled"),
    [
        (0, True, []),
        (2, True, []),  # dog and cat
        (3, True, ["zebra"]),
        (4, True, ["zebra", "ant"]),  # in the file's order, but nothing that no sentence can hold
        (99, True, ["zebra", "ant", "!", "bee"]),
        (99, False, ["zebra", "The", "ant", "!", "bee"]),
    ],
)
def test_tokens_of_the_file_fill_the_vocabulary(tmp_path: Path, size: int, lower: bool, filled: list[str]) -> None:
    (tmp_path / "glove.txt").write_bytes(FILE)
    vocabulary, vectors = read_vectors(tmp_path / "glove.txt", (PAD, UNKNOWN, "dog", "cat"), 3, size, lower)
    assert vocabulary == (PAD, UNKNOWN, "dog", "cat", *filled)
    given = {"zebra": [1, 0, 0], "The": [0, 0, 3], "ant": [4, 0, 0], "!": [0, 5, 0], "bee": [0, 0, 6]}
    assert vectors[[0, 2, *range(4, len(vocabulary))]].tolist() == [[0, 0, 0], [0, 2, 0], *(given[t] for t in filled)]
    tokens, _ = encode([("Zebra dog", "cat wolf")], vocabulary, 2)
    assert tokens.tolist() == [[[4 if filled else 1, 2], [3, 1]]]


def test_lines_that_are_not_kept_are_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_bytes(b"dog 1 2 3\nzebra 1 2 3\nant 1 x 3\n")  # of millions, the most
    assert read_vectors(tmp_path / "glove.txt", (PAD, UNKNOWN, "dog"), 3, 2)[0][2:] == ("dog", "zebra")
    with pytest.raises(DataError, match=r":3: must be a token and 3 numbers: could not convert"):
        read_vectors(tmp_path / "glove.txt", (PAD, UNKNOWN, "dog"), 3, 3)


def test_tokens_without_a_vector_get_the_mean_of_those_kept(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_bytes(b"dog 1 2 3\nant 3 -2 1\nbee 90 90 90\n")
    vectors = read_vectors(tmp_path / "glove.txt", VOCABULARY, 3, 4)[1]
    assert vectors.tolist() == [[0, 0, 0], [2, 0, 2], [1, 2, 3], [2, 0, 2], [2, 0, 2], [3, -2, 1]]
    assert vectors.dtype == np.float32


def test_or_the_unknown_vector_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_bytes(b"dog 1 2 3\n<unk> 7 8 9\n")
    vectors = read_vectors(tmp_path / "glove.txt", VOCABULARY, 3)[1]
    assert vectors.tolist() == [[0, 0, 0], [7, 8, 9], [1, 2, 3], [7, 8, 9], [7, 8, 9]]


BROKEN: dict[str, tuple[str, Callable[[], bytes], int, str]] = {
    "too few fields": ("v.txt", lambda: GLOVE + b"word 1 2\n", 3, ":6: must be a token and 3 numbers, got 3 fields"),
    "a header": ("v.txt", lambda: b"4 3\n" + GLOVE, 3, ":1: must be a token and 3 numbers, got 2 fields"),
    "no number": ("v.txt", lambda: GLOVE + b"dog 1 x 3\n", 3, ":6: must be a token and 3 numbers: could not convert"),
    "NaN": ("v.txt", lambda: GLOVE + b"dog 1 nan 3\n", 3, ":6: must be a token and 3 numbers: got NaN"),
    "a dimension too large": ("v.txt", lambda: GLOVE, 30, ":1: must be a token and 30 numbers, got 4 fields"),
    "a dimension too small": (
        "v.txt",
        lambda: b"dog 1 2 3\ncat 4 5 6\n",
        2,
        "got none of 2 lines: check data.dimension",
    ),
    "no word of the data": ("v.txt", lambda: b"<unk> 1 2 3\nwolf 1 2 3\n", 3, "got none of 2 lines"),
    "other words": ("v.txt", lambda: b"DOG 1 2 3\n", 3, "got none of 1 lines: check data.dimension and data.lower"),
    "an empty file": ("v.txt", lambda: b"", 3, "got none of 0 lines"),
    "no text": ("v.txt", lambda: b"dog \xff\xfe 1 2\n", 3, "word vectors cannot be read"),
    "no gzip": ("v.txt.gz", lambda: GLOVE, 3, "word vectors cannot be read"),
    "a cut gzip": ("v.txt.gz", lambda: gzip.compress(GLOVE * 50)[:-20], 3, "word vectors cannot be read"),
    "a flipped gzip": ("v.txt.gz", lambda: flipped(gzip.compress(os.urandom(64).hex().encode())), 3, "cannot be read"),
}


def flipped(content: bytes) -> bytes:
    """A stream whose header is right and whose first block is not."""
    return content[:10] + b"\xff" * 8 + content[18:]


@pytest.mark.parametrize("case", BROKEN)
def test_broken_vectors_are_refused_with_their_line(case: str, tmp_path: Path) -> None:
    file, content, dimension, says = BROKEN[case]
    path = tmp_path / file
    path.write_bytes(content())
    with pytest.raises(DataError) as error:
        read_vectors(path, VOCABULARY, dimension, 99)
    assert str(error.value).startswith(f"{path}:")
    assert says in str(error.value)


def test_a_missing_file_says_which_option_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"glove\.txt: word vectors cannot be read: .*; set data\.vectors"):
        read_vectors(tmp_path / "glove.txt", VOCABULARY, 3)
