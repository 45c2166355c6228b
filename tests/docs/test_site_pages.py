"""Pages of the documentation site: the API reference has every module, and links between files lead to pages."""

from pathlib import Path

import pytest

from docs.site_pages import api_pages, checkout_path, fenced, linked_files, outside_code, room_of, site_address
from tests.imports import modules


def test_every_module_is_in_the_reference(root: Path) -> None:
    pages = api_pages(root)
    for module in modules(root):
        if "." in module and not module.endswith(".__main__"):
            page = pages[f"api/{room_of(module)}.md"]
            assert f"::: {module}" in page.splitlines()
            assert f"({room_of(module)}.md)" in pages["api/index.md"]


@pytest.mark.parametrize(
    ("source", "target", "address"),
    [
        ("README.md", "docs/cluster.md", ("cluster.md", "#s3")),
        ("docs/cluster.md", "../README.md", ("index.md", "#s3")),
        ("docs/guide/search.md", "../cluster.md", ("cluster.md", "#s3")),
        ("README.md", "docs/front.png", ("front.png", "#s3")),
        ("docs/cluster.md", "../launch/cluster/slurm.sbatch", ("files/launch/cluster/slurm.sbatch", "#s3")),
        ("README.md", "groupdir/losses/focal.py", ("api/groupdir.losses.md", "#groupdir.losses.focal")),
        ("README.md", "groupdir/registry.py", ("api/groupdir.registry.md", "")),
        ("README.md", "launch/sampling", ("api/launch.sampling.md", "")),
    ],
)
def test_links(root: Path, source: str, target: str, address: tuple[str, str]) -> None:
    assert site_address(checkout_path(source, target), "#s3", root) == address


def test_files_that_are_no_pages_go_with_the_site(root: Path) -> None:
    text = "[a](cluster.yaml) [b](docs/cluster.md) `[c](d)`\n```\n[x](y)\n```\n[e](https://example.org) [f](#here)"
    assert linked_files("README.md", text, root) == {"cluster.yaml"}
    assert outside_code(text, lambda link: "Z").count("Z") == 2
    with pytest.raises(ValueError, match=r"README\.md: the link to no_such\.md leads to no file"):
        linked_files("README.md", "[a](no_such.md)", root)


def test_examples_of_docstrings_become_code() -> None:
    text = "One line.\n\n>>> f([1])\n[1]\n\nMore.\n\n    >>> g()"
    assert fenced(text) == "One line.\n\n```pycon\n>>> f([1])\n[1]\n```\n\nMore.\n\n    ```pycon\n    >>> g()\n    ```"
