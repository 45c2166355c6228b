"""Texts of users are printed as they are: square brackets and colons are no markup."""

import io

from rich.table import Table

from groupdir.command_line.console import new_console

TEXT = "data/[bold]x[/] [/nosuch] a[0] :smile: [link=x]"


def test_lines_and_tables_show_every_text() -> None:
    output = io.StringIO()
    console = new_console(file=output, width=200)
    console.print(TEXT, highlight=False)
    table = Table(TEXT, title=TEXT)
    table.add_row(TEXT)
    console.print(table)
    assert output.getvalue().count(TEXT) == 4
