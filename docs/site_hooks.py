"""Hooks of the documentation site: pages from the checkout's top, an API reference of every room, links into the code.

MkDocs calls `on_config` with mkdocs.yml, `on_files` with the pages that it has found in docs/, and `on_page_markdown`
with the text of each page. Run it from the checkout's root as `python -m mkdocs build --strict`.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site_pages import (
    API_INDEX,
    PACKAGES,
    TOP_PAGES,
    api_pages,
    checkout_path,
    linked_files,
    outside_code,
    site_address,
    source_of,
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the API reference to the navigation: one section for each package."""
    root = Path(config.config_file_path).parent
    pages = [page for page in api_pages(root) if page != API_INDEX]
    sections = [
        {package: [{page[4:-3]: page} for page in pages if page.startswith(f"api/{package}.")]} for package in PACKAGES
    ]
    assert config.nav is not None
    config.nav.append({"API reference": [{"Packages": API_INDEX}, *sections]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the checkout, and the files that pages link to."""
    root = Path(config.config_file_path).parent
    sources = {posixpath.join("docs", file.src_uri): file for file in files.documentation_pages()}
    texts = {path: file.content_string for path, file in sources.items()}
    for path, page in TOP_PAGES.items():
        texts[path] = (root / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=texts[path]))
    for page, text in api_pages(root).items():
        files.append(File.generated(config, page, content=text))
    for target in sorted({target for path, text in texts.items() for target in linked_files(path, text, root)}):
        files.append(File.generated(config, f"files/{target}", abs_src_path=str(root / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the checkout into links to their pages in the site."""
    root = Path(config.config_file_path).parent
    here = source_of(page.file.src_uri)
    if here is None:
        return markdown

    def in_site(link: re.Match[str]) -> str:
        uri, anchor = site_address(checkout_path(here, link["target"]), link["anchor"] or "", root)
        return posixpath.relpath(uri, posixpath.dirname(page.file.src_uri)) + anchor

    return outside_code(markdown, in_site)
