"""The Slurm script: what is asked for stands in it, it is Bash, and what Slurm would refuse is refused here."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groupdir.errors import ConfigError
from launch.__main__ import app
from launch.cluster.slurm import TEMPLATE, Job, Site, slurm_script

JOB = Job(nodes=4, gpus_per_node=4, cpus_per_node=16, time="12:00:00")
# What stands for Slurm and Ray: srun runs its command here, once, and `ray symmetric-run` what follows its options.
SRUN = """#!/bin/bash
echo "srun with $SRUN_CPUS_PER_TASK CPUs" >> "$CALLS"
while [[ $1 == --no-kill || $1 == --kill-on-bad-exit* ]]; do shift; done
exec "$@"
"""
RAY = """#!/bin/bash
echo "ray $*" >> "$CALLS"
while [ "$1" != -- ]; do shift; done
shift
"$@"
"""
SCONTROL = """#!/bin/bash
echo "scontrol $*" >> "$CALLS"
[ "$1" = show ] && echo "JobId=$3 JobState=$STATE Reason=None"
exit 0
"""


def directives(text: str) -> dict[str, str]:
    found = re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", text, re.MULTILINE)
    assert len({name for name, _ in found}) == len(found), "Slurm takes the last of two"
    return dict(found)


def test_what_is_asked_for_stands_in_it(root: Path) -> None:
    text = slurm_script(root / "search_spaces/digits.yaml", JOB)
    asked = directives(text)
    assert asked["nodes"] == "4"
    assert asked["gpus-per-node"] == "4"
    assert asked["cpus-per-task"] == "16"
    assert asked["time"] == "12:00:00"
    assert asked["job-name"] == "groupdir-digits"
    assert asked["ntasks-per-node"] == "1"
    assert {"requeue", "exclusive", "no-kill", "signal"} <= set(asked)
    assert f"\nspace={root / 'search_spaces/digits.yaml'}\n" in text
    assert "partition" not in asked


def test_the_template_itself_can_be_submitted() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/bash\n")
    assert {*directives(text), "gpus-per-node"} == {*directives(slurm_script("search_spaces/digits.yaml", JOB))}
    subprocess.run(["bash", "-n", str(TEMPLATE)], check=True)


def test_no_gpus_and_a_partition(root: Path) -> None:
    job = Job(2, 0, 2, "2-00:00:00", "spot")
    asked = directives(slurm_script(root / "search_spaces/digits.yaml", job, "a folder"))
    assert "gpus-per-node" not in asked
    assert asked["partition"] == "spot"
    text = slurm_script(root / "search_spaces/digits.yaml", job, "a folder")
    assert f"\nstudy='{Path('a folder').absolute()}'\n" in text


def test_the_verb_and_the_template_have_the_same_defaults(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    ran = CliRunner().invoke(app, ["slurm-script", "search_spaces/digits.yaml"])
    assert ran.exit_code == 0
    template, verb = directives(TEMPLATE.read_text()), directives(ran.stdout)
    assert verb == template | {"job-name": "groupdir-digits"}


def test_accounts_modules_and_a_container_stand_in_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    options = {"partition": "gpu", "account": "lab@x", "qos": "long", "mem": "64G", "constraint": "[a100|h100]&ib"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    words += ["--module", "python/3.11", "--module", "cuda 12; id", "--container", "/x/it's $HOME.sif"]
    words += ["--interface", "ib0", "--gpus-per-node", "4"]
    ran = CliRunner().invoke(app, ["slurm-script", "search_spaces/digits.yaml", *words])
    assert ran.exit_code == 0, ran.output
    assert directives(ran.stdout).items() >= options.items()
    head = ran.stdout.partition('cd "$checkout"')[0]
    show = 'printf "<%s>" "${modules[@]}" "$container" "${container_options[@]}" "$interface"'
    said = subprocess.run(["bash", "-c", head + show], capture_output=True, text=True, check=True).stdout
    assert said == "<python/3.11><cuda 12; id></x/it's $HOME.sif><--nv><ib0>"


def test_the_name_of_a_study_is_one_word_of_a_directive(root: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    text = (root / "search_spaces/digits.yaml").read_text()
    space.write_text(re.sub(r"^name: .*$", 'name: "a b$(id)"', text, flags=re.MULTILINE))
    job = directives(slurm_script(space, JOB))["job-name"]
    assert re.fullmatch(r"groupdir-[\w.-]+", job), job


@pytest.mark.parametrize("time", ["90", "90:00", "12:00:00", "1-0", "1-12:30", "2-00:00:00"])
def test_times_of_slurm_are_taken(root: Path, time: str) -> None:
    assert directives(slurm_script(root / "search_spaces/digits.yaml", Job(1, 0, 8, time)))["time"] == time


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (Job(1, 0, 8, "12h"), "--time: must be a time limit of Slurm"),
        (Job(1, 0, 8, "1:2:3"), "--time: must be"),
        (Job(1, 0, 8, "10", "a b"), "--partition: must be the name of a partition"),
        (Job(1, 0, 8, "10", account="a\n#SBATCH -x"), "--account: must be the name of an account, got 'a"),
        (Job(1, 0, 8, "10", qos="a b"), "--qos: must be the name of a quality of service"),
        (Job(1, 0, 8, "10", mem="64 GB"), "--mem: must be an amount of memory such as 64G"),
        (Job(1, 0, 8, "10", constraint="a;b"), "--constraint: must be features of nodes"),
        (Job(1, 0, 1, "10"), "search.resources.cpu: a trial requests 2, but a node of the job has 1"),
        (Job(1, 1, 8, "10"), "search.resources.gpu: a trial requests 2, but a node of the job has 1"),
    ],
)
def test_what_slurm_would_refuse_is_refused(root: Path, tmp_path: Path, job: Job, message: str) -> None:
    text = (root / "search_spaces/digits.yaml").read_text(encoding="utf-8")
    gpu = 2 if job.gpus_per_node else "auto"
    space = tmp_path / "space.yaml"
    space.write_text(text.replace("resources: {cpu: 1, gpu: auto}", f"resources: {{cpu: 2, gpu: {gpu}}}"))
    with pytest.raises(ConfigError, match=re.escape(message)):
        slurm_script(space, job)


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (Site(modules=["a\nb"]), "--module: must be one line of text"),
        (Site(container="a\x00b"), "--container: must be one line of text"),
        (Site(interface="eth0; id"), "--interface: must be the name of a network interface"),
    ],
)
def test_what_would_break_the_script_is_refused(root: Path, site: Site, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        slurm_script(root / "search_spaces/digits.yaml", JOB, site=site)


NETWORKS = {
    "hostname": 'echo "192.168.9.9 10.1.0.5 "',
    "scontrol": 'printf "node5\\nnode6\\n"',
    "getent": 'grep " $2$" "$HOSTS" || exit 2',
    "ip": """case "$*" in
        *route*) [ -n "$4" ] && echo "$4 dev eth1 src 10.1.0.5 uid 0" ;;
        *) echo "3: ib0 inet 10.7.0.5/16 scope global" ;;
    esac""",
}


@pytest.mark.parametrize(
    ("hosts", "interface", "address"),
    [
        ("10.1.0.5 node5\n10.1.0.6 node6\n", "", "10.1.0.5"),
        ("127.0.1.1 node5\n10.1.0.5 node5\n10.1.0.6 node6\n", "", "10.1.0.5"),
        ("127.0.1.1 node5\n10.1.0.6 node6\n", "", "10.1.0.5"),  # from which it reaches the other node
        ("172.16.0.5 node5\n10.1.0.6 node6\n", "", "10.1.0.5"),  # an address of a switch, not of this node
        ("127.0.1.1 node5\n", "", "192.168.9.9"),
        ("10.1.0.5 node5\n", "ib0", "10.7.0.5"),
    ],
)
def test_the_address_by_which_the_nodes_know_each_other(
    tmp_path: Path, hosts: str, interface: str, address: str
) -> None:
    """The first address of `hostname -I` is one of another network here."""
    for name, line in NETWORKS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "hosts").write_text(hosts)
    text = TEMPLATE.read_text()
    part = text[text.index("own=$(hostname -I)") : text.index("address=$address:")]
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOSTS": str(tmp_path / "hosts"), "interface": interface}
    ran = subprocess.run(["bash", "-c", part + 'echo "$address"'], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{address}\n"


class Run:
    """The script, run with programs that stand for Slurm, a search and Ray."""

    def __init__(
        self,
        folder: Path,
        space: Path,
        search: str,
        state: str = "RUNNING",
        restarts: int = 0,
        srun: str = SRUN,
        soon: int = 120,
    ) -> None:
        self.calls, self.study, self.folder = folder / "calls", folder / "study", folder
        programs = folder / "programs"
        programs.mkdir(exist_ok=True)
        for name, text in (("srun", srun), ("ray", RAY), ("scontrol", SCONTROL), ("python", search)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755 | stat.S_IXUSR)
        script = folder / "job.sbatch"
        text = slurm_script(space, Job(2, 0, 8, "10"), self.study)
        text = re.sub(r"^checkout=.*$", f"checkout={folder}", text, flags=re.MULTILINE)
        text = re.sub(r"^soon=.*$", f"soon={soon}", text, flags=re.MULTILINE)
        script.write_text(re.sub(r"^environment=.*$", f"environment={programs}", text, flags=re.MULTILINE))
        job = {"SLURM_JOB_ID": "41", "SLURM_JOB_NUM_NODES": "2", "SLURM_SUBMIT_DIR": str(folder), "STATE": state}
        job["SLURM_CPUS_PER_TASK"] = "8"
        env = {**os.environ, **job, "CALLS": str(self.calls), "SLURM_RESTART_COUNT": str(restarts)}
        self.calls.write_text("")
        self.process = subprocess.Popen(["bash", str(script)], env=env, stdout=subprocess.PIPE, text=True)

    def end(self) -> tuple[int, str]:
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said

    @property
    def requeued(self) -> bool:
        return "scontrol requeue 41" in self.calls.read_text()


SUCCESS = '#!/bin/bash\necho "python $*" >> "$CALLS"\n'
DIES = "#!/bin/bash\nkill -KILL $PPID\n"
NO_RAY = "#!/bin/bash\nexit 1\n"
# As a driver: ends with 130 when asked to. What an earlier one left in the lock is the number of another process.
DRIVER = """#!/bin/bash
echo "python $*" >> "$CALLS"
trap 'exit ${CODE:-130}' TERM
mkdir -p study; touch study/ready
for _ in $(seq 300); do sleep 0.1; done
"""


@pytest.fixture
def space(root: Path) -> Path:
    return root / "search_spaces/digits.yaml"


@pytest.mark.parametrize("name", ["a b", "$(touch x)", "\\\\1", "a'b", "ü", "[x]", "`x`"])
def test_a_name_becomes_no_part_of_the_script(tmp_path: Path, name: str) -> None:
    text = Path("search_spaces/digits.yaml").read_text(encoding="utf-8")
    space = tmp_path / f"{name.replace('/', '')}.yaml"
    space.write_text(
        text.replace("name: digits", f"name: {json.dumps(name.replace(chr(92), ''))}", 1), encoding="utf-8"
    )
    script = slurm_script(space, Job(1, 0, 8, "10"), tmp_path / name)
    assert re.fullmatch(r"groupdir-[\w.+=,-]+", directives(script)["job-name"], re.ASCII)
    lines = "\n".join(line for line in script.splitlines() if re.match("(space|study)=", line))
    line = f'{lines}\nprintf "%s\\n" "$space" "$study"'
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [str(space), str(tmp_path / name)]


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must be a path that a line of a script can hold, but .* U\+000A"):
        slurm_script("search_spaces/digits.yaml", Job(1, 0, 8, "10"), tmp_path / "a\nb")


def test_a_search_that_ends_well_ends_the_job(tmp_path: Path, space: Path) -> None:
    run = Run(tmp_path, space, SUCCESS)
    code, said = run.end()
    assert (code, run.requeued) == (0, False), said
    calls = run.calls.read_text()
    assert f"python -m launch search {space} --out {run.study}" in calls
    assert re.search(r"ray symmetric-run --address [\d.]+:20041 --min-nodes 2 --num-cpus 8", calls)
    assert "srun with 8 CPUs" in calls, "Slurm 22.05 and newer would give the step one"
    assert not list(tmp_path.glob(".slurm-*")), "what it was told is removed"


def test_a_study_that_is_there_is_gone_on_with(tmp_path: Path, space: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study/study.sqlite").touch()
    run = Run(tmp_path, space, SUCCESS)
    assert run.end()[0] == 0
    assert f"python -m launch resume {run.study}" in run.calls.read_text()


@pytest.mark.parametrize("code", [1, 2])
def test_a_search_that_fails_fails_the_job_and_is_not_tried_again(tmp_path: Path, space: Path, code: int) -> None:
    run = Run(tmp_path, space, f"#!/bin/bash\nexit {code}\n")
    assert run.end()[0] == code
    assert not run.requeued


def test_a_driver_that_was_killed_is_started_again(tmp_path: Path, space: Path) -> None:
    run = Run(tmp_path, space, DIES)
    assert run.end()[0] == 1
    assert run.requeued


@pytest.mark.parametrize(
    ("search", "srun", "soon"),
    [(SUCCESS, NO_RAY, 120), (SUCCESS, NO_RAY, 0), (DIES, SRUN, 120)],
    ids=["at once", "after long waiting for the other nodes", "with its driver"],
)
def test_what_ends_without_having_searched_is_tried_three_times(
    tmp_path: Path, space: Path, search: str, srun: str, soon: int
) -> None:
    """A port that is taken, no Ray, no memory."""
    for requeued in (True, True, False):
        run = Run(tmp_path, space, search, srun=srun, soon=soon)
        code, said = run.end()
        assert (code, run.requeued) == (1, requeued), said
    assert "3 times in a row it ended before the search began, or within" in said
    assert not list(tmp_path.glob(".slurm-*")), "the next submission begins anew"


def test_but_not_for_ever(tmp_path: Path, space: Path) -> None:
    run = Run(tmp_path, space, DIES, restarts=50)
    code, said = run.end()
    assert (code, run.requeued) == (1, False)
    assert "given up" in said


@pytest.mark.parametrize(("signal", "requeued"), [("USR1", True), ("TERM", False)])
def test_the_driver_is_asked_to_end(tmp_path: Path, space: Path, signal: str, requeued: bool) -> None:
    """USR1 comes before the time is up; TERM with a cancel, or with a preemption that Slurm itself requeues."""
    run = Run(tmp_path, space, DRIVER)
    wait_for(run.study / "ready")
    subprocess.run(["kill", f"-{signal}", str(run.process.pid)], check=True)
    code, said = run.end()
    assert (code, run.requeued) == (130, requeued), said
    assert "asked to end" in said


def test_a_search_that_is_whole_when_its_time_is_up_is_not_queued_again(
    tmp_path: Path, space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE", "0")
    run = Run(tmp_path, space, DRIVER)
    wait_for(run.study / "ready")
    subprocess.run(["kill", "-USR1", str(run.process.pid)], check=True)
    assert run.end()[0] == 0
    assert not run.requeued


def test_a_driver_that_is_not_there_yet_is_asked_when_it_is_and_nobody_else(tmp_path: Path, space: Path) -> None:
    """The lock of a study names a process of an earlier driver's number; the number may be another process's now."""
    (tmp_path / "study").mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / "study/study.lock").write_text(str(other.pid))
        slow = SRUN.replace('exec "$@"', 'touch study/begun; sleep 2; exec "$@"')
        run = Run(tmp_path, space, DRIVER, srun=slow)
        wait_for(run.study / "begun")
        subprocess.run(["kill", "-USR1", str(run.process.pid)], check=True)
        code, said = run.end()
        assert other.poll() is None, "a stranger was ended"
        other.kill()
    assert code in (130, 143), said
    assert run.requeued


def test_a_job_that_was_cancelled_meanwhile_stays_cancelled(tmp_path: Path, space: Path) -> None:
    run = Run(tmp_path, space, DRIVER, state="CANCELLED")
    wait_for(run.study / "ready")
    subprocess.run(["kill", "-USR1", str(run.process.pid)], check=True)
    assert run.end()[0] == 130
    assert not run.requeued


def wait_for(path: Path) -> None:
    import time

    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.05)
