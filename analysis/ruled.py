"""Table of texts as plain text, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

Format = Literal["text", "markdown", "latex"]
MARK = "*"
"""Mark of a cell in plain text, which is bold in the other formats. A line of the foot explains it."""

FORMATS: tuple[Format, ...] = ("text", "markdown", "latex")
_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "±": r"$\pm$", "–": "--"}


@dataclass(frozen=True)
class Ruled:
    """Table of texts.

    Attributes:
        title: Title of the table.
        header: Headings of the columns.
        rows: Texts of the cells. A row that starts with blanks belongs to the row above.
        marked: (row, column) of the cells to mark.
        foot: Lines below the table.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: AbstractSet[tuple[int, int]] = frozenset()
    foot: Sequence[str] = ()

    def render(self, form: Format) -> str:
        """Return the table as text in a format.

        Example:
            >>> print(Ruled("errors", ["", "MAE"], [["VANILLA", "6.1"], ["LDS", "5.9"]], {(1, 1)}).render("markdown"))
            **errors**
            <BLANKLINE>
            | | MAE |
            |---|---:|
            | VANILLA | 6.1 |
            | LDS | **5.9** |
        """
        if form == "markdown":
            return self._markdown()
        return self._latex() if form == "latex" else self._text()

    def _cells(self, mark: str) -> list[list[str]]:
        """Return all cells, with the pattern applied to the marked ones."""
        return [
            [mark.format(text) if (at, column) in self.marked else text for column, text in enumerate(row)]
            for at, row in enumerate(self.rows)
        ]

    def _text(self) -> str:
        lines = [list(self.header), *self._cells(MARK + "{}")]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        body = [
            "  ".join(
                text.ljust(width) if column == 0 else text.rjust(width)
                for column, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, "", *body, *(["", *self.foot] if self.foot else [])])

    def _markdown(self) -> str:
        lines = [f"**{self.title}**", "", "| " + " | ".join(self.header).strip() + " |"]
        lines[-1] = lines[-1].replace("|  |", "| |")
        lines.append("|---|" + "---:|" * (len(self.header) - 1))
        lines += ["| " + " | ".join(text.strip() for text in row) + " |" for row in self._cells("**{}**")]
        lines += [f"\n{_bold(line)}" for line in self.foot]
        return "\n".join(lines)

    def _latex(self) -> str:
        escape = str.maketrans(_LATEX)
        lines = [f"% {self.title}", rf"\begin{{tabular}}{{l{'r' * (len(self.header) - 1)}}}", r"\toprule"]
        lines.append(" & ".join(text.translate(escape) for text in self.header) + r" \\")
        lines.append(r"\midrule")
        for at, row in enumerate(self.rows):
            texts = [text.translate(escape) for text in row]
            marked = [
                rf"\textbf{{{text}}}" if (at, column) in self.marked else text for column, text in enumerate(texts)
            ]
            lines.append(" & ".join(marked) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *(f"% {_bold(line)}" for line in self.foot)])


def _bold(line: str) -> str:
    """Return a line of the foot that explains marked cells, for a format that prints them in bold.

    >>> _bold("* best of its column")
    'bold: best of its column'
    """
    return f"bold: {line.removeprefix(MARK).lstrip()}" if line.startswith(MARK) else line
