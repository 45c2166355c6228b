"""What `groupdir up` does to a machine: an environment of its own, once, and nothing that `down` does not undo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from launch.cluster.commands import REMOVE, STOP
from launch.cluster.shell import NODE

FILES = ("cluster.yaml", "launch/cluster/on_premise.yaml")
# What stands for Python: `-m venv` makes an environment whose pip notes when it begins and ends.
PYTHON = """#!/bin/bash
echo "python3 $*" >> "$CALLS"
folder=${!#}
mkdir -p "$folder/bin"
printf '#!/bin/bash\\necho "begin $0 $*" >> "$CALLS"; sleep 0.3; echo "end" >> "$CALLS"\\n' > "$folder/bin/pip"
printf '#!/bin/bash\\nprintf "ray"; printf " <%%s>" "$@"; echo\\n' > "$folder/bin/ray"
chmod +x "$folder/bin/pip" "$folder/bin/ray"
"""
APPTAINER = '#!/bin/bash\nprintf "<%s>" "$@" >> "$CALLS"; echo >> "$CALLS"\n'
PARTS = ("groupdir", "launch", "analysis", "search_spaces", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")


class Machine:
    """A machine with a home, which several may share, and a disk of its own."""

    def __init__(self, root: Path, folder: Path, name: str, home: Path) -> None:
        self.home, self.disk, self.calls = home, folder / name, folder / f"{name}.calls"
        programs = folder / "programs"
        programs.mkdir(exist_ok=True)
        for program, text in (("python3", PYTHON), ("apptainer", APPTAINER)):
            (programs / program).write_text(text)
            (programs / program).chmod(0o755)
        self.disk.mkdir()
        self.calls.touch()
        self.path = f"{programs}:{os.environ['PATH']}"
        if not (home / "groupdir").exists():
            copy_mounts(root, home)

    def env(self, more: Mapping[str, str]) -> dict[str, str]:
        own = {"HOME": str(self.home), "GROUPDIR_LOCAL": str(self.disk), "CALLS": str(self.calls), "PATH": self.path}
        return {**own, **more}

    def begin(self, *words: str, **more: str) -> subprocess.Popen[str]:
        command = ["bash", str(self.home / "groupdir/launch/cluster/node.sh"), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.env(more), stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def run(self, *words: str, **more: str) -> tuple[int, str]:
        process = self.begin(*words, **more)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said


def copy_mounts(root: Path, home: Path) -> None:
    """As Ray copies them, but only what a test looks at."""
    for part in PARTS:
        there = home / "groupdir" / part
        there.parent.mkdir(parents=True, exist_ok=True)
        (there.write_text("x") if "." in part or part == "LICENSE" else there.mkdir())
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "launch/cluster", home / "groupdir/launch/cluster", ignore=compiled)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    (made / ".bashrc").write_text("alias ll='ls -l'\n")
    (made / "venv/bin").mkdir(parents=True)
    (made / "venv/bin/pip").write_text("a person's own\n")
    return made


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_down_leaves_a_home_as_it_was_before_up(root: Path, tmp_path: Path, home: Path) -> None:
    before = files(home)
    machine = Machine(root, tmp_path, "w1", home)
    code, said = machine.run("install", GROUPDIR_HOME_KIND="ext2/ext3")
    assert code == 0, said
    assert (home / ".groupdir/venv/bin/ray").is_file()
    for name in ("ray_bootstrap_config.yaml", "ray_bootstrap_key.pem"):  # Ray's own, the second a private key
        (home / name).write_text("secret")
    code, said = machine.run("remove", GROUPDIR_HOME_KIND="ext2/ext3")
    assert code == 0, said
    assert files(home) == before
    assert not (home / "groupdir").exists()
    assert not (home / ".groupdir").exists()


def test_results_stay_and_so_does_what_is_to_be_kept(root: Path, tmp_path: Path, home: Path) -> None:
    machine = Machine(root, tmp_path, "w1", home)
    machine.run("install", GROUPDIR_HOME_KIND="ext2/ext3")
    study = home / "groupdir/results/digits/study.sqlite"
    study.parent.mkdir(parents=True)
    study.write_text("epochs")
    (home / "ray_bootstrap_key.pem").write_text("secret")
    assert machine.run("remove", "--keep", GROUPDIR_HOME_KIND="ext2/ext3")[0] == 0
    assert not (home / "ray_bootstrap_key.pem").exists(), "a private key is never kept"
    assert (home / ".groupdir/venv/bin/ray").exists()
    code, said = machine.run("remove", GROUPDIR_HOME_KIND="ext2/ext3")
    assert code == 0
    assert "stays, because it has other files: results" in said
    assert study.read_text() == "epochs"


@pytest.mark.parametrize("sign", [".git", "tests", "docs"])
def test_a_checkout_of_one_s_own_is_not_removed(root: Path, tmp_path: Path, home: Path, sign: str) -> None:
    """The head may be the machine on which a person works."""
    machine = Machine(root, tmp_path, "w1", home)
    (home / "groupdir" / sign).mkdir()
    before = files(home)
    code, said = machine.run("remove")
    assert code == 0
    assert "is a checkout of your own" in said
    assert files(home) == before


def test_machines_that_share_a_home_install_on_their_own_disks(root: Path, tmp_path: Path, home: Path) -> None:
    machines = [Machine(root, tmp_path, name, home) for name in ("w1", "w2", "w3")]
    before = files(home)
    for process in [machine.begin("install", GROUPDIR_HOME_KIND="nfs") for machine in machines]:
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0, said
    for machine in machines:
        assert list(machine.disk.glob("groupdir-*/venv/bin/pip"))
        assert machine.calls.read_text().count("-m venv") == 1
        assert str(machine.disk) in machine.run("which", "ray", GROUPDIR_HOME_KIND="nfs")[1]
    assert files(home) == before
    machines[0].run("remove", "--keep", GROUPDIR_HOME_KIND="nfs")
    machines[1].run("remove", GROUPDIR_HOME_KIND="nfs")
    assert list(machines[0].disk.iterdir())
    assert not list(machines[1].disk.iterdir())


def test_two_installs_at_once_are_one_after_the_other(root: Path, tmp_path: Path, home: Path) -> None:
    machine = Machine(root, tmp_path, "w1", home)
    for process in [machine.begin("install", GROUPDIR_HOME_KIND="ext2/ext3") for _ in range(3)]:
        assert process.wait(timeout=30) == 0
    calls = machine.calls.read_text().splitlines()
    assert len([call for call in calls if "-m venv" in call]) == 1
    assert [call.split()[0] for call in calls[1:]] == ["begin", "end"] * 3
    assert f"-e {home}/groupdir[cluster] -c {home}/groupdir/constraints.txt" in calls[1]


def test_words_reach_a_command_as_they_are(root: Path, tmp_path: Path, home: Path) -> None:
    machine = Machine(root, tmp_path, "w1", home)
    machine.run("install", GROUPDIR_HOME_KIND="ext2/ext3")
    words = ["job", "a b", "$HOME", "it's", "*"]
    code, said = machine.run("ray", *words, GROUPDIR_HOME_KIND="ext2/ext3")
    assert (code, said) == (0, "ray " + " ".join(f"<{word}>" for word in words) + "\n")
    assert machine.run("bash", "-c", "exit 7")[0] == 7
    assert machine.run()[0] == 2


def test_what_a_site_needs(root: Path, tmp_path: Path, home: Path) -> None:
    machine = Machine(root, tmp_path, "w1", home)
    own = home / "my env"
    (own / "bin").mkdir(parents=True)
    (own / "bin/python").write_text('#!/bin/bash\necho "python $*" >> "$CALLS"\n')
    (own / "bin/python").chmod(0o755)
    (home / "groupdir/launch/cluster/site.sh").write_text(
        textwrap.dedent(f"""
        module() {{ echo "module $*" >> "$CALLS"; }}
        MODULES=(python/3.11 "cuda 12")
        export https_proxy=http://proxy:3128
        ENVIRONMENT={str(own)!r}
        """)
    )
    assert machine.run("install")[0] == 0
    calls = machine.calls.read_text()
    assert "module load python/3.11\nmodule load cuda 12\n" in calls
    assert "venv" not in calls, "nothing is installed into an environment of one's own"
    assert machine.run("printenv", "https_proxy")[1] == "http://proxy:3128\n"
    machine.run("remove")
    assert (own / "bin/python").exists()


def test_a_container(root: Path, tmp_path: Path, home: Path) -> None:
    machine = Machine(root, tmp_path, "w1", home)
    settings = "CONTAINER='/mnt/shared/my image.sif'\nCONTAINER_OPTIONS=(--nv --bind '/mnt/a b')\n"
    (home / "groupdir/launch/cluster/site.sh").write_text(settings)
    machine.run("ray", "start", "--address=$X")
    (call,) = machine.calls.read_text().splitlines()
    assert call.startswith("<exec><--nv><--bind></mnt/a b></mnt/shared/my image.sif><env><PATH=")
    assert call.endswith("<ray><start><--address=$X>")


@pytest.mark.parametrize("file", FILES)
def test_the_files_of_clusters_change_no_file_of_the_login(root: Path, file: str) -> None:
    cluster = yaml.safe_load((root / file).read_text())
    commands = [line for name, lines in cluster.items() if name.endswith("_commands") for line in lines]
    assert f"{NODE} install" in commands
    for line in commands:
        subprocess.run(["bash", "-n", "-c", line], check=True)
        assert not re.search(r"bashrc|\.profile", line), line
        for ray in re.findall(r"(\S+) ray (?:start|stop)", line):
            assert ray.endswith("node.sh"), f"Ray is not on the PATH: {line}"


@pytest.mark.parametrize("file", FILES)
def test_what_is_removed_is_what_was_copied(root: Path, file: str) -> None:
    mounts = yaml.safe_load((root / file).read_text())["file_mounts"]
    text = (root / "launch/cluster/node.sh").read_text()
    removed = re.search(r"for part in (.*?); do", text, re.DOTALL)
    assert removed is not None
    assert set(removed[1].replace("\\\n", " ").split()) - {"groupdir.egg-info"} == set(mounts.values()) == set(PARTS)


def test_down_stops_and_removes_and_a_machine_without_groupdir_is_no_mistake(tmp_path: Path) -> None:
    line = STOP.replace("sleep 1", "sleep 0.01") + f"; {REMOVE}"
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    ran = subprocess.run(["bash", "-c", REMOVE], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    subprocess.run(["bash", "-n", "-c", line], check=True)


def test_the_examples_of_a_site_are_all_commented(root: Path) -> None:
    lines = (root / "launch/cluster/site.sh").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    examples = "\n".join(line.removeprefix("# ") for line in lines if re.match(r"# (export )?[A-Za-z_]+=", line))
    subprocess.run(["bash", "-n", "-c", examples], check=True)
    assert {"MODULES", "PYTHON", "ENVIRONMENT", "CONTAINER", "CONTAINER_OPTIONS"} <= set(
        re.findall(r"^([A-Z_]+)=", examples, re.MULTILINE)
    )
