"""Location of the checkout that this package is installed from."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def find_checkout() -> Path | None:
    """Return the folder of the checkout, or None if the package was installed from a wheel.

    An editable install uses `groupdir/` in the checkout, which has `launch/` and `analysis/` next to it.
    """
    folder = PACKAGE.parent
    programs = [folder / name / "__main__.py" for name in ("launch", "analysis")]
    return folder if all(program.is_file() for program in programs) else None
