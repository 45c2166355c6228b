"""Parquet files: types of columns, the footer, and other versions."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet, write_parquet
from groupdir.files.study_files import EPOCH_FIELDS, EPOCH_KEY, EPOCHS, TRIAL_FIELDS, TRIALS

ROW = {"trial": 0, "stage": "fit", "last": True, "seconds": 1.5, "param:method.beta": "0.5", "val_mae_all": 3.0}
ARROW = {int: pa.int64(), str: pa.string(), bool: pa.bool_(), float: pa.float64()}


def test_columns_have_their_types_and_a_missing_value_is_null(tmp_path: Path) -> None:
    write_parquet(tmp_path / EPOCHS, [ROW, {"trial": 1}], {"study": {"name": "a"}})
    table, footer = read_parquet(tmp_path / EPOCHS)
    assert footer["study"] == {"name": "a"}
    assert table.schema.types == [pa.int64(), pa.string(), pa.bool_(), pa.float64(), pa.string(), pa.float64()]
    assert table.to_pylist() == [ROW, dict.fromkeys(ROW) | {"trial": 1}]


@pytest.mark.parametrize("fields", [EPOCH_FIELDS, TRIAL_FIELDS])
def test_every_named_column_has_its_type(tmp_path: Path, fields: dict[str, type]) -> None:
    write_parquet(tmp_path / TRIALS, [dict.fromkeys([*fields, *EPOCH_KEY])], {})
    schema = read_parquet(tmp_path / TRIALS)[0].schema
    assert {name: schema.field(name).type for name in fields} == {name: ARROW[kind] for name, kind in fields.items()}


@pytest.mark.parametrize(
    ("footer", "says"),
    [
        (b'{"schema": 1}', r"an older groupdir \(schema 1, this version reads 2\): search again, or use the version"),
        (b'{"schema": 3}', r"a newer groupdir \(schema 3, this version reads 2\): use the version that wrote it"),
        (b"{}", "has no groupdir footer"),
    ],
)
def test_other_versions_are_refused(tmp_path: Path, footer: bytes, says: str) -> None:
    pq.write_table(pa.table({"trial": [0]}).replace_schema_metadata({b"groupdir": footer}), tmp_path / TRIALS)
    with pytest.raises(DataError, match=says):
        read_parquet(tmp_path / TRIALS)


THREADS = """
import sys
from pathlib import Path

import pandas, pyarrow.parquet

from analysis.frame import data_frame
from groupdir.data.cells import read_cells
from groupdir.files.parquet import read_parquet


def threads():
    return {task.name for task in Path("/proc/self/task").iterdir()
            if (task / "comm").read_text().strip() != "jemalloc_bg_thd"}


before = threads()
data_frame(read_parquet(sys.argv[1])[0])
read_cells(Path(sys.argv[1]))
print(len(threads() - before))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in Linux' /proc")
def test_reading_starts_no_thread(tmp_path: Path) -> None:
    """A thread of pyarrow's that still runs when the program ends aborts it now and then."""
    write_parquet(tmp_path / TRIALS, [ROW] * 1000, {})
    command = [sys.executable, "-c", THREADS, str(tmp_path / TRIALS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr
