"""Names and places that a user chooses: which are refused, and what reaches other programs."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from groupdir.command_line.next_command import next_command
from groupdir.config import TrialConfig, load_space
from groupdir.config.benchmark import load_benchmark
from groupdir.errors import ConfigError
from groupdir.files.storage import Place
from groupdir.names import MOST_NAME_BYTES, check_name, check_place, plain_name, without_keys

REFUSED = ["", "../x", "a/b", "a\\b", "..", ".", ".x", "-rf", " a", "a ", "a\nb", "a\0b", "a\x1bb", "\u2028", "\ud800"]
REFUSED += ["x" * (MOST_NAME_BYTES + 1), "ü" * (MOST_NAME_BYTES // 2 + 1)]
ACCEPTED = [
    "a",
    "a b",
    "$(touch x)",
    "`x`",
    "[bold]",
    "con",
    "ü",
    "日本",
    "a'b",
    'a"b',
    "a*b",
    "a;b",
    "x" * MOST_NAME_BYTES,
]
SECRETS = [
    "s3://KEYAKIA:s3cr3t@bucket/x",
    "s3://bucket/x?secret_key=s3cr3t",
    "s3://bucket/x?region=eu&access_key=KEYAKIA&secret_key=s3cr3t",
    "s3://bucket?session%5Ftoken=s3cr3t",
    "gs://bucket/x?X-Goog-Signature=s3cr3t",
    "https://user:s3cr3t@host/x",
]
SPACE = Path("search_spaces/digits.yaml")


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be a"):
        check_name(name)


@pytest.mark.parametrize("name", [3, None, ["a"]])
def test_a_name_is_a_text(name: object) -> None:
    with pytest.raises(ValueError, match="must be a string"):
        check_name(name)


@pytest.mark.parametrize("name", ACCEPTED)
def test_names_that_are_accepted_are_plain_for_other_programs(name: str) -> None:
    assert check_name(name) == name
    assert re.fullmatch(r"[A-Za-z0-9_][\w.+=,-]*", plain_name(name), re.ASCII)
    assert plain_name(name) == name or len(plain_name(name).encode()) <= 255


def test_different_names_stay_different() -> None:
    assert len({plain_name(name) for name in [*ACCEPTED, "a_b", "a?b"]}) == len(ACCEPTED) + 2


@pytest.mark.parametrize("name", ["../x", "-rf", ".", "''", '"a\\nb"', "3", "x" * 201])
def test_the_name_of_a_study_or_benchmark_is_checked_with_its_line(tmp_path: Path, name: str) -> None:
    text = SPACE.read_text(encoding="utf-8").replace("name: digits", f"name: {name}", 1)
    (tmp_path / "space.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"space\.yaml:3: name: must be a"):
        load_space(tmp_path / "space.yaml")
    grid = f"name: {name}\ndata: {{name: digits}}\nencoder: {{name: convnet}}\nmethod: {{name: vanilla}}\n"
    (tmp_path / "grid.yaml").write_text(grid + "grid: {train.epochs: [1, 2]}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"grid\.yaml:1: name: must be a"):
        load_benchmark(tmp_path / "grid.yaml")


@pytest.mark.parametrize("label", ["..", "confirmed", "block_2", "benchmark.yaml", "-x", "''", '"a\\nb"', "x" * 201])
def test_the_label_of_a_row_is_no_folder_of_the_benchmark(tmp_path: Path, label: str) -> None:
    text = "name: a\ndata: {name: digits}\nencoder: {name: convnet}\ntrain: {epochs: 2}\n"
    (tmp_path / "vanilla.yaml").write_text("method: {name: vanilla}\n", encoding="utf-8")
    (tmp_path / "rows.yaml").write_text(f"{text}rows:\n  {label}: vanilla.yaml\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"rows\.yaml:6: rows\..*: the label of a row must"):
        load_benchmark(tmp_path / "rows.yaml")


def test_a_long_cell_of_a_grid_has_a_folder(tmp_path: Path) -> None:
    text = "data: {name: digits}\nencoder: {name: convnet}\nmethod: {name: vanilla}\n"
    grid = "grid: {optim.betas: [[0.1234567890123456, 0.1234567890123456]], train.epochs: [1, 2]}\n"
    (tmp_path / "grid.yaml").write_text(text + grid.replace("optim.betas", "optim.lr").replace(
        "[[0.1234567890123456, 0.1234567890123456]]", "[0.001]"), encoding="utf-8")  # fmt: skip
    (row, _) = load_benchmark(tmp_path / "grid.yaml").rows
    long = type(row)("x=" + "ü" * 300)
    assert len(long.folder.encode()) <= MOST_NAME_BYTES
    assert long.folder != type(row)("x=" + "ü" * 301).folder


@pytest.mark.parametrize(
    "change", ['search.ablations={"a\\nb": {}}', "search.ablations={'': {}}", 'search.storage_path="/a\\nb"']
)
def test_labels_and_places_are_one_line(change: str) -> None:
    with pytest.raises(ConfigError, match=r"digits\.yaml:\d+: search\..*: must be"):
        load_space(SPACE, [change])


@pytest.mark.parametrize("uri", SECRETS)
def test_keys_in_a_uri_are_refused_and_masked(uri: str, tmp_path: Path) -> None:
    changes = [
        f"search.storage_path={uri}",
        f"data.root={uri}",
        f"search.warm_start=['{uri}']",
        f"search.ablations={{a: {{data.root: '{uri}'}}}}",
        f"search={uri}",
        f"nothing.at.all={uri}",
    ]
    messages = []
    for change in changes:
        with pytest.raises(ConfigError) as refused:
            load_space(SPACE, [change])
        messages.append(str(refused.value))
    with pytest.raises(ConfigError) as refused:
        Place.at(uri)
    messages += [str(refused.value), next_command("resume", uri), without_keys(uri)]
    assert not [text for text in messages if "s3cr3t" in text or "KEYAKIA" in text], messages
    assert all("must not contain keys" in text for text in messages[:-2])
    assert "AWS_SECRET_ACCESS_KEY" in messages[0]


def test_keys_in_an_environment_variable_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "s3://KEYAKIA:s3cr3t@bucket")
    with pytest.raises(ConfigError, match=r"search\.storage_path: must not contain keys") as refused:
        load_space(SPACE, ["search.storage_path=${STORE}/x"])
    assert "s3cr3t" not in str(refused.value)


def test_keys_in_a_configuration_from_elsewhere_are_refused() -> None:
    data = {
        "data": {"name": "digits", "root": SECRETS[0]},
        "encoder": {"name": "convnet"},
        "method": {"name": "vanilla"},
    }
    with pytest.raises(ConfigError, match=r"data\.root: must not contain keys") as refused:
        TrialConfig.from_dict(data)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "place", ["s3://bucket/x?region=eu&scheme=http", "s3://bucket", "/mnt/a@b:c/x", "a?key=1", "s3://@b"]
)
def test_places_without_keys_are_accepted(place: str) -> None:
    assert check_place(place) == place


@pytest.mark.parametrize("argument", [*ACCEPTED, "a\nb", "a\x1b[31m", "a'\nb\\", "é\n1"])
def test_printed_commands_can_be_pasted_into_bash(argument: str, tmp_path: Path) -> None:
    command = next_command("resume", Path(argument), argument)
    assert command.isprintable()
    line = command.replace("groupdir", "printf '%s\\0'", 1)
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.split("\0")[:-1] == ["resume", str(Path(argument)), argument]
    assert not list(tmp_path.iterdir())


def test_a_file_that_looks_like_an_option_stays_a_file() -> None:
    assert shlex.split(next_command("train", Path("-x.yaml"))) == ["groupdir", "train", "./-x.yaml"]
