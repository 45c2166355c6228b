"""Names and addresses that a user chooses: rules for accepting them, and their form for other programs.

The name of a study becomes a folder, a job of Ray or Slurm, and a word of shell commands. `check_name` refuses names
that cannot be all of these. `plain_name` is for places that other programs read.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

MOST_NAME_BYTES = 200
"""Largest length of a name in UTF-8. File systems allow 255, and files next to a folder have a longer name."""

KEYS_REFUSED = (
    "must not contain keys, because a study keeps its configuration in many files: remove them and set the environment "
    "variables of the storage (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), got {}"
)
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,-]*")
_SECRET = re.compile(r"key|secret|token|password|passwd|credential|signature|sig$|auth", re.IGNORECASE)


def check_name(name: object) -> str:
    """Return a name that a folder can have.

    Raises:
        ValueError: If the name is no text, is empty, has separators, line breaks or control characters, starts with a
            dot, a dash or a blank, or is too long.

    >>> check_name("my study")
    'my study'
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"must be a string that can name a folder, got {name!r}")
    if text := unprintable(name):
        raise ValueError(f"must be a string that can name a folder, but {text}")
    if "/" in name or "\\" in name or name[0] in ".- " or name[-1] == " ":
        rule = "without / and \\, and not starting with a dot, a dash or a blank, nor ending with a blank"
        raise ValueError(f"must be a string that can name a folder, {rule}, got {name[:MOST_NAME_BYTES]!r}")
    if (size := len(name.encode())) > MOST_NAME_BYTES:
        raise ValueError(f"must be a name of at most {MOST_NAME_BYTES} bytes, got {size}")
    return name


def unprintable(text: str) -> str | None:
    r"""Return a message about the first character of a text that cannot be printed in a line, or None.

    >>> unprintable("a\nb")
    'it has the character U+000A'
    """
    return next((f"it has the character U+{ord(char):04X}" for char in text if not char.isprintable()), None)


def check_label(label: str) -> str:
    """Return a label that fits a line of a table.

    Raises:
        ValueError: If the label is empty or too long, or has line breaks or control characters.
    """
    if (why := unprintable(label)) or not label or len(label.encode()) > MOST_NAME_BYTES:
        text = f"must be one line of 1 to {MOST_NAME_BYTES} bytes, got {label[:MOST_NAME_BYTES]!r}"
        raise ValueError(text if why is None else f"must be one line, but {why}")
    return label


def plain_name(name: str) -> str:
    """Return the name itself if it has only ASCII letters, digits and `_ . + = , -`, else a similar name that has.

    Two different names have different plain names. No shell, regular expression, URI or batch system gives a special
    meaning to a plain name.

    >>> plain_name("table1_digits"), plain_name("my study")
    ('table1_digits', 'my_study-67549874')
    """
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_.+=,-]+', '_', name).lstrip('.-+=,') or 'study'}-{digest}"


def check_place(place: str) -> str:
    """Return a path or a URI that contains neither credentials nor unprintable characters.

    Raises:
        ValueError: If it contains some. The message does not repeat the credentials.
    """
    if text := unprintable(place):
        raise ValueError(f"must be a path or a URI, but {text}")
    if (masked := without_keys(place)) != place:
        raise ValueError(KEYS_REFUSED.format(masked))
    return place


def without_keys(text: str | Path) -> str:
    """Return a URI with `***` in place of its user, password and secret options. Other texts stay the same.

    >>> without_keys("s3://KEY:SECRET@bucket/a?secret_key=x&region=eu")
    's3://***@bucket/a?secret_key=***&region=eu'
    """
    whole = str(text)
    scheme, mark, rest = whole.partition("://")
    if not mark:
        return whole
    inside, question, query = rest.partition("?")
    server, slash, path = inside.partition("/")
    user, at, host = server.rpartition("@")
    if at and user:
        server = f"***@{host}"
    options = [
        f"{name}=***" if value and _SECRET.search(unquote(name)) else f"{name}{equals}{value}"
        for name, equals, value in (option.partition("=") for option in query.split("&"))
    ]
    return f"{scheme}{mark}{server}{slash}{path}{question}{'&'.join(options)}"
