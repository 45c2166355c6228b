"""STS-B-DIR: the published split where it is, and what a broken folder is told."""

import gzip
import pickle
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupdir.config.datasets import STSBConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import SplitName
from groupdir.data.text.stsb import STSB, read_pairs
from groupdir.data.text.tokens import PAD, UNKNOWN
from groupdir.errors import ConfigError, DataError
from groupdir.metrics import SHOTS

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def stsb(root: Path, **options: Any) -> STSB:
    return STSB(STSBConfig(name="stsb", root=str(root), **options))


def words(root: Path, **options: Any) -> STSB:
    return stsb(root, inputs="tokens", **{"dimension": 3} | options)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as error:
        call()
    return str(error.value)


# The published split


@pytest.fixture(scope="module")
def real(shared_data: Path) -> STSB:
    return stsb(shared_data).prepare(SPLITS)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def real_words(shared_data: Path) -> STSB:
    return words(shared_data, dimension=300).prepare(SPLITS)  # type: ignore[return-value]


def test_the_published_counts(real: STSB) -> None:
    for split, size, shots in (
        ("train", 5249, [4510, 538, 201]),
        ("val", 1000, [758, 177, 65]),
        ("test", 1000, [756, 170, 74]),
    ):
        data = real.split(split)
        assert len(data) == size
        assert data.y.dtype == np.float32
        assert (data.y.min(), data.y.max()) == (0, 5)
        codes = real.shots.of(data.y)
        assert [int((codes == SHOTS.index(shot)).sum()) for shot in ("many", "median", "few")] == shots
    assert len(np.unique(real.split("train").y)) == 132


def test_val_and_test_have_50_pairs_of_each_quarter(real: STSB) -> None:
    for split in ("val", "test"):
        quarter = np.minimum(real.split(split).y / np.float32(0.25), 19).astype(int)
        assert np.bincount(quarter).tolist() == [50] * 20


def test_labels_are_compared_with_edges_in_float32(real: STSB) -> None:
    y = real.split("train").y
    edges = np.array([k / 10 for k in range(50)])
    in_float32 = np.searchsorted(edges.astype(np.float32), y, side="right") - 1
    read_as_float64 = np.round(y.astype(np.float64), 3)  # the decimals of the file
    in_float64 = np.searchsorted(edges.astype(np.float32).astype(np.float64), read_as_float64, side="right") - 1
    assert (in_float32 != in_float64).sum() == 1639  # the trap
    lists = dict.fromkeys((0, *range(10, 49, 2), 49), "many") | dict.fromkeys((2, 4, 6, 8, 27, 35, 37), "median")
    assert [SHOTS[code] for code in real.shots.of(y)] == [lists.get(k, "few") for k in in_float32.tolist()]


def test_embeddings_belong_to_their_scores(real: STSB) -> None:
    assert real.inputs.kind == "embedding_pair"
    for split in SPLITS:
        (pairs,) = real.split(split).inputs
        assert pairs.shape == (len(real.split(split)), *real.inputs.shape)
        assert pairs.shape[1:] == (2, 384)
        assert pairs.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(pairs, axis=2), 1, atol=2e-3)
    cosine = (pairs[:, 0] * pairs[:, 1]).sum(axis=1)
    assert np.corrcoef(cosine, real.split("test").y)[0, 1] == pytest.approx(0.829, abs=0.001)  # as published with them


def test_word_vectors_belong_to_their_scores(real_words: STSB) -> None:
    spec = real_words.inputs
    assert (spec.kind, spec.shape) == ("token_pair", (2, 40))
    assert spec.vectors is not None
    assert spec.vocabulary is not None
    assert spec.vectors.shape == (len(spec.vocabulary), 300)
    tokens, lengths = real_words.split("test").inputs
    assert tokens.shape == (1000, 2, 40)
    assert np.array_equal((tokens > 0).sum(axis=2), lengths)
    assert lengths.min() >= 1
    known = tokens > 1
    assert known.sum() == lengths.sum()  # the file has each word of the three splits
    assert np.linalg.norm(spec.vectors[1]) < np.linalg.norm(spec.vectors[2:], axis=1).mean()
    mean = (spec.vectors[tokens] * known[..., None]).sum(axis=2)  # cosines need no division
    norm = np.linalg.norm(mean, axis=2)
    cosine = (mean[:, 0] * mean[:, 1]).sum(axis=1) / np.maximum(norm[:, 0] * norm[:, 1], 1e-9)
    assert np.corrcoef(cosine, real_words.split("test").y)[0, 1] == pytest.approx(0.735, abs=0.001)


def test_the_vocabulary_is_every_word_of_training_then_of_the_file(real_words: STSB, shared_data: Path) -> None:
    folder = shared_data / "sts-b-dir"
    lines = (folder / "train_new.tsv").read_text("utf-8").lower().split("\n")[1:-1]
    texts = [text for line in lines for text in line.split("\t")[7:9]]
    counts = Counter(word for text in texts for word in re.findall(r"\w+|[^\w\s]", text))
    vocabulary = real_words.inputs.vocabulary or ()
    first, rest = vocabulary[2 : len(counts) + 2], vocabulary[len(counts) + 2 :]
    assert set(first) == set(counts)
    ranked = [counts[word] for word in first]
    assert ranked == sorted(ranked, reverse=True)
    with gzip.open(folder / "static-300d.txt.gz", "rt", encoding="utf-8") as file:
        names = [line.split(" ")[0] for line in file]
    assert list(rest) == [name for name in names if name not in counts]
    assert len(rest) > 1000


# A small folder of the same layout


def test_both_kinds_of_inputs(stsb_folder: Path) -> None:
    for root in (stsb_folder, stsb_folder.parent):
        data = stsb(root)
        assert [len(data.split(split)) for split in SPLITS] == [12, 4, 4]
        assert data.inputs.shape == (2, 6)
    data = words(stsb_folder, max_tokens=3)
    tokens, lengths = data.split("val").inputs
    vocabulary = data.inputs.vocabulary
    assert vocabulary is not None
    assert vocabulary[:2] == (PAD, UNKNOWN)
    assert [[vocabulary[token] for token in side] for side in tokens[0]] == [["the", "dog", "runs"], ["it", "'", "s"]]
    assert lengths.tolist() == [[3, 3]] * 4
    assert data.inputs.vectors is not None
    np.testing.assert_array_equal(data.inputs.vectors[vocabulary.index("dog")], [1, 1.5, -1])


def test_quotes_are_text(stsb_folder: Path) -> None:
    pairs, y = read_pairs(stsb_folder / "train_new.tsv")
    assert pairs[0] == ("The dog runs.", "It's a \"dog 0")  # a lone quote would swallow the rows that follow
    assert y.dtype == np.float32
    assert (y[0], y[-1]) == (0, 5)


def test_case_is_kept_when_asked(stsb_folder: Path) -> None:
    kept, lowered = (words(stsb_folder, lower=lower).inputs for lower in (False, True))
    assert "The" in (kept.vocabulary or ())
    assert "The" not in (lowered.vocabulary or ())
    assert kept.vectors is not None
    np.testing.assert_array_equal(kept.vectors[(kept.vocabulary or ()).index("The")], [3, 3.5, -3])


def test_words_of_val_alone_are_known_if_the_vectors_file_has_them(stsb_folder: Path) -> None:
    path = stsb_folder / "dev_new.tsv"
    path.write_text(path.read_text().replace("dog runs", "zebra wolf"))
    with gzip.open(stsb_folder / "static-300d.txt.gz", "at") as file:
        file.write("Zebra 8 8 8\nzebra 9 8 7\nzebras 1 1 1\n")
    data = words(stsb_folder)
    (row, *_), _ = data.split("val").inputs
    vocabulary, vectors = data.inputs.vocabulary or (), data.inputs.vectors
    assert [vocabulary[token] for token in row[0, :4]] == ["the", "zebra", UNKNOWN, "."]
    assert vocabulary[-2:] == ("zebra", "zebras")  # lower-cased text holds no "Zebra"
    assert vectors is not None
    assert vectors[row[0, 1]].tolist() == [9, 8, 7]
    size = len(vocabulary) - 2
    cut = words(stsb_folder, vocabulary_size=size - 2)
    assert cut.inputs.vocabulary == vocabulary[:-2]
    assert cut.split("val").inputs[0][0, 0, 1] == 1


def test_the_vocabulary_reads_no_sentence_of_val_or_test(stsb_folder: Path) -> None:
    before = words(stsb_folder).inputs
    for file in ("dev_new.tsv", "test_new.tsv"):
        path = stsb_folder / file
        path.write_text(path.read_text().replace("dog runs", "zebra wolf wolf wolf"))
    after = words(stsb_folder).prepare(SPLITS).inputs
    assert after.vocabulary == before.vocabulary
    assert after.vectors is not None
    np.testing.assert_array_equal(after.vectors, before.vectors)


def test_the_vocabulary_has_its_limit(stsb_folder: Path) -> None:
    data = words(stsb_folder, vocabulary_size=1)
    assert data.inputs.vocabulary == (PAD, UNKNOWN, "dog")  # twice in each pair


def test_a_prepared_data_set_needs_no_files(stsb_folder: Path) -> None:
    for data in (stsb(stsb_folder), words(stsb_folder)):
        _ = data.prepare().inputs
        copy = pickle.loads(pickle.dumps(data))  # noqa: S301 - our own bytes
        copy.folder = stsb_folder / "gone"
        for split in ("train", "val"):
            a, b = data.split(split), copy.split(split)
            assert all(np.array_equal(x, y) for x, y in zip((*a.inputs, a.y), (*b.inputs, b.y), strict=True))
        assert copy.inputs.shape == data.inputs.shape


def test_preparing_does_not_read_the_test_files(stsb_folder: Path) -> None:
    for file in ("test_new.tsv", "minilm-test.parquet"):
        (stsb_folder / file).unlink()
    for data in (stsb(stsb_folder), words(stsb_folder)):
        data.prepare()
        assert "test_new.tsv: cannot be read" in refused(lambda data=data: data.split("test"))  # type: ignore[misc]


@pytest.mark.parametrize("lower", [True, False])
def test_new_sentences_are_read_as_the_training_ones_were(stsb_folder: Path, lower: bool) -> None:
    data = words(stsb_folder, lower=lower, max_tokens=4)
    path = stsb_folder / "new.tsv"
    path.write_text("\ufeffsentence2\tsentence1\nIt's a dog\tThe dog RUNS.\n\tthe\n", encoding="utf-8")
    (tokens, lengths), names = STSB.read_inputs(path, data.inputs)
    vocabulary = data.inputs.vocabulary or ()
    read = [[[vocabulary[token] for token in side if token] for side in pair] for pair in tokens]
    if lower:
        assert read == [[["the", "dog", "runs", "."], ["it", "'", "s", "a"]], [["the"], [UNKNOWN]]]
    else:
        assert read == [[["The", "dog", UNKNOWN, "."], ["It", "'", "s", "a"]], [[UNKNOWN], [UNKNOWN]]]
    assert lengths.tolist() == [[4, 4], [1, 1]]
    assert list(names) == [0, 1]


def test_new_embeddings_are_read_and_checked(stsb_folder: Path) -> None:
    spec = stsb(stsb_folder).inputs
    (pairs,), names = STSB.read_inputs(stsb_folder / "minilm-val.parquet", spec)
    assert np.array_equal(pairs, stsb(stsb_folder).split("val").inputs[0])
    assert list(names) == [0, 1, 2, 3]
    write_embeddings(stsb_folder / "new.parquet", np.zeros((2, 2, 5)))
    says = refused(lambda: STSB.read_inputs(stsb_folder / "new.parquet", spec))
    assert says == f"{stsb_folder / 'new.parquet'}: must hold pairs of 6 numbers, got 5"


def write_embeddings(path: Path, pairs: np.ndarray, **columns: object) -> None:
    kind = pa.list_(pa.float32())
    sides = {f"embedding{side + 1}": pa.array(pairs[:, side].tolist(), kind) for side in range(2)}
    pq.write_table(pa.table({**sides, **columns}), path)


# Broken folders

COLUMNS = "sentence1\tsentence2\tscore"
BROKEN_ROWS = {
    "too few columns": ("a\tb", ":3: must have 3 tab-separated fields, got 2"),
    "too many columns": ("a\tb\tc\t1", ":3: must have 3 tab-separated fields, got 4"),
    "an empty line": ("", ":3: must have 3 tab-separated fields, got 0"),
    "no number": ("a\tb\tfive", ":3: score must be a number from 0 to 5, got 'five'"),
    "no score": ("a\tb\t", ":3: score must be a number from 0 to 5, got ''"),
    "NaN": ("a\tb\tnan", ":3: score must be a number from 0 to 5, got 'nan'"),
    "too large": ("a\tb\t5.01", ":3: score must be a number from 0 to 5, got '5.01'"),
    "negative": ("a\tb\t-0.5", ":3: score must be a number from 0 to 5, got '-0.5'"),
}


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_a_broken_row_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    row, says = BROKEN_ROWS[case]
    path = tmp_path / "train_new.tsv"
    path.write_text(f"{COLUMNS}\na\tb\t1\n{row}\na\tb\t2\n")
    for inputs in (stsb(tmp_path), words(tmp_path)):
        assert refused(lambda inputs=inputs: inputs.split("train")) == f"{path}{says}"  # type: ignore[misc]


def test_all_broken_rows_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(COLUMNS + "\n" + "a\tb\tx\na\tb\t1\n" * 7)
    lines = refused(lambda: read_pairs(path)).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines[:-1]] == ["2", "4", "6", "8", "10"]
    assert lines[-1] == "... and 2 more broken rows"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ":1: must have the columns sentence1, sentence2, score, got no sentence1, sentence2, score"),
        (b"sentence1\tscore\na\t1\n", ":1: must have the columns sentence1, sentence2, score, got no sentence2"),
        (b"sentence1\tsentence2\tscore\n", ": must have rows, got none"),
        (b"sentence1\tsentence2\tscore\n\xff\tb\t1\n", ": cannot be read: 'utf-8' codec"),
        (b"sentence1\tsentence2\tscore\n" + b"a" * 200_000 + b"\tb\t1\n", ": cannot be read: field larger"),
    ],
)
def test_a_file_that_is_no_table_of_pairs(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    assert refused(lambda: read_pairs(path)).startswith(f"{path}{says}")


def test_scores_are_optional_for_predictions_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("sentence1\tsentence2\na\tb\n")
    pairs, y = read_pairs(path, scored=False)
    assert pairs == [("a", "b")]
    assert np.isnan(y).all()
    assert "got no score" in refused(lambda: read_pairs(path))


def test_a_missing_folder_or_file_is_named(tmp_path: Path, stsb_folder: Path) -> None:
    says = refused(lambda: stsb(tmp_path / "nowhere"))
    assert says.startswith("data.root: must be a folder that holds train_new.tsv, got ")
    assert str(tmp_path / "nowhere") in says
    for file, inputs in (("dev_new.tsv", stsb), ("minilm-val.parquet", stsb), ("static-300d.txt.gz", words)):
        data = inputs(stsb_folder)
        (stsb_folder / file).rename(stsb_folder / "away")
        assert refused(data.prepare).startswith(f"{stsb_folder / file}: ")
        (stsb_folder / "away").rename(stsb_folder / file)


def test_embeddings_must_be_of_the_pairs(stsb_folder: Path) -> None:
    path = stsb_folder / "minilm-val.parquet"
    scores = stsb(stsb_folder).split("val").y
    pairs = np.ones((4, 2, 6))
    write_embeddings(path, pairs[:3])
    assert (
        refused(stsb(stsb_folder).prepare) == f"{path}: must have a row for each of the 4 pairs in dev_new.tsv, got 3"
    )
    write_embeddings(path, pairs, score=scores[::-1].copy())
    assert refused(stsb(stsb_folder).prepare).startswith(f"{path}: row 0: score must be 0.0 as in dev_new.tsv, got 5.0")
    write_embeddings(path, pairs, score=[*scores[:3].tolist(), None])
    assert "row 3: score must be 5.0 as in dev_new.tsv, got nan (1 differ)" in refused(stsb(stsb_folder).prepare)
    write_embeddings(path, np.ones((4, 2, 5)))
    assert refused(stsb(stsb_folder).prepare) == f"{path}: embeddings must hold 6 numbers as in training, got 5"
    write_embeddings(path, pairs)
    assert len(stsb(stsb_folder).prepare().split("val")) == 4  # scores beside the embeddings are optional


def test_a_pattern_of_files_without_its_split_is_no_crash(stsb_folder: Path) -> None:
    assert "minilm-{part}.parquet: embeddings cannot be read" in refused(
        lambda: stsb(stsb_folder, embeddings="minilm-{part}.parquet").split("train")
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "data.root: is required"),
        ({"root": "/x", "inputs": "words"}, "data.inputs: must be one of 'embeddings' or 'tokens', got 'words'"),
        ({"root": "/x", "max_tokens": 0}, "data.max_tokens: must be >= 1, got 0"),
        ({"root": "/x", "vocabulary_size": 0}, "data.vocabulary_size: must be >= 1, got 0"),
        ({"root": "/x", "dimension": 0}, "data.dimension: must be >= 1, got 0"),
        ({"root": "/x", "vector": "g.txt"}, "data.vector: unknown key: did you mean 'vectors'?"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], says: str) -> None:
    trial = {"data": {"name": "stsb", **options}, "encoder": {"name": "mlp"}, "method": {"name": "vanilla"}}
    with pytest.raises(ConfigError) as error:
        TrialConfig.from_dict(trial)
    (mistake,) = str(error.value).splitlines()
    assert says in mistake
