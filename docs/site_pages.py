"""Pages of the documentation site that are made from the checkout, and where links between its files lead there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

PACKAGES = {
    "groupdir": "Trains one trial: labels, losses, methods, data sets, encoders, the trainer.",
    "launch": "Schedules many trials: samplers, schedulers, Ray, clusters.",
    "analysis": "Reads what a study left: fronts, selections, figures, reports.",
}
# Files of the checkout's top -> their page in the site.
TOP_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
API_INDEX = "api/index.md"
# Only links of prose: a link in a code block is text of that code. Inline code keeps its brackets too.
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`(?!\])", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")


# An example of a docstring: from a line that begins with >>> to the next empty line.
EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


def outside_code(text: str, replace: Callable[[re.Match[str]], str]) -> str:
    """Return a page with the links outside of code replaced."""
    parts, at = [], 0
    for code in CODE.finditer(text):
        parts += [LINK.sub(replace, text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, LINK.sub(replace, text[at:])])


def source_of(page: str) -> str | None:
    """Return the file of the checkout that a page is made from; None for a page of the API reference."""
    if page.startswith("api/"):
        return None
    return next((path for path, name in TOP_PAGES.items() if name == page), posixpath.join("docs", page))


def checkout_path(source: str, target: str) -> str:
    """Return the path from the checkout's root of what a file links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def site_address(path: str, anchor: str, root: Path) -> tuple[str, str]:
    """Return the page or file of the site that stands for a path of the checkout, and the anchor on it."""
    if path in TOP_PAGES:
        return TOP_PAGES[path], anchor
    if path.startswith("docs/") and not path.endswith(".py"):
        return path.removeprefix("docs/"), anchor
    module = module_of(root / path, root)
    if module is not None:
        return f"api/{room_of(module)}.md", f"#{module}" if module != room_of(module) else ""
    return f"files/{path}", anchor


def linked_files(source: str, text: str, root: Path) -> set[str]:
    """Return the files of the checkout that a page links to and that are no pages themselves."""
    targets: set[str] = set()

    def note(link: re.Match[str]) -> str:
        path = checkout_path(source, link["target"])
        if site_address(path, "", root)[0] == f"files/{path}":
            if not (root / path).is_file():
                raise ValueError(f"{source}: the link to {link['target']} leads to no file of the checkout")
            targets.add(path)
        return link[0]

    outside_code(text, note)
    return targets


def module_of(path: Path, root: Path) -> str | None:
    """Return the dotted name of a module or package of the checkout; None for other files."""
    parts = path.relative_to(root).with_suffix("").parts
    is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
    if not is_module or parts[0] not in PACKAGES:
        return None
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the top-level module or sub-package that a module is in."""
    return ".".join(module.split(".")[:2])


def api_pages(root: Path) -> dict[str, str]:
    """Return the text of each page of the API reference: one for each room, and a list of them all."""
    rooms: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            module = module_of(path, root)
            if module is not None and module != package and path.name != "__main__.py":
                rooms.setdefault(room_of(module), []).append(module)
    pages = {f"api/{room}.md": room_page(room, modules) for room, modules in rooms.items()}
    lines = ["# API reference", "", "Made from the docstrings. One page for each module or sub-package."]
    for package, claim in PACKAGES.items():
        lines += ["", f"## {package}", "", claim, ""]
        lines += [f"- [{room}]({room}.md)" for room in sorted(rooms) if room.startswith(f"{package}.")]
    return {API_INDEX: "\n".join(lines) + "\n", **pages}


def room_page(room: str, modules: list[str]) -> str:
    """Return the text of a room's page: each of its modules, read by mkdocstrings."""
    return "\n\n".join(
        [f"# {room}", *(f"::: {module}" for module in sorted(modules, key=lambda name: name.split(".")))]
    )


def fenced(docstring: str) -> str:
    """Return a docstring with every example in a fenced block.

    Docstrings of this project write an example without a heading, as doctest reads it. Markdown would take its `>>>`
    for a quotation and its lists for links.
    """

    def fence(example: re.Match[str]) -> str:
        return f"{example['indent']}```pycon\n{example[0]}\n{example['indent']}```"

    return EXAMPLE.sub(fence, docstring)
