"""Embeddings of sentence pairs from Parquet: what is read, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupdir.data.text.embeddings import read_embeddings
from groupdir.errors import DataError

U, V = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float16)
Columns = dict[str, pa.Array]


def lists(rows: object, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(rows, pa.list_(kind or pa.float16()))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float16()), pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 4)]
)
def test_every_kind_of_list_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    cast = pa.float32() if kind.value_type != pa.float16() else pa.float16()
    number = np.float32 if cast == pa.float32() else np.float16
    sides = [pa.array(list(side.astype(number)), pa.list_(cast)).cast(kind) for side in (U, V)]
    table = pa.table({"embedding2": sides[1], "other": range(5), "embedding1": sides[0]})
    pq.write_table(table, tmp_path / "e.parquet", row_group_size=2)  # in pieces, and in any order of columns
    arrays, scores = read_embeddings(tmp_path / "e.parquet")
    assert arrays.dtype == np.float32
    np.testing.assert_array_equal(arrays, np.stack([U, V], axis=1).astype(np.float32))
    assert scores is None


def test_scores_are_read_as_float32(tmp_path: Path) -> None:
    columns = {"embedding1": lists(list(U)), "embedding2": lists(list(V)), "score": [0.0, 2.6, None, 4.2, 5.0]}
    pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    _, scores = read_embeddings(tmp_path / "e.parquet")
    assert scores is not None
    np.testing.assert_array_equal(scores, np.array([0, 2.6, np.nan, 4.2, 5], dtype=np.float32))


REFUSED: dict[str, tuple[Callable[[], Columns], str]] = {
    "a column is missing": (lambda: {"embedding1": lists(list(U))}, "got no embedding2"),
    "no rows": (lambda: {"embedding1": lists([]), "embedding2": lists([])}, "must have rows, got none"),
    "numbers": (lambda: {"embedding1": pa.array([1.0]), "embedding2": pa.array([1.0])}, "lists of numbers, got double"),
    "texts": (lambda: {"embedding1": lists([["a"]], pa.string()), "embedding2": lists([["a"]], pa.string())}, "string"),
    "nothing": (lambda: {"embedding1": pa.nulls(2), "embedding2": pa.nulls(2)}, "lists of numbers, got null"),
    "no numbers in a row": (
        lambda: {"embedding1": lists(list(U)), "embedding2": lists([*V[:3], None, V[4]])},
        "row 3: embedding2 must hold as many numbers as in row 0, at least one, got 0 (row 0: 4)",
    ),
    "a short row": (
        lambda: {"embedding1": lists([U[0], U[1][:3], *U[2:]]), "embedding2": lists(list(V))},
        "row 1: embedding1 must hold as many numbers as in row 0, at least one, got 3 (row 0: 4)",
    ),
    "sides of two lengths": (
        lambda: {"embedding1": lists(list(U)), "embedding2": lists(list(V[:, :3]))},
        "embedding1 and embedding2 must have the same length, got 4 and 3",
    ),
    "empty lists": (lambda: {"embedding1": lists([[], []]), "embedding2": lists([[], []])}, "row 0: embedding1 must"),
    "NaN": (
        lambda: {"embedding1": lists(list(U)), "embedding2": lists([V[0], V[1] * np.float16("nan"), *V[2:]])},
        "row 1: embeddings must be finite (1 rows are not)",
    ),
    "a null among numbers": (
        lambda: {"embedding1": lists([[1.0, None]], pa.float32()), "embedding2": lists([[1.0, 2.0]], pa.float32())},
        "row 0: embeddings must be finite",
    ),
    "scores that are texts": (
        lambda: {"embedding1": lists(list(U)), "embedding2": lists(list(V)), "score": pa.array(list("abcde"))},
        "score must hold numbers, got string",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_broken_embeddings_are_refused_with_their_row(case: str, tmp_path: Path) -> None:
    columns, says = REFUSED[case]
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table(columns()), path)
    with pytest.raises(DataError) as error:
        read_embeddings(path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", b"sentence1\tsentence2\n"])
def test_a_file_that_is_no_parquet_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"e\.parquet: embeddings cannot be read as Parquet"):
        read_embeddings(path)


def test_broken_column_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"embedding1": lists(list(U)), "embedding2": lists(list(V))}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"embedding2", b"embedding\xff"))
    with pytest.raises(DataError, match=r"e\.parquet: embeddings cannot be read as Parquet"):
        read_embeddings(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.parquet: embeddings cannot be read"):
        read_embeddings(tmp_path / "no.parquet")
