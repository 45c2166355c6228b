"""Folder of a benchmark: today's layout without replications, one folder for each block, and more blocks later."""

from pathlib import Path

import pytest
import yaml

from groupdir.config.benchmark import Benchmark, load_benchmark
from groupdir.config.space import load_space
from groupdir.errors import ConfigError, DamagedFileError
from launch.study.benchmark_folder import in_block, write_benchmark_files
from tests.groupdir.config.test_benchmark import GRID, TABLE, write


def benchmark(folder: Path, replications: int, table: str = TABLE) -> Benchmark:
    return load_benchmark(write(folder, table.replace("seeds: 2", f"seeds: 2, replications: {replications}")))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml")}


def test_without_replications_the_files_are_as_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    one = benchmark(tmp_path, 1)
    write_benchmark_files(one, out)
    assert files(out) == {"benchmark.yaml", "VANILLA.space.yaml", "RRT.space.yaml"}
    assert "replications" not in (out / "benchmark.yaml").read_text(encoding="utf-8")
    assert in_block(one, one.rows[0], 1) is one.rows[0]


def test_each_block_has_its_own_spaces(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_benchmark_files(benchmark(tmp_path, 2), out)
    assert files(out) == {"benchmark.yaml"} | {
        f"block_{b}/{row}.space.yaml" for b in (1, 2) for row in ("VANILLA", "RRT")
    }
    spaces = [load_space(out / f"block_{block}/VANILLA.space.yaml") for block in (1, 2)]
    assert [space.search.seed for space in spaces] == [0, 1]
    assert spaces[0].space.parameters == spaces[1].space.parameters


def test_replications_may_grow_and_nothing_else_may_change(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_benchmark_files(benchmark(tmp_path, 2), out)
    write_benchmark_files(benchmark(tmp_path, 3), out)
    assert yaml.safe_load((out / "benchmark.yaml").read_text(encoding="utf-8"))["benchmark"]["replications"] == 3
    assert (out / "block_3/RRT.space.yaml").is_file()
    for changed in (
        benchmark(tmp_path, 2),
        benchmark(tmp_path, 1),
        benchmark(tmp_path, 4, TABLE.replace("0.001", "0.002")),
    ):
        with pytest.raises(ConfigError, match=r"holds another .*, and nothing is overwritten"):
            write_benchmark_files(changed, out)
    assert not (out / "block_4").exists()


def test_files_without_newer_options_are_the_same(tmp_path: Path) -> None:
    """An option that an older version did not have has its default value."""
    out = tmp_path / "out"
    two = benchmark(tmp_path, 2)
    write_benchmark_files(two, out)
    before = {path: path.read_text(encoding="utf-8") for path in out.rglob("*.yaml")}
    newer = (("benchmark.yaml", "benchmark", "published"), ("block_1/RRT.space.yaml", "search", "nested"))
    for path, section, option in ((out / name, section, option) for name, section, option in newer):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        del content[section][option]
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    write_benchmark_files(two, out)
    assert {path: path.read_text(encoding="utf-8") for path in out.rglob("*.yaml")} == before


@pytest.mark.parametrize("text", ["", "a: [", "[1]", "name: small", "name: small\nbenchmark: {seeds: 0}"])
def test_a_folder_with_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    out = tmp_path / "out"
    two = benchmark(tmp_path, 2)
    for name in ("benchmark.yaml", "block_2/RRT.space.yaml"):
        write_benchmark_files(two, out)
        before = (out / name).read_text(encoding="utf-8")
        (out / name).write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=rf"holds another {name}"):
            write_benchmark_files(two, out)
        (out / name).write_text(before, encoding="utf-8")


def test_one_block_cannot_grow(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_benchmark_files(benchmark(tmp_path, 1), out)
    with pytest.raises(ConfigError, match=r"holds another benchmark\.yaml"):
        write_benchmark_files(benchmark(tmp_path, 2), out)


def test_a_grid_has_no_spaces(tmp_path: Path) -> None:
    grid = load_benchmark(write(tmp_path, GRID.replace("shape: group_losses", "shape: group_losses, replications: 2")))
    write_benchmark_files(grid, tmp_path / "out")
    assert files(tmp_path / "out") == {"benchmark.yaml"}
    config = in_block(grid, grid.rows[0], 2).config
    assert config is not None
    assert config.method == grid.rows[0].config.method  # type: ignore[union-attr]


def test_the_largest_grid_can_be_continued(tmp_path: Path) -> None:
    """The program reads every file that it has written, whatever its size."""
    rates = ", ".join(f"{number / 1e5:g}" for number in range(1, 101))
    methods = ", ".join(f"{{name: group_dir, groups: {g}, beta: 2.0, temperature: 0.5}}" for g in range(2, 12))
    head, _, _ = GRID.partition("grid:")
    head = "\n".join(line for line in head.splitlines() if not line.startswith("method:"))
    grid = load_benchmark(write(tmp_path, f"{head}\ngrid: {{optim.lr: [{rates}], method: [{methods}]}}\n"))
    assert len(grid.rows) == 1_000
    for _ in range(2):
        write_benchmark_files(grid, tmp_path / "out")


def test_a_damaged_file_is_called_damaged(tmp_path: Path) -> None:
    out = tmp_path / "out"
    two = benchmark(tmp_path, 2)
    write_benchmark_files(two, out)
    content = bytearray((out / "benchmark.yaml").read_bytes())
    for bit in (1, 128):
        changed = bytearray(content)
        changed[10] ^= bit
        (out / "benchmark.yaml").write_bytes(changed)
        with pytest.raises(DamagedFileError, match=r"benchmark\.yaml: is damaged"):
            write_benchmark_files(two, out)
