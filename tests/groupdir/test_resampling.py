"""Resampling: sizes, geometry and labels of the new samples, and what counts as rare."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline

from groupdir.labels import LDS
from groupdir.resampling import Resampled, rare_by_count, rare_by_relevance, relevance, smogn, smoter

Bools = npt.NDArray[np.bool_]
BOTH = pytest.mark.parametrize("method", [smoter, smogn])


def data_of(number: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray, Bools]:
    """Targets 0..9, of which those above 6 are rare: two bumps."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([[0.0, 9.0], rng.choice(10, number - 2, p=[0.13] * 7 + [0.03] * 3)])
    return rng.normal(size=(number, features)), y, y > 6


def bump_sizes(y: np.ndarray, rare: Bools) -> list[int]:
    """Lengths of the runs of `rare` along the sorted targets, by a loop."""
    sizes: list[int] = []
    last = None
    for i in np.argsort(y, kind="stable"):
        if rare[i] != last:
            sizes.append(0)
        sizes[-1] += 1
        last = rare[i]
    return sizes


@BOTH
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), ratio=st.sampled_from([0.0, 0.3, 1.0]), undersample=st.booleans())
def test_every_bump_moves_towards_the_same_size(method: object, seed: int, ratio: float, undersample: bool) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 8, 60).astype(float)
    x, rare = rng.normal(size=(60, 3)), np.isin(y, rng.choice(8, 3, replace=False))
    if rare.all() or not rare.any():
        return
    new: Resampled = method(x, y, rare, np.random.default_rng(1), ratio=ratio, undersample=undersample)  # type: ignore[operator]
    sizes = bump_sizes(y, rare)
    goals = [round(n + ratio * (60 / len(sizes) - n)) for n in sizes]
    expected = [goal if goal >= n or undersample else n for n, goal in zip(sizes, goals, strict=True)]
    edges = np.cumsum([0, *sizes])
    place = np.empty(60, dtype=int)
    place[np.argsort(y, kind="stable")] = np.searchsorted(edges, np.arange(60), side="right") - 1
    assert [int((place[new.source] == b).sum()) for b in range(len(sizes))] == expected
    assert new.kept == sum(min(n, goal) if undersample else n for n, goal in zip(sizes, goals, strict=True))
    assert np.array_equal(new.x[: new.kept], x[new.source[: new.kept]])
    assert np.array_equal(new.y[: new.kept], y[new.source[: new.kept]])
    assert (np.diff(new.source[: new.kept]) > 0).all()
    times = Counter(new.source[new.kept :].tolist())
    for b in range(len(sizes)):
        made = [times[int(i)] for i in np.flatnonzero(place == b)]
        assert max(made) - min(made) <= 1, "every sample of a bump has as many descendants, or one more"


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), neighbors=st.integers(1, 4))
def test_smoter_interpolates_to_one_of_the_nearest_in_the_bump(seed: int, neighbors: int) -> None:
    x, y, rare = data_of(40, 3, seed)
    new = smoter(x, y, rare, np.random.default_rng(seed), neighbors=neighbors)
    members = np.flatnonzero(rare)
    for made, label, source in zip(new.x[new.kept :], new.y[new.kept :], new.source[new.kept :], strict=True):
        others = sorted((float(np.linalg.norm(x[i] - x[source])), i) for i in members if i != source)[:neighbors]
        fits = []
        for distance, i in others:
            share = float((made - x[source]) @ (x[i] - x[source])) / distance**2
            on_the_line = np.allclose(made, x[source] + share * (x[i] - x[source]), atol=1e-9)
            fits.append(
                on_the_line and -1e-9 <= share < 1 and abs(label - (y[source] + share * (y[i] - y[source]))) < 1e-6
            )
        assert any(fits) if others else np.array_equal(made, x[source])


def test_a_label_by_hand_and_the_mean_of_coinciding_samples() -> None:
    """A third of the way from 10 to 13 is 11. Where two rare samples coincide the label is their mean, not y + y'/2."""
    x = np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [0.5], [7.0], [7.0]])
    y = np.array([0.0, 1, 2, 3, 4, 5, 10, 13])
    new = smoter(x, y, y > 9, np.random.default_rng(0))
    assert new.y[new.kept :].tolist() == [11.5, 11.5]
    apart = np.where(y == 13, 10.0, x[:, 0])[:, None]
    new = smoter(apart, y, y > 9, np.random.default_rng(0))
    made_x, made_y = new.x[new.kept :, 0], new.y[new.kept :]
    assert made_y == pytest.approx(10 + (made_x - 7))
    assert len(set(made_x.tolist())) == 2


def test_smogn_adds_noise_where_the_neighbour_is_far() -> None:
    """Neighbours nearer than half the median distance are interpolated; the lone sample's never is."""
    rng = np.random.default_rng(0)
    cluster = np.concatenate([rng.normal(size=(30, 2)) * 0.01, rng.normal(size=(30, 2)) * 0.01 + 50])
    x = np.concatenate([rng.normal(size=(300, 2)) * 30, cluster, [[500.0, 500.0]]])
    y = np.concatenate([rng.uniform(0, 5, 300), rng.uniform(8, 9, 61)])
    new = smogn(x, y, y > 6, np.random.default_rng(1), perturbation=0.02, undersample=False)
    step = np.linalg.norm(new.x[new.kept :] - x[new.source[new.kept :]], axis=1)
    lone = new.source[new.kept :] == 360
    assert (step[~lone] < 0.1).all(), "inside a cluster"
    spread = x[y > 6].std(0)
    assert lone.sum() >= 1
    assert (step[lone] > 0).all()
    assert (step[lone] < 5 * 0.02 * np.linalg.norm(spread)).all()
    far = smogn(x, y, y > 6, np.random.default_rng(1), perturbation=0.0, undersample=False)
    assert np.array_equal(far.x[far.kept :][lone], x[[360] * int(lone.sum())])
    capped = smogn(x * 1e-4, y, y > 6, np.random.default_rng(1), perturbation=9.0, undersample=False)
    reach = np.median(np.linalg.norm(x[y > 6][:-1] - x[360], axis=1)) * 1e-4 / 2
    step = np.abs(capped.x[capped.kept :][lone] - x[360] * 1e-4) / (spread * 1e-4)
    assert (step < 5 * reach).all(), "the noise is no larger than half the median distance"


def test_the_size_of_the_noise() -> None:
    """Of two rare samples each is farther from the other than half the median distance: all is noise."""
    x = np.concatenate([np.linspace(0, 100, 9998), [40.0, 50.0]])[:, None]
    y = np.concatenate([np.linspace(0, 100, 9998), [150.0, 152.0]])
    y[5000] = 200  # room above the rare targets
    rare = (y > 120) & (y < 180)
    new = smogn(x, y, rare, np.random.default_rng(2), perturbation=0.02, undersample=False)
    seed = new.source[new.kept :]
    noise_x, noise_y = new.x[new.kept :, 0] - x[seed, 0], new.y[new.kept :] - y[seed]
    assert set(seed[y[seed] < 180].tolist()) == {9998, 9999}
    two = y[seed] < 180
    assert two.sum() > 3000
    assert noise_x[two].std() == pytest.approx(0.02 * 5, rel=0.05)
    assert noise_y[two].std() == pytest.approx(0.02 * 1, rel=0.05)
    assert abs(np.corrcoef(noise_x[two], noise_y[two])[0, 1]) < 0.1


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_shapes_and_ranges_are_kept(method: object, dtype: type) -> None:
    rng = np.random.default_rng(3)
    x = rng.random((50, 2, 3, 4)).astype(dtype)
    y = np.concatenate([np.zeros(40), np.full(5, 9.0), np.full(5, 10.0)]).astype(dtype)
    options = {"perturbation": 5.0} if method is smogn else {}
    new: Resampled = method(x, y, y > 6, rng, **options)  # type: ignore[operator]
    assert new.x.dtype == new.y.dtype == dtype
    assert new.x.shape == (50, 2, 3, 4)
    assert x.min() <= new.x.min() <= new.x.max() <= x.max()
    assert y.min() <= new.y.min() <= new.y.max() <= y.max()


@BOTH
def test_the_generator_decides(method: object) -> None:
    x, y, rare = data_of(60, 3, seed=4)
    first, again, other = (method(x, y, rare, np.random.default_rng(s)) for s in (1, 1, 2))  # type: ignore[operator]
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.source, again.source)
    assert not np.array_equal(first.x, other.x)


@BOTH
def test_frequent_samples_are_thinned_at_random(method: object) -> None:
    x, y = np.arange(100.0)[:, None], np.repeat([0.0, 9.0], [90, 10])
    kept = np.zeros(100)
    for seed in range(60):
        new: Resampled = method(x, y, y > 6, np.random.default_rng(seed))  # type: ignore[operator]
        kept[new.source[: new.kept]] += 1
    assert (kept[90:] == 60).all()
    assert kept[:90].mean() == pytest.approx(60 * 50 / 90)
    assert 15 < kept[:90].min() < kept[:90].max() < 52


@BOTH
def test_one_rare_sample_is_copied(method: object) -> None:
    x, y = np.arange(6.0)[:, None], np.array([0.0, 1, 2, 1, 0, 9])
    new: Resampled = method(x, y, y > 6, np.random.default_rng(0))  # type: ignore[operator]
    assert new.x[new.source == 5].tolist() == [[5.0]] * 3
    assert new.y[new.source == 5].tolist() == [9.0] * 3


def test_blocks_of_distances_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, rare = data_of(80, 3, seed=5)
    whole = smogn(x, y, rare, np.random.default_rng(0))
    monkeypatch.setattr("groupdir.resampling._BLOCK", 7)
    parts = smogn(x, y, rare, np.random.default_rng(0))
    assert parts.x == pytest.approx(whole.x)
    assert np.array_equal(parts.source, whole.source)


def test_relevance_is_the_monotone_cubic_through_the_box_plot() -> None:
    y = np.concatenate([np.linspace(30, 50, 81), [5.0, 12.0, 95.0, 99.0]])
    q1, median, q3 = (np.quantile(y, q, method="midpoint") for q in (0.25, 0.5, 0.75))
    inside = y[(y >= q1 - 1.5 * (q3 - q1)) & (y <= q3 + 1.5 * (q3 - q1))]
    ends = [float(inside.min()), float(median), float(inside.max())]
    assert ends == [30, 40, 50]
    spline = CubicHermiteSpline(ends, [1, 0, 1], [0, 0, 0])
    expected = [float(spline(min(max(v, ends[0]), ends[2]))) for v in y]
    assert relevance(y) == pytest.approx(expected)
    assert relevance(y)[[0, 20, 40, 60, 81, 84]] == pytest.approx([1.0, 0.5, 0.0, 0.5, 1.0, 1.0])  # 30, 35, 40, 45, ...


def test_a_side_without_outliers_is_not_relevant() -> None:
    assert (relevance(np.arange(20.0)) == 0).all()
    assert (relevance(np.full(5, 3.0)) == 0).all()
    one_side = relevance(np.array([*np.arange(20.0), 90.0]))
    assert one_side[:10].max() == 0
    assert one_side[[19, 20]].tolist() == [1, 1]
    degenerate = np.array([0.0] * 9 + [4.0])  # the whisker is the median
    assert relevance(degenerate).tolist() == [0.0] * 9 + [1.0]


def test_ages_of_67_and_more_are_relevant_on_agedb_and_nothing_is_on_stsb(shared_data: Path) -> None:
    with (shared_data / "agedb-dir" / "agedb.csv").open() as file:
        age = np.array([float(row["age"]) for row in csv.DictReader(file) if row["split"] == "train"])
    rare = rare_by_relevance(age)
    assert age[rare].min() == 67
    assert not rare[age < 67].any()
    assert int(rare.sum()) == 1366
    assert len(age) / 2 / rare.sum() == pytest.approx(4.47, abs=0.005)
    assert len(age) / 2 / (~rare).sum() == pytest.approx(0.563, abs=0.0005)
    lines = (shared_data / "sts-b-dir" / "train_new.tsv").read_text("utf-8").splitlines()[1:]
    score = np.array([np.float32(line.split("\t")[9]) for line in lines])
    assert len(score) == 5249
    assert not rare_by_relevance(score).any()


def test_rare_by_count_counts_bins_and_averages_them() -> None:
    y = np.array([0.5] * 5 + [1.5] * 2 + [3.2])
    assert rare_by_count(y, below=2, bin_width=1).tolist() == [False] * 7 + [True]
    assert rare_by_count(y, below=3, bin_width=1).tolist() == [False] * 5 + [True] * 3
    smooth = rare_by_count(y, below=2, bin_width=1, lds=LDS("triangular", 3))
    counts = [(2 * 5 + 2) / 4, (5 + 2 * 2) / 4, 0, 2 * 1 / 4]
    assert smooth.tolist() == [counts[int(v)] < 2 for v in y]
    assert rare_by_count(np.array([4.95, 5.0, 7.0, 1.0]), below=2, bin_width=0.1, high=5.0).tolist() == [False] * 3 + [
        True
    ]


X, Y, R = np.zeros((4, 2)), np.arange(4.0), np.array([True, True, False, False])
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smoter(X, Y, R & False, RNG), "some targets must be rare and some not, got 0 rare of 4"),
        (lambda: smoter(X, Y, R | True, RNG), "some targets must be rare and some not, got 4 rare of 4"),
        (lambda: smoter(X.astype(int), Y, R, RNG), "x must be floating"),
        (lambda: smoter(X, Y.astype(int), R, RNG), "y must be floating"),
        (lambda: smoter(X[:3], Y, R, RNG), r"x, y and rare must be \(N, ...\), \(N,\) and \(N,\) of bools"),
        (lambda: smoter(X, Y, R.astype(int), RNG), "of bools"),
        (lambda: smoter(X, Y * np.nan, R, RNG), "labels must be finite"),
        (lambda: smoter(X, Y, R, RNG, neighbors=0), "neighbors must be >= 1"),
        (lambda: smoter(X, Y, R, RNG, ratio=1.5), r"ratio must be in \[0, 1\]"),
        (lambda: smogn(X, Y, R, RNG, perturbation=-1), "perturbation must be >= 0"),
        (lambda: relevance(np.zeros(0)), "N >= 1"),
        (lambda: relevance(Y, coef=0), "coef must be > 0"),
        (lambda: rare_by_relevance(Y, threshold=0), r"threshold must be in \(0, 1\]"),
        (lambda: rare_by_count(Y, below=0, bin_width=1), "below must be > 0"),
        (lambda: rare_by_count(Y, below=1, bin_width=0), "bin_width must be > 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
