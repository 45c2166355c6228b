"""Every table in docs/results.md that has a pack is remade from it: a printed figure cannot differ from its pack."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from groupdir.files.benchmark_pack import read_pack
from tests.checkout import ROOT
from tests.test_readme import blocks_of, commands_of

PAGE = ROOT / "docs" / "results.md"
PACKS = sorted((ROOT / "docs" / "results").glob("*.parquet"))
LARGEST = 6_000_000  # bytes of one pack in the repository


def from_packs() -> list[list[str]]:
    """Return the commands of the page that print a table from a pack, as words."""
    return [
        words
        for block in blocks_of(PAGE.read_text(encoding="utf-8"))
        if block.language == "bash"
        for words in commands_of(block.text)
        if words[:2] == ["groupdir", "benchmark-table"] and words[2].endswith(".parquet")
    ]


def last_table(printed: str) -> str:
    """Return the last table of an output in Markdown, with its title."""
    return re.findall(r"^\*\*.+\*\*\n\n(?:\|.*\n)+", printed, flags=re.MULTILINE)[-1]


def test_every_pack_is_shown() -> None:
    assert PACKS, "docs/results holds no pack"
    assert {ROOT / words[2] for words in from_packs()} == set(PACKS)


@pytest.mark.parametrize("pack", PACKS, ids=lambda path: path.stem)
def test_a_pack_is_small_and_whole(pack: Path) -> None:
    assert pack.stat().st_size <= LARGEST
    read_pack(pack)


@pytest.mark.parametrize("words", from_packs(), ids=lambda words: " ".join(words[2:]).replace("/", "-"))
def test_a_table_is_that_of_its_pack(words: list[str]) -> None:
    command = [sys.executable, "-m", "analysis", *words[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert last_table(done.stdout) in PAGE.read_text(encoding="utf-8")
