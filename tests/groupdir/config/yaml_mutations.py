"""Random damage to YAML files: to their bytes, and to the values in them."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import yaml

PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
BOMB = "&a [x, x, x], " + ", ".join(f"&{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in PAIRS)  # 3 * 9**8 values
HOSTILE = (
    "[]", "{}", "null", "~", "''", "' '", "true", "-1", "0", "1", "1.5", "1e400", "1e-400", "-0.0", ".nan", "-.inf",
    "9" * 19, "9" * 30, "9" * 5000, "0x" + "f" * 40, "017", "0o17", "1:30:00", "1_000", "2020-01-01", "2020-13-45",
    "2020-01-01T10:00:00Z", "!!timestamp 2020-99-99", r'"\0"', r'"\ud800"', r'"\x1b[2J"', r'"a\nb"', r'"\U00110000"',
    "&x [*x]", "&x {a: *x}", "[" * 200 + "]" * 200, "{a: " * 100 + "1" + "}" * 100, f"[{BOMB}]",
    "{choice: [" + ", ".join(map(str, range(100_000))) + "]}", "{choice: [" + ", ".join(map(str, range(2_000))) + "]}",
    "{choice: [" + ", ".join(map(str, range(200))) + "]}", "x" * 100_000, "'" + "(" * 5_000 + "'",
    "!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!binary aGk=", "!!set {a, b}",
    "!!omap [a: 1]", "!!pairs [a: 1]", "!!int x", "!!map x", "!foo {a: 1}", "{<<: 3}", "{<<: [{a: 1}, {b: 2}]}",
    "{? [a] : 1}", "{1: 2, true: 3, null: 4}", "{a: 1, a: 2}", "{'': 1}", "{a.b: 1}", "{choice: []}", "{choice: 3}",
    "{choice: [{}, {}]}", "{choice: [[1], [1]]}", "{choice: [{choice: [1]}]}", "{choise: [1, 2]}", "{choice: [.nan]}",
    "{choice: [false, 0]}", "{uniform: [1, 2], step: 10}", "{uniform: [a, b]}", "{uniform: [-1e308, 1e308]}",
    "{log_uniform: [-1, 1]}", "{int_range: [0, 9223372036854775807]}", "{int_range: [1, 3], log: maybe}",
    "{int_range: [1, 3], 5: 6}", "{by: seed, cases: {0: 1}}", "{by: a.b, cases: 3}", "{by: method.groups, cases: {}}",
    "{by: 3, cases: {}}", "[1, [2, [3]]]", "{name: null}", "{name: 3}", "{name: [x]}", "{name: {}}", "os:system", ":",
    "a:b", "nosuch.module:Class", "json:JSONDecoder", "..:x", "groupdir.errors:ConfigError", "groupdir:nosuch",
    "${HOME}", "${NO_SUCH_VARIABLE}", "${}", "~nosuchuser/x", "../../../etc/passwd", "/", "s3://KEY:SECRET@bucket/x",
    "s3://bucket/x?secret_key=SECRET", "'[bold]x[/]'", "'[/nosuch]'", "-rf", "$(touch x)", ".", "con", "ü" * 250,
)  # fmt: skip
"""Texts of YAML values that no configuration should need, or that need care."""

TOKENS = (
    ":", "-", "{", "}", "[", "]", ",", "#", "'", '"', "|", ">", "&a ", "*a", "!", "%", "@", "`", "\t", "\r", "\n",
    "---\n", "...\n", "? ", "<<: ", "\x00", "\ufeff", "\u2028", "\x85", "é", "😀", "  ", ": ", "- ", "\x1b",
    "%YAML 3\n",
)  # fmt: skip
MOST_PLACES = 1_000
_HERE = "here-is-the-value"


def mutated(text: str, seed: int) -> bytes:
    """Return the bytes of a YAML file after one to three random changes."""
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 2, 3])):
        text = (_changed_value if rng.random() < 0.6 else _changed_text)(text, rng)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        place = rng.randrange(len(content) + 1)
        content = content[:place] + rng.randbytes(rng.choice([1, 1, 2, 50])) + content[place:]
    return content


def _changed_text(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.choice([0, 1, 1, 2, 5, 40, 400]))
    kind = rng.randrange(4)
    if kind == 0:
        return text[:start] + text[end:]
    if kind == 1:
        return text[:start] + rng.choice(TOKENS) + text[end if rng.random() < 0.3 else start :]
    if kind == 2:
        return text[:end] + text[start:end] * rng.choice([1, 2, 30]) + text[end:]
    lines = text.splitlines(keepends=True) or [""]
    line = rng.randrange(len(lines))
    lines[line] = rng.choice(["  ", " ", "    ", "- ", "# "]) + lines[line]
    return "".join(lines)


def _changed_value(text: str, rng: random.Random) -> str:
    """Replace, remove, move or rename one value of the text, or change the text if it is no YAML any more."""
    try:
        data = yaml.safe_load(text)
        places = list(itertools.islice(_places(data), MOST_PLACES))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return _changed_text(text, rng)
    if not 0 < len(places) < MOST_PLACES:  # also a text that an earlier change has made huge
        return _changed_text(text, rng)
    holder, key = rng.choice(places)
    kind = rng.randrange(10)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice([f"{key}x", "", "name", "search", "data.train", 3, True, None])] = holder.pop(key)
    elif kind == 2:
        other_holder, other = rng.choice(places)
        holder[key] = yaml.safe_load(yaml.safe_dump(other_holder.get(other) if isinstance(other_holder, dict) else 1))
    elif kind == 3:
        holder[key] = [holder[key]]
    elif kind == 4:
        holder[key] = {rng.choice(["choice", "uniform", "int_range", "log_uniform", "name", "by"]): holder[key]}
    else:
        holder[key] = _HERE
    dumped = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10_000)
    return re.sub(_HERE, lambda _: rng.choice(HOSTILE), dumped)


def _places(data: Any, depth: int = 0) -> Any:
    """Yield the holder and the key of every value inside parsed YAML."""
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else []
    for key in keys:
        yield data, key
        if depth < 20:
            yield from _places(data[key], depth + 1)
