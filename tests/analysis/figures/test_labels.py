"""The figure of labels, of a file that `groupdir data describe --out` wrote."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from analysis.figures.labels import label_figure
from groupdir.errors import DataError

ROWS = "low,high,shot,train,val,test\n0.0,0.1,few,2,1,1\n0.1,0.2,many,900,30,30\n0.3,0.4,median,60,20,20\n"


def test_a_figure_beside_the_file(tmp_path: Path, root: Path) -> None:
    (tmp_path / "labels.csv").write_text(ROWS, encoding="utf-8")
    command = [sys.executable, "-m", "analysis", "figures", "labels", str(tmp_path / "labels.csv")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {tmp_path}/labels.png\n"
    with Image.open(tmp_path / "labels.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    assert {(0x1D, 0x4E, 0xD8), (0xF5, 0x9E, 0x0B)} <= colours


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ROWS.replace("shot", "kind"), ROWS.replace("900", "x"), "\0"])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.csv: not a file of `groupdir data describe --out`"):
        label_figure(path)
    with pytest.raises(DataError, match=r"no\.csv: not a file"):
        label_figure(tmp_path / "no.csv")
