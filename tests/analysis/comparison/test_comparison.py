"""Comparison of configurations: the rows against loops by hand and scipy, verdicts, statements, several data sets."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, wilcoxon

from analysis.comparison.comparison import Comparison, compare
from analysis.comparison.inputs import read_inputs
from analysis.comparison.pairs import OVER_ALL, Pair
from groupdir.bootstrap.hierarchical import resample
from groupdir.commands.plans import Plan
from groupdir.commands.verdict import verdict_lines
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, Reading
from groupdir.metrics import METRICS, shot_metrics
from tests.analysis.comparison.predictions import SHOTS, TARGET, write_file, write_run


def pair_of(comparison: Comparison, metric: str, shot: str, data: str = "digits") -> Pair:
    (pair,) = [pair for pair in comparison.pairs if (pair.data, pair.metric, pair.shot) == (data, metric, shot)]
    return pair


def runs(folder: Path, *names: str, **options: object) -> list[str]:
    return [str(write_run(folder / name, **options)) for name in names]  # type: ignore[arg-type]


def test_every_metric_and_shot_is_that_of_the_predictions(tmp_path: Path) -> None:
    inputs = runs(tmp_path, "a", "b", seeds=range(6), noise=2.0)
    comparison = compare(inputs, draws=200)
    of_seed = {
        (training.label, training.seed): shot_metrics(training.prediction, training.target, SHOTS)
        for training in read_inputs(inputs, "test")
    }
    cells = {(pair.metric, pair.shot) for pair in comparison.pairs}
    assert {f"{metric}_{shot}" for metric, shot in cells} == set(of_seed["a", 0])
    for metric, shot in cells:
        pair = pair_of(comparison, metric, shot)
        first, second = ([of_seed[label, seed][f"{metric}_{shot}"] for seed in range(6)] for label in "ab")
        assert pair.values == pytest.approx((sum(first) / 6, sum(second) / 6))
        assert pair.difference.value == pytest.approx(sum(first) / 6 - sum(second) / 6)
        differences = np.subtract(first, second)
        assert pair.ranks.p == pytest.approx(wilcoxon(differences).pvalue)
        assert pair.ranks.effect == pytest.approx(differences.mean() / differences.std(ddof=1))
        assert pair.difference.low < pair.difference.value < pair.difference.high


def test_the_family_is_the_pairs_and_shots_of_a_metric(tmp_path: Path) -> None:
    comparison = compare(runs(tmp_path, "a", "b", "c"), metrics=["mae"], draws=200)
    assert {pair.family for pair in comparison.pairs} == {12}
    smallest = min(comparison.pairs, key=lambda pair: pair.difference.p)
    assert smallest.p_holm == pytest.approx(min(1.0, 12 * smallest.difference.p))


def test_a_verdict_knows_which_direction_is_better(tmp_path: Path) -> None:
    inputs = [str(write_run(tmp_path / "good")), str(write_run(tmp_path / "bad", error=8.0))]
    comparison = compare(inputs, draws=1_000)
    for metric in METRICS.values():
        if metric.compares == "values":
            pair = pair_of(comparison, metric.name, "all")
            assert pair.verdict == "better", metric.name
            assert np.sign(pair.difference.value) == -metric.sign
    assert {pair.verdict for pair in compare(inputs[::-1], draws=1_000).pairs if pair.shot == "all"} == {"worse"}


def test_equal_configurations_are_not_told_apart(tmp_path: Path) -> None:
    for number in range(10):
        pairs = compare(runs(tmp_path / str(number), "a", "b"), metrics=["mae"], draws=400, seed=number).pairs
        assert {pair.verdict for pair in pairs} == {"not shown"}


@pytest.mark.slow
def test_two_equal_methods_are_called_different_in_five_per_cent_of_tables(tmp_path: Path) -> None:
    """A table has four tests, whose family Holm corrects. The seed moves the size of the errors, as real ones do."""
    rng = np.random.default_rng(0)
    repeats, different = 300, 0
    for number in range(repeats):
        files = []
        for label in "ab":
            sizes = 2 + 0.4 * rng.normal(size=5)
            by_seed = {seed: TARGET + size * rng.normal(size=len(TARGET)) for seed, size in enumerate(sizes)}
            files.append(f"{label}={write_file(tmp_path / f'{label}.parquet', TARGET, by_seed)}")
        pairs = compare(files, metrics=["mae"], draws=1_000, seed=number).pairs
        different += any(pair.verdict != "not shown" for pair in pairs)
    assert different / repeats <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / repeats)


def statements(*inputs: str, **options: object) -> str:
    return "\n".join(compare(list(inputs), **{"draws": 2_000, **options}).statements)  # type: ignore[arg-type]


def test_what_limits_a_comparison_is_said(tmp_path: Path) -> None:
    assert "digits: one seed. The intervals hold for these trained models only" in statements(
        *runs(tmp_path / "1", "a", "b", seeds=[3])
    )
    five = runs(tmp_path / "5", "a", "b")
    assert "digits: 5 seeds. No p-value of Wilcoxon's test can be below 0.0625" in statements(*five)
    assert not statements(*runs(tmp_path / "6", "a", "b", seeds=range(6)))
    more = runs(tmp_path / "more", "c", seeds=range(7))
    assert "digits: seeds 5, 6 of c are left out: another one lacks them." in statements(*five, *more)
    assert "With 100 draws no difference can be shown" in statements(*five, draws=100)
    mine = write_file(tmp_path / "mine.parquet", TARGET, {0: TARGET + 1, 1: TARGET + 2}, footer={})
    assert "no file states the shots, so only the metrics of all samples" in statements(f"a={mine}", f"b={mine}")


def test_the_readers_of_the_test_split_are_said(tmp_path: Path) -> None:
    """The ledger is above the folder of a run. Two configurations are compared, and a third has read the split."""
    inputs = []
    for name in ("a", "b"):
        folder = write_run(
            tmp_path / "results" / f"run_{name}" / name, footer={"configuration": name, "samples": "12ab"}
        )
        inputs.append(str(folder))
    for name in ("a", "b", "c"):
        ledger = Ledger.of(None, tmp_path / "results" / "run_a")
        assert ledger.record(Reading.now("digits", "12ab", name, 0, name, "groupdir train")) is None
    text = statements(*inputs)
    assert "digits: test split of digits: read by 3 configurations (1 of them not in this table), first on" in text
    validation = [str(write_run(tmp_path / "val" / name, split=["val"] * len(TARGET))) for name in "ab"]
    assert "test split" not in statements(*validation, split="val")


def test_a_shot_without_samples_is_said_and_left_out(tmp_path: Path) -> None:
    inputs = runs(tmp_path, "a", "b", target=np.concatenate([TARGET[:80], [25.0]]).astype(np.float32))
    comparison = compare(inputs, draws=200)
    assert "digits: few: Pearson cannot be computed for every configuration from these 1 samples" in "\n".join(
        comparison.statements
    )
    assert {pair.metric for pair in comparison.pairs if pair.shot == "few"} == {"mae", "gm", "mse", "bmae"}
    inputs = runs(tmp_path / "none", "a", "b", target=TARGET[:80])
    comparison = compare(inputs, draws=200)
    assert "digits: no sample is few-shot, so nothing is compared there." in comparison.statements
    assert {pair.shot for pair in comparison.pairs} == {"all", "many", "median"}


def several(folder: Path, count: int, errors: dict[str, float]) -> list[str]:
    return [
        f"{label}={write_run(folder / str(draw) / label, error=error, seeds=[draw], target=np.roll(TARGET, 4 * draw))}"
        for draw in range(count)
        for label, error in errors.items()
    ]


def test_several_data_sets_are_ranked(tmp_path: Path) -> None:
    errors = {"a": 0.0, "b": 0.1, "c": 3.0}
    comparison = compare(several(tmp_path, 7, errors), metrics=["mae", "pearson"], draws=200)
    assert [block.name for block in comparison.blocks] == [f"digits {number}" for number in range(1, 8)]
    for metric, shot in itertools.product(["mae", "pearson"], ["all", "few"]):
        table = np.array(
            [
                [np.mean([METRICS[metric].of(row[members], block.target.astype(float)[members]) for row in rows])
                 for rows in block.predictions]
                for block in comparison.blocks
                for members in [block.members()[shot]]
            ]
        )  # fmt: skip
        ranks = comparison.ranks[metric, shot]
        expected = rankdata(METRICS[metric].sign * table, axis=1).mean(axis=0)
        assert dict(zip(ranks.labels, ranks.ranks, strict=True)) == pytest.approx(
            dict(zip(errors, expected, strict=True))
        )
        over = [pair for pair in comparison.pairs if (pair.data, pair.metric, pair.shot) == (OVER_ALL, metric, shot)]
        assert [pair.ranks.p for pair in over] == pytest.approx(
            [wilcoxon(table[:, i] - table[:, j]).pvalue for i, j in [(0, 1), (0, 2), (1, 2)]]
        )
    assert comparison.ranks["mae", "all"].labels[-1] == "c"


def test_over_data_sets_the_corrected_signed_ranks_decide(tmp_path: Path) -> None:
    comparison = compare(several(tmp_path, 10, {"a": 0.0, "c": 5.0}), metrics=["mae"], draws=200)
    pair = pair_of(comparison, "mae", "all", OVER_ALL)
    assert pair.ranks.p == pytest.approx(2 / 2**10)
    assert (pair.verdict, pair.family) == ("better", 4)


def test_a_data_set_without_a_shot_is_left_out_of_its_ranks(tmp_path: Path) -> None:
    inputs = several(tmp_path, 3, {"a": 0.0, "b": 1.0})
    inputs += [f"{label}={write_run(tmp_path / 'short' / label, target=TARGET[:80])}" for label in "ab"]
    comparison = compare(inputs, metrics=["mae"], draws=200)
    assert (comparison.ranks["mae", "few"].data_sets, comparison.ranks["mae", "all"].data_sets) == (3, 4)
    assert "Over all data sets, few: 3 of 4 data sets have values." in comparison.statements


def test_more_than_ten_are_refused_with_the_critical_difference(tmp_path: Path) -> None:
    file = write_file(tmp_path / "one.parquet", TARGET, {0: TARGET + 1})
    draws = [
        write_file(tmp_path / f"{n}.parquet", np.roll(TARGET, 4 * n), {0: np.roll(TARGET, 4 * n)}) for n in range(10)
    ]
    with pytest.raises(
        DataError, match=r"at most 10 configurations, got 30: average ranks over 10 data sets must differ by 14\.8"
    ):
        compare([f"m{number}={path}" for number in range(30) for path in draws])
    with pytest.raises(DataError, match=r"got 11: 55 pairs leave no difference .* Choose at most 10 finalists"):
        compare([f"m{number}={file}" for number in range(11)])


def test_the_verdicts_are_those_of_groupdir_train(tmp_path: Path) -> None:
    """Both correct for all pairs and shots, whatever the order of the configurations."""
    errors = {"c": 0.0, "a": 0.35, "b": 0.2}
    for label, error in errors.items():
        write_run(tmp_path / label, error, seeds=range(6), luck=0.01)
    comparison = compare([str(tmp_path / label) for label in sorted(errors)], metrics=["mae"])
    config = TrialConfig.from_dict(
        {"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
    )
    read = {item.label: [] for item in read_inputs([str(tmp_path / label) for label in errors], "test")}
    for item in read_inputs([str(tmp_path / label) for label in errors], "test"):
        read[item.label].append(item.prediction)
    predictions = np.stack([read[label] for label in errors])
    members = comparison.blocks[0].members()
    by_shot = {
        shot: resample([METRICS["mae"]], predictions[:, :, chosen], TARGET[chosen].astype(float))["mae"]
        for shot, chosen in members.items()
        if chosen.any()
    }
    lines = verdict_lines([Plan(label, config) for label in errors], by_shot)
    shown = {line.partition(" by ")[0] for line in lines if line.startswith("shown")}
    expected = set()
    for pair in comparison.pairs:
        if "c" in (pair.first, pair.second) and pair.verdict != "not shown":
            best, other = (pair.first, pair.second) if pair.verdict == "better" else (pair.second, pair.first)
            expected.add(f"shown, {pair.shot}: {best} is better than {other}")
    assert shown == expected
    assert 0 < len(shown) < 8, "some are shown, and some are not"
