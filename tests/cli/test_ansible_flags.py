"""Flags of Ansible's own command line, with each command that runs or sends a job."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from playstream.pipeline.protocol import Job
from playstream.pipeline.protocol.order import Direction
from tests.processes import MODES_BIND
from tests.stages import LIMIT_SECONDS, Stages, read_events, read_records

ALL = "-l node1 -f 3 -u somebody -c local --become --become-user root -C -D"
WORDS = ["--limit", "node1", "--forks", "3", "--user", "somebody", "--connection", "local", "--become"]
WORDS += ["--become-user", "root", "--check", "--diff"]
LOCAL_PYTHON = "ansible_python_interpreter={{ansible_playbook_python}}"
SAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: say
      ansible.builtin.debug:
        msg: "{{ word | default('nothing') }} {{ other | default('else') }}"
"""


def command_of(artifacts: Path) -> list[str]:
    found: list[str] = json.loads((artifacts / "command").read_text())["command"]
    return found


@pytest.fixture
def site(directory: Path) -> Path:
    """A private data directory with a playbook that shows two variables."""
    (directory / "project" / "say.yml").write_text(SAY)
    return directory


def test_run_passes_them_on_beside_the_file_cmdline(stages: Stages, site: Path) -> None:
    """The flags do not replace the words in env/, as --cmdline does."""
    (site / "env").mkdir()
    (site / "env" / "cmdline").write_text("-e other=kept")
    done = stages.call("run", site, "-p", "say.yml", "-i", "7", *ALL.split()[:-2], "-e", "word=given", "-CD")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"given kept" in done.stdout
    command = command_of(site / "artifacts" / "7")
    assert command[3 : 3 + len(WORDS)] == WORDS
    assert command[-3:] == ["-e", "other=***", "say.yml"]


def test_playbook_and_adhoc(stages: Stages, site: Path, tmp_path: Path) -> None:
    inventory = ("-i", site / "inventory", "--artifact-dir", tmp_path, "--ident")
    done = stages.call("playbook", site / "project" / "say.yml", *inventory, "1", *ALL.split(), "-e", "word=given")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"given else" in done.stdout
    assert command_of(tmp_path / "1")[3 : 3 + len(WORDS)] == WORDS
    done = stages.call("adhoc", "all", "-m", "debug", *inventory, "2", *ALL.split())  # needs no sudo
    assert (done.returncode, done.stderr) == (0, b"")
    assert command_of(tmp_path / "2")[3 : 3 + len(WORDS)] == WORDS


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_on_another_host(stages: Stages, site: Path, dialect: str, tmp_path: Path) -> None:
    (tmp_path / "vars.yml").write_text("word: from a file\n")
    words = ("-p", "say.yml", "--dialect", dialect, *ALL.split(), "-e", f"@{tmp_path}/vars.yml", "-e", "other=given")
    done = stages.run(site, *words)
    assert done.exit_statuses == (0, 0, 0), done.stderr
    assert "from a file given" in done.stdout
    command = command_of(done.artifacts)
    assert sorted(set(WORDS) - set(command)) == []
    (ran,) = [event["event_data"]["host"] for event in done.events if event["event"] == "runner_on_ok"]
    assert ran == "node1"


def test_check_changes_nothing(stages: Stages, site: Path, tmp_path: Path) -> None:
    copy = f"content=x dest={tmp_path}/made"
    for words in (("run", site, "--inventory", "node1,"), ("adhoc", "all", "-i", "node1,")):
        done = stages.call(*words, "-m", "copy", "-a", copy, "-c", "local", "-e", LOCAL_PYTHON, "--check", "--diff")
        assert done.returncode == 0, done.stdout
        assert b"+x" in done.stdout
        assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("flag", "shown"),
    [
        ("--list-hosts", "hosts (1):"),
        ("--list-tasks", "say\tTAGS: []"),
        ("--list-tags", "TASK TAGS: []"),
        ("--syntax-check", "playbook: "),
    ],
)
def test_what_only_lists_runs_nothing(stages: Stages, site: Path, flag: str, shown: str) -> None:
    playbook = site / "project" / "say.yml"
    for words in (("run", site, "-p", "say.yml", "-i", "7"), ("playbook", playbook, "-i", site / "inventory")):
        done = stages.call(*words, flag)
        assert (done.returncode, done.stderr) == (0, b"")
        assert shown in done.stdout.decode()
        assert "PLAY" not in done.stdout.decode()
    assert {event["event"] for event in read_events(site / "artifacts" / "7")} == {"verbose"}


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_what_only_lists_elsewhere(stages: Stages, site: Path, dialect: str) -> None:
    (site / "inventory" / "hosts").write_text("")
    run = stages.run(site, "-p", "say.yml", "--dialect", dialect, "--list-hosts")
    assert (run.exit_statuses, run.stderr) == ((0, 0, 0), "")
    assert "hosts (0):" in run.stdout


@pytest.mark.parametrize("flag", ["--list-hosts", "--syntax-check", "--cmdline=--list-hosts", "--cmdline=--syntax"])
def test_what_only_lists_does_not_say_that_no_host_matched(stages: Stages, site: Path, flag: str) -> None:
    """Ansible itself warns about an empty inventory. Without the flag, the sentence is there."""
    (site / "project" / "nobody.yml").write_text(SAY.replace("all", "nobody"))
    done = stages.call("playbook", site / "project" / "nobody.yml", "-i", "node1,", flag)
    assert (done.returncode, done.stderr) == (0, b"")
    (site / "inventory" / "hosts").write_text("")
    for words in (("run", site, "-i", "7", "-p", "say.yml"), ("run", site, "-i", "7", "-m", "ping")):
        if words[4] == "-p" or "hosts" in flag:
            done = stages.call(*words, flag)
            assert (done.returncode, done.stderr) == (0, b"")
        done = stages.call(*words)
        assert b"so nothing was done" in done.stderr


def test_a_wrong_syntax_ends_with_ansibles_status(stages: Stages, site: Path) -> None:
    (site / "project" / "wrong.yml").write_text("- hosts: all\n  tusks: []\n")
    for words in (("run", site, "-p", "wrong.yml"), ("playbook", site / "project" / "wrong.yml")):
        done = stages.call(*words, "--syntax-check")
        assert done.returncode == 4
        assert b"'tusks' is not a valid attribute for a Play" in b" ".join(done.stdout.split())
        assert b"no host" not in done.stderr


def test_adhoc_lists_hosts_without_a_module(stages: Stages) -> None:
    done = stages.call("adhoc", "all", "-i", "node1,node2", "--list-hosts")
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line.strip() for line in done.stdout.decode().splitlines()] == ["hosts (2):", "node1", "node2"]


@pytest.mark.parametrize("command", ["run", "start", "transmit"])
@pytest.mark.parametrize("flag", ["--syntax-check", "--list-tasks", "--list-tags"])
def test_what_does_not_apply_to_a_module(stages: Stages, site: Path, command: str, flag: str) -> None:
    done = stages.call(command, site, "-m", "ping", flag)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"{flag} applies to a playbook or role, but this job runs a module: omit it" in done.stderr.decode()


def test_several_playbooks(stages: Stages, site: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "last.yml").write_text(SAY)
    first, second = site / "project" / "say.yml", site / "project" / "site.yml"
    words = ("-i", site / "inventory", "-e", "word=given", "--artifact-dir", tmp_path, "--ident", "7")
    done = stages.call("playbook", first, second, tmp_path / "more" / "last.yml", *words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"given else") == 2
    assert done.stdout.index(b"given else") < done.stdout.index(b"hello node1") < done.stdout.rindex(b"given else")
    assert command_of(tmp_path / "7")[-3:] == ["say.yml", "site.yml", str(tmp_path / "more" / "last.yml")]
    done = stages.call("playbook", *words[:4], second, first, "-e", "broken=1")
    assert done.returncode == 2
    assert b"given else" not in done.stdout, "Ansible stops at the first that fails"


@pytest.mark.parametrize(
    ("line", "exit_status", "expected"),
    [
        ("playbook DIR/project/say.yml DIR/project/nope.yml", 1, "playbook 'nope.yml' was not found in"),
        ("playbook DIR/project/say.yml DIR/nope/say.yml", 1, "playbook 'DIR/nope/say.yml' was not found in 'DIR/nope'"),
        ("playbook DIR/project/say.yml ''", 2, "expected a file, got an empty string"),
        ("playbook", 2, "the following arguments are required: FILE"),
        ("playbook a.yml -C b.yml", 2, "unrecognized arguments: b.yml; pass all of FILE … together, without flags"),
    ],
)
def test_playbooks_that_are_not_there(stages: Stages, site: Path, line: str, exit_status: int, expected: str) -> None:
    done = stages.call(*shlex.split(line.replace("DIR", str(site))))
    assert done.returncode == exit_status
    assert expected.replace("DIR", str(site)) in done.stderr.decode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run DIR -p say.yml -b", "argument -b/--binary: expected one argument. -b is short for --binary; Ansible's"),
        (
            "run DIR -p say.yml -o",
            "expected one argument. -o is short for --output; Ansible's -o is --cmdline=--one-line",
        ),
        ("run DIR -p say.yml -b -C", "Ansible's -b is --become here"),
        ("run -b DIR -p say.yml", "the following arguments are required: DIR. -b is short for --binary"),
        ("-b run DIR -p say.yml", "Ansible's -b is --become here"),
        ("transmit DIR -p say.yml -b", "Ansible's -b is --become here"),
        ("playbook FILE -b", "unrecognized arguments: -b; what Ansible calls -b is --become here"),
        ("adhoc all -m ping -b", "what Ansible calls -b is --become here"),
        ("adhoc all --module-name ping", "what Ansible calls --module-name is --module here"),
        ("run DIR -p say.yml --key-file x", "what Ansible calls --key-file is --private-key here"),
        (
            "playbook FILE --flush-cache",
            "(--flush-cache is an option of Ansible: pass it in --cmdline '--flush-cache …')",
        ),
        ("run DIR -m ping -T 3", "(-T is an option of Ansible: pass it in --cmdline"),
    ],
)
def test_a_flag_of_ansible_with_another_name(stages: Stages, site: Path, line: str, expected: str) -> None:
    done = stages.call(*line.replace("DIR", str(site)).split())
    assert done.returncode == 2
    assert expected in done.stderr.decode()


def test_a_binary_that_is_given_is_not_explained(stages: Stages, site: Path) -> None:
    done = stages.call("run", site, "-p", "say.yml", "-b", "ansible-playbook", "--forks", "x")
    assert b"--become" not in done.stderr
    done = stages.call("run", site, "-p", "say.yml", "--become-user", "")
    assert b"is short for" not in done.stderr


@pytest.mark.parametrize("command", ["run", "playbook", "adhoc"])
def test_a_summary(stages: Stages, site: Path, tmp_path: Path, command: str) -> None:
    words: dict[str, tuple[str | Path, ...]] = {
        "run": ("run", site, "-p", "say.yml", "-i", "7"),
        "playbook": ("playbook", site / "project" / "say.yml", "-i", site / "inventory", "--ident", "7"),
        "adhoc": ("adhoc", "all", "-m", "debug", "-i", site / "inventory", "--ident", "7"),
    }
    shown = stages.call(*words[command], "--summary", "-", "--raw-output")
    assert (shown.returncode, shown.stderr) == (0, b"")
    found = json.loads(shown.stdout)
    assert (found["ident"], found["status"], found["rc"]) == ("7", "successful", 0)
    assert found["summary"]["node1"]["ok"] == 1
    written = stages.call(*words[command], "--summary", tmp_path / "summary.json")
    assert written.returncode == 0
    assert b"SUCCESS" in written.stdout or b"PLAY RECAP" in written.stdout
    assert json.loads((tmp_path / "summary.json").read_text())["summary"] == found["summary"]
    assert (tmp_path / "summary.json").stat().st_mode & 0o777 == 0o600


def test_a_summary_of_what_failed_and_one_that_cannot_be_written(stages: Stages, site: Path, tmp_path: Path) -> None:
    done = stages.call("run", site, "-p", "site.yml", "-e", "broken=1", "--summary", "-")
    assert done.returncode == 2
    assert json.loads(done.stdout)["summary"]["node1"]["failures"] == 1
    done = stages.call("run", site, "-p", "say.yml", "--summary", "/dev/full")
    assert done.returncode == 71
    assert b"the summary cannot be written to '/dev/full': No space left on device" in done.stderr
    inside = site / "artifacts" / "x" / "summary.json"
    assert stages.call("run", site, "-p", "say.yml", "-i", "x", "--summary", inside).returncode == 0
    assert json.loads(inside.read_text())["ident"] == "x"


@pytest.mark.parametrize("command", ["run", "start", "playbook", "process"])
def test_a_summary_that_cannot_be_written_is_told_before_the_run(
    stages: Stages, site: Path, tmp_path: Path, command: str
) -> None:
    words: dict[str, list[str | Path]] = {
        "run": [site, "-p", "say.yml"],
        "start": [site, "-p", "say.yml"],
        "playbook": [site / "project" / "say.yml", "-i", "node1,"],
        "process": [site],
    }
    (tmp_path / "closed").mkdir(0o500)
    (tmp_path / "read-only").touch(0o400)
    for name, expected in (
        ("nope/summary.json", f"its directory '{tmp_path}/nope' does not exist"),
        ("closed", "Is a directory. Name a file"),
        ("closed/summary.json", "Permission denied. Check its owner and mode"),
        ("read-only", "Permission denied. Check its owner and mode"),
    ):
        run = stages.start(command, *words[command], "--summary", tmp_path / name, prefix=MODES_BIND)
        stdout, stderr = run.communicate(b"", timeout=LIMIT_SECONDS)
        assert (run.returncode, stdout) == (1, b"")
        assert f"--summary: '{tmp_path}/{name}' cannot be written: {expected}" in stderr.decode()
    assert not (site / "artifacts").exists()


def test_a_summary_of_a_run_in_the_background(stages: Stages, site: Path) -> None:
    done = stages.call("start", site, "-p", "say.yml", "--summary", "-")
    assert done.returncode == 1
    assert b"playstream start: --summary -: start shows no output. Name a file" in done.stderr
    assert not (site / "artifacts").exists()


def test_a_job_that_is_sent_has_them_as_fields(stages: Stages, site: Path) -> None:
    sent = stages.transmit(site, "-p", "say.yml", *ALL.split(), "--list-tags", "-e", "{a: 1}")
    job = read_records(sent, Direction.JOB)[0]
    assert isinstance(job, Job)
    assert (job.limit, job.forks, job.user, job.connection) == ("node1", 3, "somebody", "local")
    assert (job.become, job.become_user, job.check, job.diff, job.list_tags) == (True, "root", True, True, True)
    assert job.extravars_texts == ("{a: 1}",)
