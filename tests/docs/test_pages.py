"""The pages tell the truth: their commands and links exist, their YAML is valid, their language is plain."""

import re
from pathlib import Path

import pytest
import yaml

from groupdir.config.benchmark import load_benchmark
from groupdir.config.space import load_space
from tests.checkout import ROOT
from tests.test_readme import blocks_of, command_complaint, commands_of, link_complaints

PAGES = sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")})
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
# Programs of other projects, files of the reader's own, and placeholders in capital letters.
FOREIGN = {"pip", "kubectl", "sbatch", "scontrol", "srun", "pre-commit"}
OWN = re.compile(r"my_|labels\.csv|predictions\.csv|agedb\.sbatch|[A-Z]{4,}")
OBSCURE = re.compile(r"\b(gone on with|goes on|anew|mend(?:s|ed)?)\b", re.IGNORECASE)


@every_page
def test_every_command_exists(page: Path, root: Path) -> None:
    wrong = [
        f"{page.relative_to(root)}:{block.line}: {' '.join(words)}: {text}"
        for block in blocks_of(page.read_text(encoding="utf-8"))
        if block.language == "bash"
        for words in map(without_node, commands_of(block.text))
        if words[0].rpartition("/")[2] not in FOREIGN and words[1:2] != ["-c"] and not OWN.search(" ".join(words))
        if (text := command_complaint(words, root))
    ]
    assert not wrong, "\n".join(wrong)


def without_node(words: list[str]) -> list[str]:
    """A command without the program that runs it on a machine of a cluster."""
    return words[2:] if words[:1] == ["bash"] and words[1:2] and words[1].endswith("launch/cluster/node.sh") else words


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert not link_complaints(page.read_text(encoding="utf-8"), page.parent)


@every_page
def test_language_is_plain(page: Path) -> None:
    assert not OBSCURE.findall(page.read_text(encoding="utf-8"))


def spaces() -> list[tuple[str, str]]:
    """The YAML blocks of the guide: page and text."""
    return [
        (page.name, block.text)
        for page in sorted((ROOT / "docs/guide").glob("*.md"))
        for block in blocks_of(page.read_text(encoding="utf-8"))
        if block.language == "yaml"
    ]


@pytest.mark.parametrize(("page", "text"), spaces())
def test_yaml_of_the_guide_is_valid(
    page: str, text: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A section alone is tried in the space of AgeDB-DIR; a benchmark with the baselines, as the page says."""
    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    content = yaml.safe_load(text)
    if "rows" in content:
        content["rows"] = {
            label: str(root / "search_spaces/baselines" / file) for label, file in content["rows"].items()
        }
        (tmp_path / "space.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        assert len(load_benchmark(tmp_path / "space.yaml").rows) == 2
        return
    base = yaml.safe_load((root / "search_spaces/agedb.yaml").read_text(encoding="utf-8"))
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**base, **content}), encoding="utf-8")
    load_space(tmp_path / "space.yaml")
