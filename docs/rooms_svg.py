"""SVG of the rooms: one band for each package, one row for each floor, one line for each arrow that is drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BOX, GAP, HEIGHT, ROW = 120, 14, 26, 70  # pixels: a room's width, the space between two, its height, a floor's height
MARGIN, HEAD = 24, 44
COLORS = {"groupdir": "#2f6f4f", "launch": "#2f4f8f", "analysis": "#8f5a2f"}
# Text under each package's name.
CLAIMS = {
    "groupdir": "trains one trial; imports neither launch nor analysis",
    "launch": "schedules many trials; imports groupdir",
    "analysis": "reads what they left; imports groupdir",
}
SWEEPS = 12


@dataclass(frozen=True)
class Plan:
    """The rooms of one package: floors by room, all arrows, those that are drawn, and those that run up."""

    package: str
    floors: dict[str, int]
    arrows: set[tuple[str, str]]
    drawn: set[tuple[str, str]]
    up: set[tuple[str, str]]


def rows_of(plan: Plan) -> list[list[str]]:
    """Return the rooms of each floor, the lowest floor first, ordered so that few arrows cross.

    A room moves to the mean place of its neighbours on the other floors, floor by floor, a fixed number of times.
    """
    rows: list[list[str]] = [[] for _ in range(1 + max(plan.floors.values(), default=-1))]
    for name in sorted(plan.floors):
        rows[plan.floors[name]].append(name)
    neighbours: dict[str, list[str]] = {name: [] for name in plan.floors}
    for one, other in sorted(plan.drawn):
        neighbours[one].append(other)
        neighbours[other].append(one)
    for sweep in range(SWEEPS):
        place = {name: (k + 0.5) / len(row) for row in rows for k, name in enumerate(row)}
        for row in rows if sweep % 2 else reversed(rows):
            wish = {
                name: sum(place[other] for other in neighbours[name]) / len(neighbours[name])
                if neighbours[name]
                else place[name]
                for name in row
            }
            row.sort(key=lambda name: (round(wish[name], 6), name))
            place |= {name: (k + 0.5) / len(row) for k, name in enumerate(row)}
    return rows


def places(rows: Sequence[Sequence[str]], left: float, width: float, bottom: float) -> dict[str, tuple[float, float]]:
    """Return the centre of each room's box; each floor is spread over the whole width."""
    return {
        name: (left + width * (k + 0.5) / len(row), bottom - HEIGHT / 2 - ROW * floor)
        for floor, row in enumerate(rows)
        for k, name in enumerate(row)
    }


def box(name: str, at: tuple[float, float], color: str) -> str:
    """Return a room: a rectangle with its name."""
    x, y = at
    label = name.partition(".")[2]
    frame = f'x="{x - BOX / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{BOX}" height="{HEIGHT}" rx="4"'
    text = f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{label}</text>'
    return f'<g><title>{name}</title><rect {frame} fill="#fff" stroke="{color}"/>{text}</g>'


def line(start: tuple[float, float], end: tuple[float, float], color: str) -> str:
    """Return an arrow from the lower edge of one box to the upper edge of another, or the other way round."""
    x0, x1 = start[0], end[0]
    sign = 1 if start[1] < end[1] else -1
    y0, y1 = start[1] + sign * HEIGHT / 2, end[1] - sign * (HEIGHT / 2 + 2)
    middle = (y0 + y1) / 2
    curve = f"M{x0:.1f} {y0:.1f}C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return f'<path d="{curve}" fill="none" stroke="{color}" marker-end="url(#tip)"/>'


def band(plan: Plan, left: float, width: float, bottom: float, top: float) -> list[str]:
    """Return one package: its frame, its name, arrows and rooms."""
    color = COLORS.get(plan.package, "#444")
    rows = rows_of(plan)
    at = places(rows, left, width, bottom - GAP)
    hidden = len(plan.arrows) - len(plan.drawn)
    claim = CLAIMS.get(plan.package, "")
    counts = f"{len(plan.floors)} rooms, {len(plan.arrows)} arrows, {hidden} of them not drawn, {len(plan.up)} up"
    frame = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" rx="8"'
    style = f'font-weight="bold" font-size="15" fill="{color}"'
    parts = [
        f'<rect {frame} fill="{color}" fill-opacity="0.06"/>',
        f'<text x="{left + 12:.1f}" y="{top + 20:.1f}" {style}>{plan.package}/</text>',
        f'<text x="{left + 106:.1f}" y="{top + 20:.1f}">{claim}</text>',
        f'<text x="{left + 12:.1f}" y="{top + 37:.1f}" fill="#666">{counts}</text>',
    ]
    for one, other in sorted(plan.drawn):
        parts.append(line(at[one], at[other], "#c0392b" if (one, other) in plan.up else f"{color}77"))
    return parts + [box(name, at[name], color) for name in sorted(at)]


def svg(plans: Iterable[Plan]) -> str:
    """Return the picture: the first package along the bottom, the others side by side above it."""
    base, *above = plans
    widest = {plan.package: max((len(row) for row in rows_of(plan)), default=1) for plan in [base, *above]}
    tall = {plan.package: 1 + max(plan.floors.values(), default=0) for plan in [base, *above]}
    needed = [widest[plan.package] * (BOX + GAP) + GAP for plan in above]
    width = max(widest[base.package] * (BOX + GAP) + GAP, sum(needed) + MARGIN * (len(above) - 1))
    upper = max((tall[plan.package] for plan in above), default=0) * ROW + HEAD
    lower = tall[base.package] * ROW + HEAD
    top = MARGIN + 24
    bottom = top + upper + MARGIN + lower
    parts: list[str] = []
    left = float(MARGIN)
    spare = (width - sum(needed) - MARGIN * (len(above) - 1)) / max(1, len(above))
    for plan, least in zip(above, needed, strict=True):
        parts += band(plan, left, least + spare, top + upper, top)
        left += least + spare + MARGIN
    parts += band(base, MARGIN, width, bottom, top + upper + MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2 * MARGIN:.0f} {bottom + MARGIN:.0f}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">'
    )
    caption = (
        "A room is a module or sub-package; an arrow means imports. A room stands above all that it imports. "
        "An arrow that follows from others is not drawn."
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L6 3L0 6z" fill="#555"/></marker></defs>'
    )
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, ground, tip, f'<text x="{MARGIN}" y="{MARGIN}">{caption}</text>', *parts, "</svg>"]) + "\n"
