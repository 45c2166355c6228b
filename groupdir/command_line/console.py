"""Terminal output by rich that shows every text as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def new_console(**options: Any) -> Console:
    """Return a console on which square brackets and colons are no markup, such as those in a path or a list.

    Args:
        options: Options of `rich.console.Console`.
    """
    from rich.console import Console

    return Console(**{"markup": False, "emoji": False, **options})
