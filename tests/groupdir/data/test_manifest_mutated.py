"""Mutated tables: each is read or refused by an error of the project, within a second."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from groupdir.commands.data_concerns import Data, data_concerns
from groupdir.config.datasets import TabularConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.own.tabular import Tabular
from groupdir.errors import GroupdirError

TABLES = 500
PARTS_OF_A_TRIAL = {"encoder": {"name": "mlp"}, "method": {"name": "vanilla"}}
PARTS = 10  # so that one slow table is found among fifty
CELLS = (
    "", "NA", "#N/A", ".", "-", "?", "12 kg", "1,050", "1e308", "-1e308", "1e-320", "inf", "nan", "\x00", "é", "\ud800",
    '"', '"a', "a\nb", "999999999999999999999", "1e39", "5500000.25", "1700000000.123456", "2024-01-01", "train",
    "tset", "#", "x" * 3000, "0x10", "1_000", "True", "\t", ";", "−5", "٣",
)  # fmt: skip


INSERTED = (b",", b"\n", b'"', b"\r", b"\x00", b"\xff\xfe", b";", b"#")


def table(rng: random.Random) -> str:
    rows = [["id", "size", "colour", "target", "split"][: rng.choice((4, 5))]]
    for row in range(rng.choice((3, 12, 60))):
        cells = [str(row * 7), f"{rng.gauss(0, 1):.3f}", rng.choice(("red", "blue")), f"{rng.gauss(50, 9):.2f}"]
        rows.append([*cells, rng.choice(("train", "train", "val", "test"))][: len(rows[0])])
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        line = rng.choice(rows)
        if line:
            line[rng.randrange(len(line))] = rng.choice(CELLS)
    return "\n".join(",".join(row) for row in rows) + "\n"


def of_bytes(rng: random.Random, content: bytes) -> bytes:
    """Flip, cut, insert or repeat some bytes."""
    kinds: list[Callable[[bytes, int], bytes]] = [
        lambda data, at: data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
        lambda data, at: data[:at],
        lambda data, at: (
            data[:at] + rng.choice((b",", b"\n", b'"', b"\r", b"\x00", b"\xff\xfe", b";", b"#")) + data[at:]
        ),
        lambda data, at: data + data[at:],
        lambda data, at: data.replace(b",", rng.choice((b";", b"\t", b"|", b",,", b", "))),
        lambda data, at: data.replace(b".", b",") if at % 2 else b"# made by X\n" + data,
        lambda data, at: data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "utf-32"))),
    ]
    return rng.choice(kinds)(content, rng.randrange(len(content) + 1))


@pytest.mark.parametrize("part", range(PARTS))
def test_a_mutated_table_is_read_or_refused(part: int, tmp_path: Path) -> None:
    read = 0
    for number in range(part, TABLES, PARTS):
        rng = random.Random(number)
        content = table(rng).encode("utf-8", "surrogatepass")
        for _ in range(rng.choice((0, 0, 1, 1, 3))):
            content = of_bytes(rng, content)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "t.csv").write_bytes(content)
        config = TabularConfig(
            name="table", root=str(folder), manifest="t.csv", bin_width=rng.choice((None, None, 1, 5))
        )
        start = time.process_time()
        try:
            dataset = Tabular(config)
            data = Data.of(dataset, [TrialConfig.from_dict({"data": config.model_dump(), **PARTS_OF_A_TRIAL})])
            data_concerns(data)
            dataset.column_summaries()
            assert all(np.isfinite(dataset.split(split).inputs[0]).all() for split in data.labels)
            read += 1
        except GroupdirError as error:
            assert str(error).strip(), number  # noqa: PT017 - both ends are right
        assert time.process_time() - start < 1, number
    assert read > 0, "no table of this part can be read: the mutations are too strong to find anything"
