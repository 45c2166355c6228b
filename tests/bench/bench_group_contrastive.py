"""Time and memory of the group-aware contrastive loss, beside what it replaces and what it cannot beat.

    python tests/bench/bench_group_contrastive.py --quick

Timed is one forward and backward. Beside the function stand, timed in turn with it in the same run:

- "floor": z z^T, one exp of it, and the one product of a (B, B) with a (B, D) matrix that a backward needs. Nothing
  with exact pairwise similarities does less.
- "loop": Rank-N-Contrast as published, one (B, B) mask after the other for every partner; autograd keeps them all.
- "broadcast": the same with all masks at once, in one (B, B, B) tensor.

Peak memory is the growth of a fresh process's resident set by one forward and backward (the high-water mark, after it
was set back, against the set before). What needs more than 8 GiB is not run; its need is printed instead.

Exits with 1 unless, at B = 512, D = 512, the function is at least 100 times faster than the faster of loop and
broadcast, and takes at most 3 floors.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from groupdir.losses import group_contrastive_loss
from groupdir.losses.group_contrastive import Similarity

GIB = 2**30
LIMIT = 8 * GIB
TEMPERATURE = 2.5
MUST_BE_FASTER, MAY_BE_SLOWER = 100.0, 3.0


def inputs(batch: int, features: int, groups: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(batch + features + groups)
    z = torch.randn(batch, features, generator=draw).requires_grad_()
    return z, torch.randint(groups, (batch,), generator=draw)


def ours(z: Tensor, group: Tensor, temperature: float = TEMPERATURE, similarity: Similarity = "negative_l2") -> None:
    z.grad = None
    group_contrastive_loss(z, group, temperature, similarity).backward()


def floor(z: Tensor, group: Tensor) -> None:
    with torch.no_grad():
        s = z @ z.T
        s.mul_(1 / s.shape[1] / 64).exp_() @ z  # scaled, so that exp meets no infinities, which take it longer


def without_diagonal(x: Tensor) -> Tensor:
    return x[~torch.eye(len(x), dtype=torch.bool)].view(len(x), -1)


def similarities(z: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    s = -(z[:, None] - z).norm(dim=2) / TEMPERATURE
    s = s - s.amax(dim=1, keepdim=True).detach()
    return without_diagonal(s), without_diagonal((group[:, None] - group).abs())


def loop(z: Tensor, group: Tensor) -> None:
    z.grad = None
    s, d = similarities(z, group)
    e, loss = s.exp(), s.new_zeros(())
    for k in range(s.shape[1]):
        candidates = (d >= d[:, k, None]).float()
        loss = loss - (s[:, k] - (candidates * e).sum(1).log()).sum() / s.numel()
    loss.backward()


def broadcast(z: Tensor, group: Tensor) -> None:
    z.grad = None
    s, d = similarities(z, group)
    candidates = d[:, None, :] >= d[:, :, None]
    loss = (torch.where(candidates, s.exp()[:, None, :], 0).sum(2).log() - s).mean()
    loss.backward()


RUNS: dict[str, Callable[..., None]] = {"ours": ours, "floor": floor, "loop": loop, "broadcast": broadcast}


def need(name: str, batch: int, features: int) -> int:
    """Bytes that the cubic versions take, from what autograd keeps; not less than 0.7 of what was measured."""
    cube = batch**3 * (8 if name == "loop" else 9)
    return cube + 4 * batch**2 * features * 2


def peak(name: str, batch: int, features: int, groups: int) -> int:
    """Growth of a fresh process's resident set by one forward and backward, in bytes."""
    command = [sys.executable, __file__, "--peak", name, str(batch), str(features), str(groups)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(name: str, batch: int, features: int, groups: int) -> None:
    small = inputs(8, 8, 2)
    RUNS[name](*small)  # libraries load and initialise themselves at their first use
    torch.ones(512, 512) @ torch.ones(512, 512)  # the packing buffers of the products
    z, group = inputs(batch, features, groups)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back to the present
    RUNS[name](z, group)
    print(resident("VmHWM") - before)


def resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def medians(runs: list[Callable[[], None]], rounds: int) -> list[float]:
    """Seconds of each, one after the other in every round; the first round warms up."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):
        for run, times in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return [statistics.median(times[1:]) for times in seconds]


def measure(batch: int, features: int, groups: int, repeats: int, with_cubic: bool) -> tuple[str, float, float]:
    """One line of the table, and the two ratios: cubic / ours (NaN where it was not run) and ours / floor."""
    z, group = inputs(batch, features, groups)
    rounds = max(3, min(repeats, int(4e9 / (batch**2 * features))))
    of_floor, of_ours = medians([lambda: floor(z, group), lambda: ours(z, group)], rounds)
    memory = (peak(name, batch, features, groups) / 2**20 for name in ("ours", "floor"))
    line = f"{batch:5} {features:5} {groups:3} {1e3 * of_ours:9.2f} {1e3 * of_floor:9.2f} {of_ours / of_floor:6.2f}"
    line += "".join(f" {mib:9.1f}" for mib in memory)
    if not with_cubic:
        return line, math.nan, of_ours / of_floor
    cubic = [name for name in ("loop", "broadcast") if need(name, batch, features) <= LIMIT]
    # Ours runs twice a round and its second run counts: the first finds every cache full of the cubic ones' masks.
    runs = [lambda: ours(z, group)] * 2 + [functools.partial(RUNS[name], z, group) for name in cubic]
    _, beside, *others = medians(runs, 3) if cubic else (0.0, math.nan)
    times = dict(zip(cubic, others, strict=True))
    for name in ("loop", "broadcast"):
        if name in times:
            line += f" {1e3 * times[name]:9.0f} {peak(name, batch, features, groups) / GIB:7.2f}"
        else:
            line += f" {'needs':>9} {need(name, batch, features) / GIB:7.1f}"
    faster = min(others) / beside if cubic else math.nan
    return f"{line} {faster:7.0f}" if cubic else f"{line} {'-':>7}", faster, of_ours / of_floor


def print_variants(repeats: int) -> None:
    """How many floors the other similarities, low temperatures and raw targets take."""
    z, group = inputs(512, 512, 25)
    raw = torch.rand(512, generator=torch.Generator().manual_seed(0))
    near = torch.cat([z[:256], z[:256] + 1e-3 * z[256:]]).detach().requires_grad_()
    runs: dict[str, Callable[[], None]] = {
        "floor": lambda: floor(z, group),
        "-|z_i - z_j| at t = 2.5": lambda: ours(z, group),
        "-|z_i - z_j| at t = 0.02, similarities in float64": lambda: ours(z, group, 0.02),
        "-|z_i - z_j| at t = 0.002, in logarithms": lambda: ours(z, group, 0.002),
        "-|z_i - z_j| at t = 2.5, near duplicates, all in float64": lambda: ours(near, group),
        "-|z_i - z_j| at t = 2.5, 512 distinct raw targets": lambda: ours(z, raw),
        "cosine at t = 0.02": lambda: ours(z, group, 0.02, "cosine"),
        "-|u_i - u_j| at t = 0.02": lambda: ours(z, group, 0.02, "negative_unit_l2"),
    }
    times = medians(list(runs.values()), repeats)
    print(f"B = 512, D = 512, G = 25, in floors of {1e3 * times[0]:.2f} ms:")
    for name, seconds in list(zip(runs, times, strict=True))[1:]:
        print(f"  {seconds / times[0]:5.2f}  {name}")


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")]
    features = " AVX-512" if "avx512f" in info else ""
    return f"{names[0] if names else platform.processor()}{features}, {platform.system()} {platform.machine()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only B = 128, 512, 1024 with D = 512")
    parser.add_argument("--repeats", type=int, default=31, help="rounds of the quick ones; fewer where one takes long")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak", nargs=4, metavar=("NAME", "B", "D", "G"), help="print the peak memory of one run")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.peak:
        name, *sizes = arguments.peak
        print_peak(name, *map(int, sizes))
        return 0

    print(
        f"{machine()}; torch {torch.__version__}, {torch.get_num_threads()} thread(s), float32, -|z_i - z_j| at t = 2.5"
    )
    print(f"medians of up to {arguments.repeats} interleaved rounds, of 3 for the cubic ones; peak memory of one run")
    print(
        f"{'B':>5} {'D':>5} {'G':>3} {'ours ms':>9} {'floor ms':>9} {'ratio':>6} {'ours MiB':>9} {'floor MiB':>9} "
        f"{'loop ms':>9} {'GiB':>7} {'broad. ms':>9} {'GiB':>7} {'faster':>7}"
    )
    batches, features, groups = [128, 256, 512, 1024, 2048, 4096], [128, 512, 2048], [10, 25, 50]
    if arguments.quick:
        batches, features = [128, 512, 1024], [512]
    failed = []
    for batch, width, count in itertools.product(batches, features, groups):
        headline = batch == width == 512
        line, faster, slower = measure(batch, width, count, arguments.repeats, with_cubic=count == 25 or headline)
        print(line, flush=True)
        if headline and not (faster >= MUST_BE_FASTER and slower <= MAY_BE_SLOWER):
            failed.append(f"G={count}: {faster:.0f} times faster, {slower:.2f} floors")
    rule = f"at B = 512, D = 512: at least {MUST_BE_FASTER:.0f} times faster, at most {MAY_BE_SLOWER:.0f} floors"
    print_variants(arguments.repeats)
    print(f"{rule}: {'FAILED, ' + '; '.join(failed) if failed else 'held'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
