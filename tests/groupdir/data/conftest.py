"""The built-in data sets, drawn once; a small folder in STS-B-DIR's layout."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupdir.config.datasets import DigitsConfig, FacesConfig
from groupdir.data.drawn.digits import Digits
from groupdir.data.drawn.faces import Faces

HEADER = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"
WORDS = ("a", "dog", "runs", "The", "it", "'", "s", ".")


@pytest.fixture(scope="session")
def digits() -> Digits:
    """The default digits; its splits stay built for all tests, which must not change them."""
    return Digits(DigitsConfig(name="digits"))


@pytest.fixture(scope="session")
def faces() -> Faces:
    """The default faces, as `digits`."""
    return Faces(FacesConfig(name="faces"))


@pytest.fixture
def stsb_folder(tmp_path: Path) -> Path:
    """A folder as `write_stsb` makes it."""
    return write_stsb(tmp_path)


def write_stsb(tmp_path: Path) -> Path:
    """Write TSVs of 12, 4 and 4 pairs, embeddings of 6 numbers, and vectors of 3 for most of the words, gzipped."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "sts-b-dir"
    folder.mkdir()
    for split, file, size in (("train", "train_new", 12), ("val", "dev_new", 4), ("test", "test_new", 4)):
        scores = np.linspace(0, 5, size, dtype=np.float32)
        rows = [f"{k}\tg\tf\t2012\t{k}\tn\tn\tThe dog runs.\tIt's a \"dog {k}\t{scores[k]:.3f}" for k in range(size)]
        (folder / f"{file}.tsv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        vectors = [pa.array(list(rng.normal(size=(size, 6)).astype(np.float16)), pa.list_(pa.float16())) for _ in "uv"]
        table = {"score": pa.array(scores), "embedding1": vectors[0], "embedding2": vectors[1]}
        pq.write_table(pa.table(table), folder / f"minilm-{split}.parquet")
    lines = [f"{word} {number} {number + 0.5} -{number}" for number, word in enumerate(WORDS)]
    (folder / "static-300d.txt.gz").write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode()))
    return folder
