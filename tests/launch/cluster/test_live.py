"""The log of a search on a cluster: as it is without a terminal, else a table and the last lines."""

import pytest

from launch.cluster.live import Screen, StudyBegins


def test_a_log_is_printed_as_it_is_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=False)
    for text in ("start of digits in /home/me/groupdir/results/digits: 28 trials\ntri", "al 0 stopped\n"):
        screen.take(text)
    assert "digits: 28 trials\ntrial 0 stopped\n" in capsys.readouterr().out


BEGIN = "start of digits in /home/me/groupdir/results/digits: 28 trials\n"


def test_in_a_terminal_a_study_is_shown_as_a_table_and_then_the_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True)
    screen.take("warm start from x\n")
    with pytest.raises(StudyBegins) as begins:
        screen.take(BEGIN)
    assert begins.value.folder == "/home/me/groupdir/results/digits"
    screen.after_table(0)
    for number in range(100):
        screen.take(f"line {number}\n", more=True)
    assert "line" not in capsys.readouterr().out
    screen.flush()
    said = capsys.readouterr().out
    assert "line 99" in said
    assert "line 79" not in said


def test_after_a_table_that_ended_early_the_log_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True)
    with pytest.raises(StudyBegins):
        screen.take(BEGIN)
    screen.after_table(255)
    assert "the live table ended early (exit code 255)" in capsys.readouterr().out
    screen.take("trial 0 stopped\n", more=True)
    screen.take("trial 1 st", more=False)
    assert capsys.readouterr().out == "trial 0 stopped\ntrial 1 st"
    screen.take("opped\n")
    assert capsys.readouterr().out == "opped\n"
    with pytest.raises(StudyBegins):
        screen.take(BEGIN.replace("digits", "next"))
