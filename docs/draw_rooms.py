"""Draw the rooms of the packages from their imports, or count them. Run it from the checkout's root.

    python -m docs.draw_rooms                        writes docs/rooms.svg
    python -m docs.draw_rooms --counts               prints the counts of groupdir, launch and analysis
    python -m docs.draw_rooms --counts --root PATH   the same for another checkout

A room is a top-level module or sub-package of a package. The `__init__.py` of a package is not counted. An arrow
from A to B means that a file of A imports one of B, at its top or inside a function. A room's floor is the longest
path of arrows that leads down from it, so a room that imports no other room stands on floor 0. In a circle of rooms
there is no such path: there the order with the fewest arrows up is taken.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

from docs.rooms_svg import Plan, svg
from tests.imports import PACKAGES, Import, all_imports, circles, modules, reachable, room_arrows, rooms

PICTURE = Path("docs/rooms.svg")
Arrow = tuple[str, str]


@dataclass(frozen=True)
class Counts:
    """The counts of one package."""

    package: str
    root_modules: int
    rooms: int
    arrows: int
    arrows_up: int
    circles: int
    floors: int
    lines_p90: int
    lines_most: int


def floors(names: Iterable[str], arrows: set[Arrow]) -> tuple[dict[str, int], set[Arrow]]:
    """Return the floor of each room, and the arrows that run up."""
    names = sorted(names)
    up: set[Arrow] = set()
    for circle in circles(names, arrows):
        inside = {(one, other) for one, other in arrows if {one, other} <= set(circle)}
        order = fewest_up(tuple(circle), frozenset(inside))
        up |= {(one, other) for one, other in inside if order.index(one) < order.index(other)}
    down = arrows - up

    @cache
    def floor(name: str) -> int:
        return max((1 + floor(other) for one, other in down if one == name), default=0)

    return {name: floor(name) for name in names}, up


def fewest_up(circle: tuple[str, ...], arrows: frozenset[Arrow]) -> tuple[str, ...]:
    """Return the circle's rooms from the lowest to the highest, so that the fewest arrows run up.

    Every subset is tried as the lower part, so a circle of n rooms takes n * 2^n steps.
    """

    @cache
    def best(lower: frozenset[str]) -> tuple[int, tuple[str, ...]]:
        if not lower:
            return 0, ()
        choices = []
        for top in sorted(lower):
            rest = lower - {top}
            cost, order = best(rest)
            choices.append((cost + sum(one in rest and other == top for one, other in arrows), (*order, top)))
        return min(choices)

    return best(frozenset(circle))[1]


def direct(arrows: set[Arrow]) -> set[Arrow]:
    """Return the arrows that do not follow from others; in a circle all are kept."""
    after: dict[str, set[str]] = {}
    for one, other in arrows:
        after.setdefault(one, set()).add(other)
        after.setdefault(other, set())
    below = {name: reachable(name, after) for name in after}
    return {
        (one, other)
        for one, other in arrows
        if one in below[other] or not any(other in below[middle] for middle in after[one] if middle != other)
    }


def lines_of(paths: Iterable[Path]) -> list[int]:
    """Return the lengths of the files in lines, from the shortest to the longest."""
    return sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def plan_of(package: str, names: Iterable[str], imports: Iterable[Import]) -> Plan:
    """Return the rooms of a package, their floors and their arrows."""
    chosen = [name for name in rooms(names) if name.startswith(f"{package}.")]
    arrows = room_arrows(imports, chosen)
    levels, up = floors(chosen, arrows)
    return Plan(package, levels, arrows, direct(arrows) | up, up)


def counts_of(package: str, root: Path) -> Counts:
    """Return the counts of a package below a root."""
    paths = modules(root, [package])
    plan = plan_of(package, paths, all_imports(root, [package]))
    lengths = lines_of(paths.values())
    return Counts(
        package=package,
        root_modules=len(list((root / package).glob("*.py"))),
        rooms=len(plan.floors),
        arrows=len(plan.arrows),
        arrows_up=len(plan.up),
        circles=len(circles(plan.floors, plan.arrows)),
        floors=1 + max(plan.floors.values(), default=-1),
        lines_p90=lengths[ceil(0.9 * len(lengths)) - 1],
        lines_most=lengths[-1],
    )


def table(counts: Iterable[Counts]) -> str:
    """Return the counts as text, one row for each count and one column for each package."""
    rows = {
        "": "package",
        "modules at the root": "root_modules",
        "rooms": "rooms",
        "arrows between rooms": "arrows",
        "arrows up": "arrows_up",
        "circles": "circles",
        "floors": "floors",
        "90th percentile of lines": "lines_p90",
        "longest file, lines": "lines_most",
    }
    counts = list(counts)
    return "\n".join(
        f"{label:<26}" + "".join(f"{getattr(item, field):>10}" for item in counts) for label, field in rows.items()
    )


def picture(root: Path) -> str:
    """Return the picture of the packages below a root, as SVG."""
    paths = modules(root)
    imports = all_imports(root)
    plans = [plan_of(package, paths, imports) for package in PACKAGES]
    return svg(plans)


def main() -> int:
    """Write the picture, or print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--counts", action="store_true", help="print the counts and write nothing")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout to read (default: this folder)")
    options = parser.parse_args()
    missing = [package for package in PACKAGES if not (options.root / package).is_dir()]
    if missing:
        parser.error(f"{options.root.resolve()} has no folder {missing[0]}: run this in a checkout, or give --root")
    if options.counts:
        print(table(counts_of(package, options.root) for package in PACKAGES))
    else:
        (options.root / PICTURE).write_text(picture(options.root), encoding="utf-8")
        print(f"wrote {options.root / PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
