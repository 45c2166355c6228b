"""Check and measure everything that groupdir does on a GPU: `make gpu-check`, planned for 8 minutes on an H100 or H200.

    python tests/gpu/check.py [--parts right,loss,step,input,packing,search] [--minutes 8] [--out FOLDER]
    python tests/gpu/check.py --device cpu --small      # a rehearsal without a card, in minutes

Every part runs in a process of its own and has a time box. What a part does not reach is named. The table is printed,
and written to FOLDER (`results/gpu-check`) as `gpu-check.md` and `gpu-check.json`. The exit status is 0 if every check
holds, 1 if one failed or was not reached, and 2 without a card.

A machine without a network may lack packages that all parts need (annotated-types, pydantic, pydantic-core,
typing-inspection), and those that only the part search needs (ray, jsonschema, jsonschema-specifications, referencing,
rpds-py, tensorboardx, optuna, colorlog, moocore, cffi, pycparser, platformdirs). Fetch them elsewhere, 32 MiB in all,
and unpack them there, which takes some 5 seconds:

    python tests/gpu/wheels.py FOLDER --ray
    python3 tests/gpu/wheels.py --install FOLDER TARGET && export PYTHONPATH=$PWD/TARGET
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.checkout import ROOT
from tests.gpu.apart import MINUTES, Inside, Plan, run_apart, run_inside
from tests.gpu.machine import about
from tests.gpu.part import BAD
from tests.gpu.table import as_json, as_markdown, as_text

NAMES = ("right", "loss", "step", "input", "packing", "search")
NO_CARD = "no GPU: torch sees no CUDA device, so nothing was checked (a rehearsal on the CPU: --device cpu --small)"


def parts(text: str) -> tuple[str, ...]:
    """Read the names of parts."""
    names = tuple(text.split(","))
    wrong = [name for name in names if name not in NAMES]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no part; the parts are {', '.join(NAMES)}")
    return tuple(dict.fromkeys(names))


def device(text: str) -> str:
    """Read a device."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"must be cuda, cuda:NUMBER or cpu, got {text!r}")
    return text


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return number


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=parts, default=NAMES, help="names, separated by commas")
    parser.add_argument("--device", type=device, default="cuda", help="cuda, cuda:1, ..., or cpu for a rehearsal")
    parser.add_argument("--small", action="store_true", help="use small sizes, for a rehearsal")
    parser.add_argument(
        "--minutes", type=positive, default=MINUTES, help="for all six parts together (8); each gets its share"
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--cores",
        type=int,
        default=cores,
        choices=range(1, cores + 1),
        metavar=f"1..{cores}",
        help="CPU cores to use (all)",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "gpu-check", help="folder of the table")
    parser.add_argument("--inside", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the check, and return the exit status."""
    options = parsed(arguments)
    plan = Plan(options.parts, options.device, options.small, options.minutes, options.cores, options.out.resolve())
    if options.inside:
        run_inside(Inside.of(options.inside), plan)
        return 0
    if options.device.startswith("cuda"):
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        number = int(options.device.partition(":")[2] or 0)
        if number >= cards:
            print(f"no GPU {number}: torch sees {cards}, counted from 0" if cards else NO_CARD)
            return 2
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"--out: {plan.out} cannot be made: {error.strerror}: name another folder")
        return 2
    try:
        return checked(plan)
    except KeyboardInterrupt:
        print(f"interrupted; the rows of the parts that had begun are in {plan.out}")
        return 130


def checked(plan: Plan) -> int:
    """Run all parts, print and write the table, and return the exit status."""
    begin = time.monotonic()
    found = {name: list(run_apart(name, plan, seconds)) for name, seconds in plan.boxes().items()}
    facts = about(torch.device(plan.device), plan.cores) | {"minutes": f"{(time.monotonic() - begin) / 60:.1f}"}
    print(as_text(facts, found))
    (plan.out / "gpu-check.json").write_text(as_json(facts, found), encoding="utf-8")
    (plan.out / "gpu-check.md").write_text(as_markdown(facts, found), encoding="utf-8")
    everything = [row for rows in found.values() for row in rows]
    bad = [row for row in everything if row.verdict in BAD]
    print(f"the table is in {plan.out / 'gpu-check.md'}, with all numbers in gpu-check.json")
    print(f"{len(bad)} of {len(everything)} rows failed or were not reached" if bad else "all checks hold")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
