"""Split files: made once for all targets of a list, valid for ever, and refused where anything in them differs."""

import csv
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.config.datasets import ImagesConfig, TabularConfig
from groupdir.data.base import SplitName
from groupdir.data.own.images import Images
from groupdir.data.own.split import SplitRule
from groupdir.data.own.split_file import ListedRows, own_split, read_split_file, split_file
from groupdir.data.own.tabular import Tabular
from groupdir.errors import DataError

RULE = SplitRule(bin_width=1)
KEYS = [f"é {k}.jpg" for k in range(200)]
Y = np.array([3.0] * 120 + [5.5] * 60 + [-2.0] * 14 + [9.0] * 4 + [70.0] * 2, dtype=np.float32)
ROWS = ListedRows(KEYS, Y)
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def old_file(path: Path, keys: list[str], y: np.ndarray, splits: tuple[SplitName, ...], rule: SplitRule = RULE) -> None:
    """Write a split file as versions without a target and a checksum did."""
    text = f"min(n // 3, {rule.most}) of the n rows of each bin of {rule.bin_width:g}"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# groupdir: val and test have {text}; seed {rule.seed}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "target", "split"])
        writer.writerows(zip(keys, map(str, y.tolist()), splits, strict=True))


def test_the_file_is_written_once_and_read_again(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.v2.csv"
    found = own_split(manifest, ROWS, RULE)
    path = split_file(manifest, RULE)
    assert [file.name for file in tmp_path.iterdir()] == ["faces.v2.split.csv"]
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0].startswith(
        "# groupdir: val and test have min(n // 3, 30) of the n rows of each bin of 1; seed 666;"
    )
    assert lines[1:3] == ["row,target,split", f"é 0.jpg,3.0,{found[0]}"]
    before = path.stat().st_mtime_ns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own_split(manifest, ListedRows(KEYS[::-1], Y[::-1]), RULE) == found[::-1]
    assert path.stat().st_mtime_ns == before


def test_each_seed_has_its_own_file(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    first, second = (own_split(manifest, ROWS, SplitRule(1, 30, seed)) for seed in (666, 7))
    assert first != second
    assert {file.name for file in tmp_path.iterdir()} == {"faces.split.csv", "faces.split-7.csv"}
    assert own_split(manifest, ROWS, RULE) == first, "the first split is still there"


def test_other_rules_have_files_of_their_own_and_say_so(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    groups = [f"p{k // 4}" for k in range(200)]
    first = own_split(manifest, ROWS, RULE)
    rules = [SplitRule(1, 20), SplitRule(1, group="per/son"), SplitRule(1, 20, group="per/son")]
    found = []
    for rule in rules:
        with pytest.warns(UserWarning, match=r"this new split differs from faces\.split"):
            found.append(own_split(manifest, ListedRows(KEYS, Y, groups if rule.group else None), rule))
    names = ["faces.split-most20-by-per_son.csv", "faces.split-most20.csv", "faces.split-most30-by-per_son.csv"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [*names, "faces.split.csv"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own_split(manifest, ROWS, RULE) == first
        for rule, splits in zip(rules, found, strict=True):
            assert own_split(manifest, ListedRows(KEYS, Y, groups if rule.group else None), rule) == splits


def test_another_target_and_bin_width_share_the_split(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    first = own_split(manifest, ROWS, SplitRule(1, target="age"))
    other = ListedRows(KEYS, np.arange(200, dtype=np.float32))
    with pytest.warns(UserWarning, match=r"bins of 1 of the target 'age' for which .* not over bins of 5 of 'weight'"):
        assert own_split(manifest, other, SplitRule(5, target="weight")) == first
    with pytest.warns(UserWarning, match="set data.split_file to another file"):
        assert own_split(manifest, ROWS, SplitRule(2, target="age")) == first
    assert [file.name for file in tmp_path.iterdir()] == ["faces.split.csv"]
    alone = own_split(manifest, other, SplitRule(5, target="weight"), tmp_path / "weight.csv")
    assert alone != first
    with pytest.raises(DataError, match=r"weight\.csv:1: must be a split .* \(split_seed 3, .* got split_seed 666"):
        own_split(manifest, other, SplitRule(5, seed=3, target="weight"), tmp_path / "weight.csv")


def test_old_files_stay_valid_for_every_target(tmp_path: Path) -> None:
    manifest, path = tmp_path / "faces.csv", tmp_path / "faces.split.csv"
    splits = RULE.split(KEYS, Y)
    old_file(path, KEYS, Y, splits)
    columns = {"file": KEYS, "age": [f" {value:g}" for value in Y.tolist()], "weight": [str(k) for k in range(200)]}
    weights = ListedRows(KEYS, np.arange(200, dtype=np.float64), None, columns)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own_split(manifest, ListedRows(KEYS, Y.astype(np.float64), None, columns), RULE) == splits
        assert own_split(manifest, weights, SplitRule(1, target="weight")) == splits
    tenths = np.array([0.1, 0.3, 0.7] * 4, dtype=np.float64)
    old_file(path, KEYS[:12], tenths.astype(np.float32), ("train", "val", "test") * 4)
    assert own_split(manifest, ListedRows(KEYS[:12], tenths), RULE) == ("train", "val", "test") * 4
    changed = {**columns, "age": ["1", *columns["age"][1:]]}
    old_file(path, KEYS, Y, splits)
    with pytest.raises(DataError, match="200 with another target"):
        own_split(manifest, ListedRows(KEYS, Y + np.float32(1), None, changed), RULE)


def refused(tmp_path: Path, listed: ListedRows, rule: SplitRule = RULE) -> str:
    with pytest.raises(DataError) as error:
        own_split(tmp_path / "faces.csv", listed, rule)
    assert str(error.value).startswith(f"{tmp_path}/faces.split.csv:")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("old", [False, True])
def test_a_manifest_that_changed_is_refused(old: bool, tmp_path: Path) -> None:
    if old:
        old_file(tmp_path / "faces.split.csv", KEYS, Y, RULE.split(KEYS, Y))
    else:
        own_split(tmp_path / "faces.csv", ROWS, RULE)
    more = ListedRows([*KEYS, "new"], np.append(Y, np.float32(1)))
    assert "1 not in this file (such as new)" in refused(tmp_path, more)
    fewer = ListedRows(KEYS[1:2], Y[1:2])
    assert "199 no longer in the manifest (such as é 0.jpg)" in refused(tmp_path, fewer)
    says = refused(tmp_path, ListedRows(KEYS, Y + np.float32(0.1)))
    assert "200 with another target (such as é 0.jpg)" in says
    assert "delete this file to split again" in says


FIRST = b"# groupdir: val and test have min(n // 3, 30) of the n rows of each bin of 1; seed 666\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"row,target,split\n",
        b"# groupdir\nrow,target,split\na,1,val\n",
        FIRST + b"row,target\n",
        FIRST + b"row,target,split\na,1\n",
        FIRST + b"row,target,split\na,1,no\n",
        FIRST + b"row,target,split\na,1,dev\n",
        FIRST + b"row,target,split\na,x,val\n",
        FIRST + b"row,target,split\na,nan,val\n",
        FIRST + b"row,target,split\na,1,val\na,1,test\n",
        FIRST + b"row,target,split\na,\xff,val\n",
        FIRST + b'row,target,split\na,"1,val\n',
        FIRST.replace(b"seed 666", b"seed -1") + b"row,target,split\na,1,val\n",
        FIRST.replace(b"bin of 1", b"bin of one") + b"row,target,split\na,1,val\n",
    ],
)
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "faces.split.csv").write_bytes(content)
    assert "is not a split file of groupdir, or is broken" in refused(tmp_path, ROWS)


def test_no_flipped_cut_or_edited_file_is_used(tmp_path: Path) -> None:
    """270 single flips, 60 cuts and edits by hand: refused, or the same splits."""
    path, manifest = tmp_path / "faces.split.csv", tmp_path / "faces.csv"
    listed, rule = ListedRows(KEYS[110:150], Y[110:150]), SplitRule(1, target='a "q"\\', group="who")
    groups = ListedRows(listed.keys, listed.y, [f"p{k // 2}" for k in range(40)])
    splits = own_split(manifest, groups, rule)
    whole = path.read_bytes()
    rng = random.Random(0)
    broken = [bytearray(whole) for _ in range(270)]
    for content, bit in zip(broken, rng.sample(range(8 * len(whole)), 270), strict=True):
        content[bit // 8] ^= 1 << bit % 8
    broken += [bytearray(whole[:length]) for length in rng.sample(range(len(whole)), 60)]
    lines = whole.decode().splitlines(keepends=True)
    broken.append(bytearray("".join(lines[:-1]).encode()))  # a row less
    broken.append(bytearray(whole.decode().replace(",test\n", ",train\n", 1).encode()))
    used, refusals = 0, list[str]()
    for content in broken:
        path.write_bytes(content)
        try:
            read_split_file(path)
        except DataError as error:
            refusals.append(str(error))
            continue
        used += 1
        assert own_split(manifest, groups, rule, path) == splits
    assert all("\n" not in text and "restore it, or delete it to split again" in text for text in refusals)
    assert used < 10, "only flips that change no value, such as those of a line's end"
    path.write_bytes(whole.replace(b"\n", b"\r\n"))  # as other systems store it
    assert own_split(manifest, groups, rule) == splits
    path.write_bytes(whole.decode().replace(",test\n", ",train\n", 1).encode())
    with pytest.raises(DataError, match=r"was changed after groupdir wrote it.*column to the manifest \(data\.split\)"):
        own_split(manifest, groups, rule)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    says = refused(tmp_path, ROWS)
    assert "is read-only for this user: make it writable" in says
    assert "or set data.split_file, or add a column with train, val and test" in says
    assert not list(tmp_path.iterdir()), "nothing half written is left"


def test_of_two_processes_at_once_the_first_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process writes its file while this one computes a split of other bins."""
    manifest, path = tmp_path / "faces.csv", tmp_path / "faces.split.csv"
    theirs = own_split(manifest, ROWS, RULE)
    content = path.read_bytes()
    path.unlink()
    split = SplitRule.split

    def compute(rule: SplitRule, *arguments: Any) -> tuple[SplitName, ...]:
        path.write_bytes(content)
        return split(rule, *arguments)

    monkeypatch.setattr(SplitRule, "split", compute)
    with pytest.warns(UserWarning, match="not over bins of 5"):
        assert own_split(manifest, ROWS, SplitRule(5)) == theirs
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["faces.split.csv"]


def test_bins_too_small_for_a_split(tmp_path: Path) -> None:
    listed = ListedRows(KEYS[:6], np.arange(6, dtype=np.float32))
    with pytest.raises(DataError, match=r"faces\.csv: a split needs 3 rows in some label bin.*larger one") as error:
        own_split(tmp_path / "faces.csv", listed, SplitRule(0.5))
    assert "no bin of width 0.5 has them" in str(error.value)
    assert set(own_split(tmp_path / "faces.csv", listed, SplitRule(3.0))) == {"train", "val", "test"}


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """A table of 60 people with 3 visits each, and two columns that may be targets."""
    rng = random.Random(8)
    with (tmp_path / "p.csv").open("w", encoding="utf-8") as file:
        file.write("id,size,weight,pulse\n")
        for visit in range(180):
            file.write(f"p{visit // 3},{rng.gauss(0, 1):.4f},{rng.randint(60, 90)},{rng.randint(50, 70)}\n")
    return tmp_path


def table(root: Path, **options: Any) -> Tabular:
    return Tabular(TabularConfig(name="table", root=str(root), **{"manifest": "p.csv", "without": ["id"]} | options))


def test_one_table_serves_two_targets(patients: Path) -> None:
    first = table(patients, target="weight", bin_width=2)
    with pytest.warns(UserWarning, match="of the target 'weight' for which this split was made"):
        second = table(patients, target="pulse", bin_width=2)
    assert first.own.splits == second.own.splits
    assert [len(first.labels(split)) for split in SPLITS] == [len(second.labels(split)) for split in SPLITS]
    alone = table(patients, target="pulse", bin_width=2, split_file="pulse.split.csv")
    assert alone.own.splits != first.own.splits
    assert sorted(file.name for file in patients.iterdir()) == ["p.csv", "p.split.csv", "pulse.split.csv"]


def test_one_list_of_pictures_serves_two_targets(tmp_path: Path) -> None:
    rows = [f"{k}.png,{k % 5},{k % 7}" for k in range(70)]
    (tmp_path / "manifest.csv").write_text("\n".join(["path,target,weight", *rows]), encoding="utf-8")
    first = Images(ImagesConfig(name="images", root=str(tmp_path)))
    with pytest.warns(UserWarning, match="of the target 'target' for which this split was made"):
        second = Images(ImagesConfig(name="images", root=str(tmp_path), target="weight"))
    assert first.own.splits == second.own.splits


def test_a_group_is_kept_together_and_is_no_input(patients: Path) -> None:
    options = {"target": "weight", "group": "id", "without": []}
    data = table(patients, **options)
    ids = [f"p{visit // 3}" for visit in range(180)]
    assert len({*zip(ids, data.own.splits, strict=True)}) == 60
    assert all(len(data.labels(split)) > 0 for split in SPLITS)
    assert [column.name for column in data.columns.columns] == ["size", "pulse"]
    with pytest.raises(DataError, match=r"p\.csv:1: has no column 'ids': did you mean 'id'\?.*data\.group"):
        table(patients, **options | {"group": "ids"})
    text = (patients / "p.csv").read_text(encoding="utf-8")
    (patients / "p.csv").write_text(text.replace("\np7,", "\n,", 1).replace("\np9,", "\nNA,", 1), encoding="utf-8")
    with pytest.raises(DataError) as error:
        table(patients, **options)
    assert [line.split(": ")[1] for line in str(error.value).splitlines()] == ["id is missing"] * 2
    (patients / "p.csv").write_text(text.replace("p5", "p1"), encoding="utf-8")
    with pytest.raises(DataError, match="must have the rows of the manifest next to it"):
        table(patients, **options)


def test_groups_that_changed_since_the_split_are_refused(tmp_path: Path) -> None:
    groups, rule = [f"p{k // 4}" for k in range(200)], SplitRule(1, group="who")
    splits = own_split(tmp_path / "faces.csv", ListedRows(KEYS, Y, groups), rule)
    first, other = splits.index("train"), splits.index("test")
    married = [groups[first] if group == groups[other] else group for group in groups]
    says = refused(tmp_path, ListedRows(KEYS, Y, married), rule)
    assert f"must keep each value of 'who' in one split, got 1 in several (such as '{groups[first]}')" in says


def test_given_splits_that_break_groups_are_counted(patients: Path) -> None:
    lines = (patients / "p.csv").read_text(encoding="utf-8").splitlines()
    splits = ["train"] * 90 + ["val"] * 45 + ["test"] * 45
    splits[0], splits[1], splits[3] = "test", "val", "test"
    rows = [f"{line},{split}" for line, split in zip(lines, ["split", *splits], strict=True)]
    (patients / "p.csv").write_text("\n".join(rows), encoding="utf-8")
    with pytest.warns(UserWarning, match=r"2 of 60 values of 'id' are in several splits \(such as 'p0'\)") as told:
        table(patients, target="weight", group="id")
    (message,) = [str(item.message) for item in told]
    assert "1 of 46 val rows and 2 of 47 test rows share one with training" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table(patients, target="weight", without=["id"])
    with pytest.raises(DataError, match=r"has a column 'split', so that data\.split_file has no effect"):
        table(patients, target="weight", split_file="x.csv")


def test_too_few_groups(patients: Path) -> None:
    text = (patients / "p.csv").read_text(encoding="utf-8").replace("id,", "id,site,")
    lines = [
        line.replace(",", f",s{number % 2},", 1) if number else line for number, line in enumerate(text.split("\n"))
    ]
    (patients / "p.csv").write_text("\n".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(DataError, match=r"p\.csv: column 'site': a split by groups needs at least 3 groups, got 2"):
        table(patients, target="weight", group="site")
