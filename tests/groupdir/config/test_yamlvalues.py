"""YAML texts: what is read, what is refused with its line, and that written texts are read as they were."""

import time

import pytest

from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import MOST_CHARACTERS, MOST_TEXT, MOST_VALUES, check_plain, dump_yaml, shortened
from groupdir.errors import ConfigError

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: 1\na: &x [*x]", "f:2: a.0: must not contain itself"),
        ("a: &x {b: *x}", "f:1: a.b: must not contain itself"),
        ("a: &x {<<: *x}", "f:1: a: must not contain itself"),
        ("[" * 100_000, "at most 32 mappings and lists inside each other"),
        ("{a: " * 50_000, "at most 32 mappings and lists inside each other"),
        ("\n".join(" " * n + f"a{n}:" for n in range(200)), "at most 32 mappings and lists inside each other"),
        (BOMB, "at most 10,000 values, also where aliases repeat them"),
        (MERGES, "at most 10,000 values, also where aliases repeat them"),
        ("a: [" + "1, " * (2 * MOST_VALUES) + "]", "must have at most 10,000 values"),
        ("a: " + "x" * MOST_CHARACTERS, "f: must have at most 250,000 characters"),
        ("a: " + "x" * (MOST_TEXT + 1), "f:1: a: must be a text of at most 10,000 characters, got 10,001"),
        ("a: " + "9" * 5_000, "f:1: a: must be a whole number of at most 9223372036854775807"),
        ("a: 9223372036854775808", "f:1: a: must be a whole number of at most 9223372036854775807"),
        ('b: 1\na: "\\0"', "f:2: a: must be printable text, got the character U+0000"),
        ('a: "\\ud800"', "f:1: a: must be printable text, got the character U+D800"),
        ('"\\x1b": 1', "must be printable text, got the character U+001B"),
        ('a: "\\U00110000"', "f:1: is not valid YAML"),
        ("b: 1\na: \x00", "f:2: is not valid YAML: the character U+0000 is not allowed"),
        ("a: !!python/object/apply:os.system [true]", "f:1: a: must be a mapping, a list, a text, a number"),
        ("a: !!timestamp 2020-99-99", "got !timestamp"),
        ("a: !!set {a, b}", "got !set"),
        ("a: !!omap [a: 1]", "got !omap"),
        ("a: !!binary aGk=", "got !binary"),
        ("a: !own x", "must be a mapping, a list, a text, a number or true or false, got"),
        ("a: !!map x", "must not have the tag"),
        ("a: !!str [1]", "must be a list, got the tag"),
        ("a: !!int x", "f:1: a: must be a whole number"),
        ("a: !!bool x", "f:1: a: must be true or false, got 'x'"),
        ("? [1]\n: 2", "must have keys that are texts or numbers"),
        ("? {a: 1}\n: 2", "must have keys that are texts or numbers"),
        ("<<: 3", "f:1: <<: must be a mapping, or a list of mappings"),
        ("a: 1\nb: 2\na: 3", "f:3: a: is given twice: remove one of them"),
        ("1: a\n'1': b", "f:2: 1: is given twice"),
        ("a: 1\n---\nb: 2", "f:2: is not valid YAML"),
        ("", "f:1: must hold a mapping at its top level, got nothing"),
        ("- a", "f:1: must hold a mapping at its top level, got a list"),
        ("a", "f:1: must hold a mapping at its top level, got one value"),
    ],
    ids=range(37),
)
def test_what_is_refused_with_its_line(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(ConfigError) as refused:
        Document.parse(text, "f")
    assert message in str(refused.value)
    assert len(str(refused.value)) < 1_000
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1_000", 1000), ("0x1f", 31), ("-5", -5), (".5", 0.5), ("5.", 5.0), ("-.inf", float("-inf")),
        ("017", "017"), ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("2020-13-45", "2020-13-45"), ("=", "="),
        ("yes", True), ("~", None), ("'1'", "1"),
        ("{1: 2, true: 3, null: 4, 0.5: 5}", {"1": 2, "true": 3, "null": 4, "0.5": 5}),
        ("{<<: [{a: 1, b: 1}, {b: 2, c: 2}], c: 3}", {"a": 1, "b": 1, "c": 3}),
        ("[&x {a: 1}, *x]", [{"a": 1}, {"a": 1}]),
    ],
)  # fmt: skip
def test_what_is_read(text: str, value: object) -> None:
    assert Document.parse(f"a: {text}", "f").data == {"a": value}


@pytest.mark.parametrize(
    "text", ["1e3", "017", "1:30", "2020-01-01", "yes", "~", "=", "<<", "0x1", ".5", "1_0", "a\nb", "é", "-"]
)
def test_written_texts_stay_texts(text: str) -> None:
    assert Document.parse(dump_yaml({"a": [text], text: 1})).data == {"a": [text], text: 1}


def test_lines_are_those_of_keys_and_items() -> None:
    lines = Document.parse("a:\n  - 1\n  - b: &x {c: 2}\nd: *x\n<<: {e: 3}\n").lines
    assert lines == {(): 1, ("a",): 1, ("a", 0): 2, ("a", 1): 3, ("a", 1, "b"): 3, ("a", 1, "b", "c"): 3} | {
        ("d",): 4, ("d", "c"): 3, ("e",): 5}  # fmt: skip


def test_data_from_elsewhere_has_the_same_limits() -> None:
    itself: list[object] = []
    itself.append(itself)
    for bad in (itself, 2**63, "\0", b"x", {1: 2}, {"a": set()}, [[]] * (MOST_VALUES + 1), "s3://K:S@b/x"):
        assert list(check_plain({"a": bad})), bad
        with pytest.raises(ConfigError):
            TrialConfig.from_dict({"data": bad, "encoder": "mlp", "method": "vanilla"})
    assert not list(check_plain({"a": [1, 0.5, None, True, "x", {"b": ()}]}))


def test_long_values_are_shortened() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert len(shortened(deep)) < 50
    assert len(shortened("x" * 10_000)) <= 200
    assert shortened({"a": [1, "b"]}) == "{'a': [1, 'b']}"
