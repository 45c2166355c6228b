"""Data sets of a comparison: which trainings belong together, and every set that cannot be compared."""

from pathlib import Path

import numpy as np
import pytest

from analysis.comparison.blocks import Block, make_blocks
from analysis.comparison.inputs import read_inputs
from groupdir.errors import DataError
from groupdir.shots import ShotSplit
from tests.analysis.comparison.predictions import SHOTS, TARGET, write_file, write_run


def blocks(*inputs: object) -> tuple[list[str], list[Block]]:
    return make_blocks(read_inputs([str(item) for item in inputs], "test"))


def test_common_seeds_are_compared(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a", seeds=[0, 1, 2]), write_run(tmp_path / "b", seeds=[2, 1, 7])
    names, (block,) = blocks(first, second)
    assert (names, block.name, block.seeds) == (["a", "b"], "digits", (1, 2))
    assert block.unused == {"a": [0], "b": [7]}
    assert block.predictions.shape == (2, 2, len(TARGET))
    one = read_inputs([str(second / "seed_2")], "test")[0]
    assert (block.predictions[1, 1] == one.prediction).all()
    assert {shot: int(members.sum()) for shot, members in block.members().items()} == {
        "all": 120, "many": 40, "median": 40, "few": 40
    }  # fmt: skip


def test_a_label_may_stand_for_several_data_sets_and_seeds(tmp_path: Path) -> None:
    inputs = []
    for name, target in (("digits", TARGET), ("stsb", TARGET[:50])):
        for label in ("a", "b"):
            for seeds in ([0], [1]):
                folder = tmp_path / name / label / str(seeds[0])
                write_run(folder, seeds=seeds, target=target, footer={"config": {"data": {"name": name}}})
                inputs.append(f"{label}={folder}")
    _, found = blocks(*inputs)
    assert [(block.name, block.seeds, len(block.target)) for block in found] == [
        ("digits", (0, 1), 120), ("stsb", (0, 1), 50)
    ]  # fmt: skip


def test_several_draws_of_a_data_set_are_numbered(tmp_path: Path) -> None:
    inputs = [
        f"{label}={write_run(tmp_path / f'{draw}' / label, target=np.roll(TARGET, draw))}"
        for draw in (0, 7)
        for label in "ab"
    ]
    assert [block.name for block in blocks(*inputs)[1]] == ["digits 1", "digits 2"]


def test_shots_of_one_file_serve_for_all(tmp_path: Path) -> None:
    mine = write_file(tmp_path / "mine.parquet", TARGET.astype(np.float64), {0: TARGET}, footer={})
    _, (block,) = blocks(mine, write_run(tmp_path / "a"))
    assert block.shots == SHOTS
    _, (block,) = blocks(mine, f"again={mine}")
    assert (block.shots, block.name, list(block.members())) == (None, "data set", ["all"])


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base")
    with pytest.raises(DataError, match=r"is of the only configuration, base: name at least two folders"):
        blocks(base)
    with pytest.raises(
        DataError, match=r"short.*holds predictions of other samples than .*base.*: 100 and 120 samples, 100 in common"
    ):
        blocks(base, write_run(tmp_path / "short", target=TARGET[:100]))
    with pytest.raises(
        DataError,
        match=r"moved.*has other targets than .*base.* for 30 of 120 samples, such as sample 3: 1 and 0\. Two",
    ):
        blocks(base, write_run(tmp_path / "moved", target=np.minimum(np.roll(TARGET, -1), 100)))
    with pytest.raises(
        DataError, match=r"no common seed \(base has 0, 1, 2, 3, 4; late has 5, 6\): train them with the same seeds"
    ):
        blocks(base, write_run(tmp_path / "late", seeds=[5, 6]))
    other = ShotSplit((1,), (2,), (3,))
    with pytest.raises(DataError, match=r"other_shots.*has other shots than .*base"):
        blocks(base, write_run(tmp_path / "other_shots", footer={"shots": other.to_dict()}))
    with pytest.raises(DataError, match=r"has predictions of base with seed 0, and so has "):
        blocks(base, tmp_path / "base" / "seed_0" / "predictions.parquet", write_run(tmp_path / "third"))
    changed = write_run(tmp_path / "changed", seeds=[9], footer={"configuration": "12ab"})
    with pytest.raises(DataError, match=r"is of another configuration than .*base.*both have the label base"):
        blocks(f"base={base}", f"base={changed}", write_run(tmp_path / "third"))


def test_a_missing_data_set_is_refused(tmp_path: Path) -> None:
    inputs = [f"{label}={write_run(tmp_path / 'one' / label)}" for label in "ab"]
    inputs.append(f"a={write_run(tmp_path / 'two' / 'a', target=TARGET[:40])}")
    with pytest.raises(DataError, match=r"other samples than .*two.*give b and a a folder each for every data set"):
        blocks(*inputs)


def test_equal_labels_of_other_drawn_inputs_are_another_data_set(tmp_path: Path) -> None:
    inputs = [write_run(tmp_path / name, footer={"samples": samples}) for name, samples in (("a", "11"), ("b", "22"))]
    with pytest.raises(
        DataError, match=r"has the labels of .*but other samples \(fingerprints 22 and 11\): their data"
    ):
        blocks(*inputs)
    mine = write_file(tmp_path / "mine.parquet", TARGET, {0: TARGET}, footer={})
    assert len(blocks(inputs[0], mine)[1]) == 1, "a file of another program has no fingerprint"
