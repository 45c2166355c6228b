"""Result of a training: it is read as it was written, and other files are refused with a way to continue."""

import math
from pathlib import Path

import pytest

from groupdir.errors import DataError
from groupdir.files.training_result import TrainingResult, read_result


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = TrainingResult("abc", 7, {"test_mae_all": 0.1, "test_mae_few": math.nan})
    result.write(tmp_path / "result.json")
    read = read_result(tmp_path / "result.json", "--resume")
    assert (read.digest, read.epoch, read.metrics["test_mae_all"]) == ("abc", 7, 0.1)
    assert math.isnan(read.metrics["test_mae_few"])


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"digest": "a", "epoch": 1, "metrics": [1]}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"result\.json: is not a result .* continue with --resume"):
        read_result(tmp_path / "result.json", "--resume")
