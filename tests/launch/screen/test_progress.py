"""Live table of a search at the sizes of real terminals, and the counts and times below it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from groupdir.config.space import StudyConfig
from launch.control.confirmation import begin_round
from launch.screen.choices import choice_lines
from launch.screen.counts import STANDINGS, phase_counts
from launch.screen.live_table import LiveTable
from launch.screen.progress import Progress, status_lines, status_text
from launch.study.memory_store import MemoryStore
from launch.study.new_trial import record_trial
from launch.study.study import Study
from tests.launch.conftest import CONTENT

Suggest = Callable[[Study], int]
Train = Callable[..., None]
SIZES = [(80, 24), (80, 50), (100, 24), (120, 30), (160, 40), (200, 50)]
START = 1_000.0


@pytest.fixture
def clock() -> list[float]:
    """Time of the next events, in seconds."""
    return [START]


@pytest.fixture
def memory(clock: list[float]) -> Study:
    """A study in memory, with a confirmation and ablations to come."""
    search = {**CONTENT["search"], "trials": 30, "confirm": {"share": 0.25}}
    config = StudyConfig.from_dict({**CONTENT, "search": search})
    study = Study(Path("simulated"), config, MemoryStore(lambda: clock[0]), None)
    study.append("driver", payload={"action": "start", "pid": 1})
    return study


@pytest.fixture
def every(memory: Study, clock: list[float], suggest: Suggest, train: Train) -> Study:
    """Thirty trials of a search in every state: 10 finished, 8 stopped, 3 failed, 4 paused, 3 running, 2 waiting."""
    for count, end in ((10, "finished"), (8, "stopped"), (3, "failed"), (4, "paused"), (3, ""), (2, "waiting")):
        for _ in range(count):
            trial = suggest(memory)
            clock[0] += 1
            if end != "waiting":
                train(memory, trial, [3.0 + trial / 7, 2.0 + trial / 11], end)
    return memory


def drawn(study: Study, size: tuple[int, int], now: float | None = None) -> list[str]:
    """The lines of the screen."""
    state, config = study.state, study.config
    now = state.last_time if now is None else now
    console = Console(width=size[0], height=size[1], record=True, force_terminal=False)
    status = status_lines(config, state, now, 3700.0)
    console.print(LiveTable(config, state, choice_lines(config, state), status))
    return console.export_text().splitlines()


def table_rows(lines: list[str]) -> list[list[str]]:
    """The cells of the rows of trials."""
    return [[cell.strip() for cell in text.split("│")[1:-1]] for text in lines if re.match(r"│ +\d", text)]


@pytest.mark.parametrize("size", SIZES)
def test_every_column_and_the_last_lines_are_visible(every: Study, size: tuple[int, int]) -> None:
    lines = drawn(every, size)
    assert len(lines) < size[1], "the last line of a terminal holds the cursor"
    assert max(map(len, lines)) <= size[0]
    shown = table_rows(lines)
    for row in shown:
        number, status, epoch, *values, parameters = row
        trial = every.state.trials[int(number)]
        assert status in STANDINGS
        assert epoch == str(trial.epoch)
        assert values == [f"{trial.value(name):.4g}" if trial.rows else "-" for name in every.config.search.objectives]
        assert len(parameters) >= 10
    header = "\n".join(lines[:5])
    assert all(word in header for word in ("trial", "status", "epoch", "many", "median", "few", "parameters"))
    text = " ".join(lines)
    assert all(f"best {rule}: trial " in text for rule in ("many", "median", "few"))
    assert "30 trials: 10 finished, 8 stopped, 3 failed, 4 paused, 3 running, 2 waiting" in text
    assert lines[-1].endswith("elapsed, about 1:01:40 left")


@pytest.mark.parametrize("size", SIZES)
def test_running_trials_come_first_and_hidden_ones_are_counted(every: Study, size: tuple[int, int]) -> None:
    lines = drawn(every, size)
    shown = table_rows(lines)
    statuses = [row[1] for row in shown]
    assert statuses[:3] == ["running"] * 3
    assert len(shown) >= min(30, size[1] - 20), "the number of trials follows the height"
    others = [int(row[0]) for row in shown if row[1] not in ("running", "waiting")]
    assert others == sorted(others, reverse=True), "the latest come first"
    notes = [text for text in lines if text.startswith("... and ")]
    if len(shown) == 30:
        assert not notes
    else:
        counts = [int(count) for count in re.findall(r"\d+", notes[0])]
        assert counts[0] == 30 - len(shown) == sum(counts[1:])


@pytest.mark.parametrize("height", [5, 8, 12, 15])
def test_the_times_are_the_last_line_of_the_smallest_terminal(every: Study, height: int) -> None:
    lines = drawn(every, (80, height))
    assert lines[-1].endswith("left")
    assert table_rows(lines)[0][1] == "running"
    assert height < 12 or len(lines) < height


def test_later_phases_are_named(every: Study, clock: list[float], train: Train) -> None:
    """A confirmation and an ablation are no trials of the search, and say what they are."""
    assert every.config.search.confirm is not None
    for trial in every.state.of("search"):
        if trial.status in ("running", "paused"):
            every.append("stopped", trial=trial.number)
    begin_round(every, every.config.search.confirm, 4)
    base = every.state.of("search")[0]
    for role, label in (("confirmation", "of trial 0"), ("ablation", "hard labels")):
        for seed in (1, 2):
            config = every.config.space.build(base.params).with_seed(seed)
            trial = record_trial(every, config, base.params, role, label, "val_mae_all")  # type: ignore[arg-type]
            clock[0] += 1
            if seed == 1:
                train(every, trial, [2.0, 1.5], "finished")
        counts = status_text(every.config, every.state, clock[0])
        if role == "confirmation":
            assert "30 trials: 10 finished, 17 stopped, 3 failed; " in counts
            assert "up to 4 confirmations: 1 finished, 3 waiting; " in counts
            assert "4 ablations: 4 waiting" in counts
        else:
            assert "2 confirmations: 1 finished, 1 waiting; 4 ablations: 1 finished, 3 waiting; " in counts
    text = "\n".join(drawn(every, (120, 50)))
    assert "confirms trial 0: groups" in text
    assert "ablation hard labels: groups" in text
    narrow = "\n".join(drawn(every, (80, 50)))
    assert "confirms trial 0" in narrow
    assert "ablation hard labels" in narrow


def test_counts_add_up(every: Study) -> None:
    for phase in phase_counts(every.config, every.state):
        assert sum(phase.counts.values()) == phase.planned
    (search, ablations) = phase_counts(every.config, every.state)
    assert dict(zip(STANDINGS, (10, 8, 3, 4, 3, 2), strict=True)) == search.counts
    assert ablations.counts["waiting"] == ablations.planned == 4


def test_nothing_runs_without_a_driver(every: Study, clock: list[float]) -> None:
    """A driver that was killed, and the first frame of the one that resumes the study."""
    killed = phase_counts(every.config, every.state, active=False)[0]
    assert (killed.counts["running"], killed.counts["waiting"]) == (0, 5)
    every.append("driver", payload={"action": "resume", "pid": 2})
    resumed = phase_counts(every.config, every.state)[0]
    assert (resumed.counts["running"], resumed.counts["waiting"], resumed.counts["finished"]) == (0, 5, 10)
    every.append("started", trial=27)
    assert phase_counts(every.config, every.state)[0].counts["running"] == 1


def test_a_promoted_trial_waits_for_a_worker(every: Study) -> None:
    paused = next(trial for trial in every.state.of("search") if trial.status == "paused")
    every.append("promoted", trial=paused.number, epoch=2)
    assert phase_counts(every.config, every.state)[0].counts["waiting"] == 3
    every.append("started", trial=paused.number)
    assert phase_counts(every.config, every.state)[0].counts["running"] == 4


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> Iterator[list[float]]:
    """The time that the screen reads, which is that of the events."""
    monkeypatch.setattr("launch.screen.progress.steady_time", lambda: clock[0])
    return iter([clock])  # type: ignore[arg-type]


def test_the_first_minute_says_once_what_it_waits_for(
    memory: Study, clock: list[float], suggest: Suggest, train: Train, wall: object
) -> None:
    console = Console(width=200, record=True, force_terminal=False)
    with Progress(memory.config, memory.state, console) as progress:
        memory.watchers.append(progress.watch)
        for _ in range(6):
            progress.refresh()
            clock[0] += 11
        trial = suggest(memory)
        memory.append("started", trial=trial)
        for _ in range(6):
            progress.refresh()
            clock[0] += 11
        train(memory, trial, [3.0])
        for _ in range(6):
            progress.refresh()
            clock[0] += 11
    lines = console.export_text().splitlines()
    assert lines[:2] == [
        "waiting for Ray to start",
        "waiting for the first epoch: workers read the data and begin to train",
    ]
    (status,) = lines[2:]
    assert status.startswith("30 trials: 1 running, 29 waiting; 4 ablations: 4 waiting; 0:02:")


def test_a_resume_begins_with_what_is_there(every: Study, wall: object) -> None:
    every.append("driver", payload={"action": "resume", "pid": 2})
    console = Console(width=200, record=True, force_terminal=False)
    with Progress(every.config, every.state, console) as progress:
        progress.begin()
    counts = "30 trials: 10 finished, 8 stopped, 3 failed, 4 paused, 5 waiting; 4 ablations: 4 waiting"
    assert console.export_text().splitlines() == [f"so far: {counts}", "waiting for Ray to start"]
    terminal = Console(width=100, height=30, record=True, force_terminal=True)
    with Progress(every.config, every.state, terminal):
        pass
    first = terminal.export_text()
    assert "30 trials: 10 finished, 8 stopped, 3 failed, 4 paused, 5 waiting" in first
