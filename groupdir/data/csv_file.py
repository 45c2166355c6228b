"""Rows of a CSV file with their line numbers. Files that are not CSV and slips of the header are refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from groupdir.data.cell_values import as_number
from groupdir.errors import DataError

RowMistake = tuple[int, str]
"""Number of a row, and what is wrong with it."""

_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "a Parquet file",
    b"ARROW1": "a Feather file",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}
_SEPARATORS = {";": "';'", "\t": "'\\t'", "|": "'|'"}


@dataclass
class CsvRows:
    """Content of a CSV file.

    Attributes:
        header: Names of the columns.
        rows: Rows with as many texts as the header has names.
        numbers: Line of each row, counted from 1.
        mistakes: Lines of rows with another number of texts.
    """

    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    mistakes: list[RowMistake] = field(default_factory=list)

    @property
    def unnamed(self) -> bool:
        """True if the first column has no name, like the index that pandas or R writes."""
        return self.header[0] == ""


def read_csv(path: Path) -> CsvRows:
    """Read a CSV file with a header, commas and UTF-8.

    Blank lines are skipped, unless the file has a single column: there a blank line between others is an empty cell.

    Raises:
        DataError: If the file cannot be read or decoded, is of another kind, or its header has slips, which are listed
            together.
    """
    text = _decoded(path)
    lines = _lines(text, path)
    try:
        start, names = next((number, row) for number, row in lines if any(cell.strip() for cell in row))
    except StopIteration:
        raise DataError(f"{path}: is empty: it must hold a header and rows, separated by commas") from None
    rest = list(lines)
    header = [name.strip() for name in names]
    following = next((row for _, row in rest if any(cell.strip() for cell in row)), None)
    if slips := list(_header_slips(header, following)):
        raise DataError("\n".join(f"{path}:{start}: {slip}" for slip in slips))
    content = CsvRows(header)
    blank, lengths = list[int](), set[int]()
    for number, row in rest:
        if not row or (len(header) > 1 and len(row) == 1 and not row[0].strip()):
            blank.append(number)
            continue
        if len(header) == 1:  # blank lines at the end are no rows
            content.rows += [[""] for _ in blank]
            content.numbers += blank
            blank = []
        if len(row) == len(header):
            content.rows.append(row)
            content.numbers.append(number)
        else:
            lengths.add(len(row))
            content.mistakes.append((number, _wrong_length(header, row)))
    if not content.rows and len(content.mistakes) > 1 and len(lengths) == 1:
        text = f"must be a header of {lengths.pop()} names like the fields of every row below, got {len(header)}"
        raise DataError(f"{path}:{start}: {text}: {', '.join(header[:5])}")
    return content


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            todo = "name it .parquet" if kind == "a Parquet file" else "save the table as CSV in UTF-8"
            raise DataError(f"{path}: must be text in UTF-8, got {kind}: {todo}")
    for mark, encoding in _ENCODINGS.items():
        if content.startswith(mark):
            raise DataError(f"{path}:1: must be text in UTF-8, got {encoding}: save it as CSV in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"0x{content[error.start]:02x}"
        raise DataError(
            f"{path}:{line}: must be text in UTF-8, got the byte {byte}: save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path}:{line}: must be text in UTF-8, got a NUL character: save it as CSV in UTF-8")
    if (start := text.lstrip()[:1]) in ("<", "{"):
        kind = "HTML or XML" if start == "<" else "JSON"
        raise DataError(f"{path}:1: must be CSV, got what looks like {kind}: save the table as CSV in UTF-8")
    return text


def _lines(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each row. A row with line breaks in quotes has the number of its first."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{start}: cannot be read as CSV: {error}") from error


def _header_slips(header: Sequence[str], following: Sequence[str] | None) -> Iterator[str]:
    """Yield everything that is wrong with a header.

    Args:
        header: Names, without spaces around them.
        following: First row below, or None.
    """
    longer = following is not None and len(following) > len(header)
    if header[0].lower().startswith("sep=") or (header[0].startswith(("#", "//", "%")) and _unlike(header, following)):
        yield f"must be the header, got {', '.join(header)!r}, which looks like a comment: remove this line"
        return
    if len(header) == 1:
        if separator := next((mark for mark in _SEPARATORS if mark in header[0]), None):
            yield f"columns must be separated by commas, got {_SEPARATORS[separator]}: save it with commas"
            return
        if longer:
            yield (
                f"must be the header, got the single name {header[0]!r} above rows of {len(following or ())} fields: "
                "remove the lines above the header"
            )
            return
        pieces = len(header[0].split())
        if pieces > 1 and following is not None and len(following) == 1 and len(following[0].split()) == pieces:
            yield f"columns must be separated by commas, got spaces in {header[0]!r}: save it with commas"
            return
    if header[-1] == "" and len(header) > 1:
        yield "every column must have a name, got a comma at the end of the header: remove it from each line"
    if nameless := [index + 1 for index, name in enumerate(header[:-1]) if name == "" and index]:
        places = f"column{'s' * (len(nameless) > 1)} {', '.join(map(str, nameless))}"
        yield f"every column must have a name, got none for {places}: name {'it' if len(nameless) == 1 else 'them'}"
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        yield f"column names must be unique, got several columns named {', '.join(twice)}: rename them"
    if broken := [name for name in header if not name.isprintable()]:
        yield f"column names must have no line breaks or control characters, got {', '.join(map(repr, broken))}"
    if _is_data(header):
        yield f"must be the header, got the numbers {', '.join(header[:5])}: add a line with the names of the columns"


def _unlike(header: Sequence[str], following: Sequence[str] | None) -> bool:
    """Return whether a first line does not fit the row below, as a header that begins with "#" would."""
    return following is None or len(header) != len(following)


def _is_data(header: Sequence[str]) -> bool:
    """Return whether the names are numbers, as in a file without a header. Ascending whole numbers can be names."""
    numbers = [value for name in header if (value := as_number(name)) is not None]
    ascending = all(value.is_integer() for value in numbers) and numbers == sorted(set(numbers))
    return len(header) > 1 and 2 * len(numbers) >= len(header) and not ascending


def _wrong_length(header: Sequence[str], row: Sequence[str]) -> str:
    text = f"must have {len(header)} fields like the header, got {len(row)}"
    if len(row) == len(header) + 1 and not row[-1].strip():
        return f"{text}: remove the comma at its end"
    if len(row) == len(header) + 1:
        return f"{text}: a text with a comma needs quotes, a decimal comma must be a point, a row name needs a column"
    return text
