"""A progress bar is shown on a terminal alone, and on stderr."""

import pytest

from groupdir.command_line.progress import progress_bar


@pytest.mark.parametrize("transient", [False, True])
def test_a_terminal_shows_the_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], transient: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any stream for a terminal
    with progress_bar("decoding", 5, transient=transient) as advance:
        advance()
        advance(4)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "decoding" in printed.err
    assert "5/5" in printed.err


def test_a_file_gets_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    with progress_bar("decoding", 5) as advance:
        advance(5)
    assert capsys.readouterr().err.strip() == ""
