"""The picture of the rooms is the tree's, and the counts are right on a tree that can be counted by hand."""

import subprocess
import sys
from pathlib import Path

from docs.draw_rooms import PICTURE, counts_of, direct, floors, picture, table


def test_the_committed_picture_is_what_is_drawn_now(root: Path) -> None:
    assert (root / PICTURE).read_text(encoding="utf-8") == picture(root), "run `python -m docs.draw_rooms`"


def made_up(folder: Path) -> Path:
    """A package of four rooms; `one` and `two` import each other, `three` imports `two`, and `ground` nothing."""
    files = {
        "toy/__init__.py": "",
        "toy/ground.py": "import os\n",
        "toy/one.py": "from toy import ground\n\n\ndef late():\n    import toy.two.a\n",
        "toy/two/__init__.py": "",
        "toy/two/a.py": "from toy.two.b import x\n",
        "toy/two/b.py": "from toy.one import late\n\nx = 1\n" + "\n" * 7,
        "toy/three.py": "from toy.two import a, b\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_counts_of_a_package_with_a_circle(tmp_path: Path) -> None:
    counts = counts_of("toy", made_up(tmp_path))
    assert counts.root_modules == 4  # the face, ground, one, three
    assert counts.rooms == 4
    assert counts.arrows == 4  # one -> ground, one -> two, two -> one, three -> two
    assert counts.circles == 1
    assert counts.arrows_up == 1
    assert counts.floors == 4
    assert (counts.lines_p90, counts.lines_most) == (10, 10)
    assert "circles                            1" in table([counts])


def test_floors_are_the_longest_paths() -> None:
    arrows = {("c", "a"), ("c", "b"), ("b", "a")}
    assert floors("abcd", arrows) == ({"a": 0, "b": 1, "c": 2, "d": 0}, set())
    assert direct(arrows) == {("c", "b"), ("b", "a")}


def test_in_a_circle_the_fewest_arrows_run_up() -> None:
    circle = {("a", "b"), ("b", "c"), ("c", "a"), ("c", "b")}
    levels, up = floors("abc", circle)
    assert up == {("b", "c")}  # either of the two others would leave a circle
    assert levels == {"b": 0, "a": 1, "c": 2}
    assert direct(circle) == circle


def test_the_command_counts_another_checkout(root: Path, tmp_path: Path) -> None:
    for package in ("groupdir", "launch", "analysis"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "docs.draw_rooms", "--counts", "--root"]
    done = subprocess.run([*command, tmp_path], cwd=root, capture_output=True, text=True, check=True)
    assert "rooms                              0         0         0" in done.stdout
    refused = subprocess.run([*command, tmp_path / "groupdir"], cwd=root, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "has no folder groupdir: run this in a checkout, or give --root" in refused.stderr
