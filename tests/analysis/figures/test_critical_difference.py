"""Critical-difference diagram: drawn for two and for ten configurations, with what it must show."""

from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest

from analysis.comparison.ranks import average_ranks
from analysis.figures.critical_difference import critical_difference_figure


@pytest.mark.parametrize("methods", [2, 10])
def test_the_diagram_shows_ranks_and_groups(tmp_path: Path, methods: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda figure, *a, **k: (drawn.append(figure), save(figure, *a, **k))
    )
    labels = [f"method {number}" for number in range(methods)]
    costs = np.random.default_rng(0).normal(np.arange(methods), 2, size=(12, methods))
    ranks = average_ranks(labels, costs)
    path = critical_difference_figure(tmp_path / "out", "a title", {"all": ranks, "few": ranks})
    assert path.read_bytes().startswith(b"\x89PNG")
    (figure,) = drawn
    assert len(figure.axes) == 2
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert f"all, 12 data sets; critical difference {ranks.critical:.2f}" in texts
    assert all(label in texts for label in labels)
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 4]
    assert len(bars) == len(ranks.alike)


def test_a_critical_difference_wider_than_the_axis_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    ranks = average_ranks(["a", "b", "c"], [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    critical_difference_figure(tmp_path, "a title", {"all": ranks})
    assert any("no two can be told apart" in text.get_text() for text in drawn[0].axes[0].texts)
