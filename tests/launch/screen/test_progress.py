"""Live table of a search at the widths of real terminals."""

from collections.abc import Callable

import pytest
from rich.console import Console

from launch.screen.progress import render
from launch.study.study import Study


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_trial_status_and_epoch_keep_their_width(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None], width: int
) -> None:
    for _ in range(12):
        train(study, suggest(study), [3.0, 2.0], "finished")
    console = Console(width=width, record=True, force_terminal=False)
    console.print(render(study.state, study.config, study.state.last_time, ["none yet"]))
    lines = console.export_text().splitlines()
    (header,) = [text for text in lines if "trial" in text and "status" in text]
    assert all(name in header for name in ("epoch", "mae many", "mae median", "mae few"))
    cells = [text.split("│") for text in lines if "finished" in text and "│" in text]
    assert [int(row[1]) for row in cells] == list(range(11, -1, -1))
    assert all(int(row[3]) == 2 and row[-2].strip().startswith("groups=") for row in cells)
    assert max(map(len, lines)) <= width
