"""Damaged YAML files: each is accepted or refused with its place, and within a second."""

import re
import time
from pathlib import Path

import pytest

from groupdir.commands.describe import describe
from groupdir.commands.loaded import load_file
from groupdir.errors import GroupdirError
from tests.groupdir.config.yaml_mutations import mutated

SPACES = Path(__file__).resolve().parents[3] / "search_spaces"
MOST_SECONDS = 1.0
MOST_CHARACTERS = 20_000
FILES = sorted(SPACES.rglob("*.yaml"))
LARGE = {path for path in FILES if path.name.startswith(("table1", "finalists"))}  # 20 rows each


def check(path: Path) -> tuple[str | None, float]:
    """Return the message about a file, or None if it is accepted, and the seconds of this process that it took."""
    start = time.process_time()
    try:
        describe(load_file(path))
        message = None
    except GroupdirError as error:
        message = str(error)
    return message, time.process_time() - start


def wrong_message(message: str) -> str | None:
    """Return what is wrong with a message, or None."""
    if not all(re.match(r"\S+\.yaml(:\d+)?: |and [\d,]+ more mistakes$", line) for line in message.split("\n")):
        return "a line without its place"
    if len(message) > MOST_CHARACTERS:
        return f"{len(message)} characters"
    if not message.replace("\n", "").isprintable():
        return "control characters"
    return "pydantic's words" if re.search(r" should (be|have)|[Vv]alidation error", message) else None


def damaged(seed: int) -> tuple[Path, bytes]:
    """Return a file of the project, and its content after random changes."""
    source = FILES[seed % len(FILES)]
    if source in LARGE and seed % 5:
        source = FILES[(seed + 7) % len(FILES)]
    return source, mutated(source.read_text(encoding="utf-8"), seed)


def run_mutations(seeds: range, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPDIR_DATA", str(folder))
    usual, wrong, messages = {}, [], 0
    for path in FILES:  # the rows of a benchmark name files next to it
        (folder / path.name).write_bytes(path.read_bytes())
    for seed in seeds:
        source, content = damaged(seed)
        if source not in usual:
            usual[source] = check(folder / source.name)[1]
        file = folder / f"damaged{seed}.yaml"
        file.write_bytes(content)
        try:
            message, seconds = check(file)
        except Exception as error:  # noqa: BLE001 - each is reported
            wrong.append(f"seed {seed}, {source.name}: {type(error).__name__}: {str(error)[:200]}")
            continue
        messages += message is not None
        if seconds > MOST_SECONDS + usual[source]:
            wrong.append(f"seed {seed}, {source.name}: {seconds:.2f} s: {str(message)[:200]}")
        if message is not None and (why := wrong_message(message)):
            wrong.append(f"seed {seed}, {source.name}: {why}: {message[:300]!r}")
    assert not wrong, f"{len(wrong)} of {len(seeds)}:\n" + "\n".join(wrong)
    assert messages > len(seeds) // 3, "the mutations must damage many files"


def test_damaged_files_end_as_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_mutations(range(100), tmp_path, monkeypatch)


@pytest.mark.slow
def test_two_thousand_damaged_files_end_as_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_mutations(range(1000, 3000), tmp_path, monkeypatch)
