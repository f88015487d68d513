"""Jobs with what their project requires: here, over a link, in a pipe, in a container's place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError
from playstream.pipeline.io.removal import remove_tree
from playstream.pipeline.job.job import check_job
from playstream.pipeline.protocol import FileEntry, Job
from playstream.pipeline.protocol.order import Direction
from playstream.worker.isolation.mounts import list_job_mounts
from playstream.worker.paths import Paths
from tests.galaxy.material import Snapshot, commit_role, make_collection, put_program, snapshot
from tests.processes import is_running, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_records

pytestmark = pytest.mark.usefixtures("warm")
WORKER = f"exec:{sys.executable} -m playstream worker"
SAID = ("the role says hello", "the module says 1.0.0")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """What the tests of this file install, and a cache in which it is after the first one."""
    place = tmp_path_factory.mktemp("shared")
    (place / "mine-tools.tar.gz").write_bytes(built.read_bytes())
    commit_role(place / "role", "hello")
    return place


@pytest.fixture
def material(shared: Path) -> Path:
    return shared


@pytest.fixture
def warm(shared: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "cache"))


def without_times(found: Snapshot, *names: str) -> Snapshot:
    return {name: item for name, item in found.items() if name not in names}


def said_by(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, text
    return [line.split('"')[3] for line in text.splitlines() if '"msg": "the ' in line]


def test_here_and_over_a_link_and_in_a_pipe(stages: Stages, directory: Path) -> None:
    """The same everywhere, and the user's directory is as it was."""
    (directory / "artifacts").mkdir()  # the only place that a run writes to
    before = snapshot(directory)
    for link in ((), ("--on", WORKER)):
        done = stages.call("run", directory, "-p", "site.yml", "--galaxy", *link)
        assert tuple(said_by(done)) == SAID
    remove_tree(directory / "artifacts")
    (directory / "artifacts").mkdir()
    assert without_times(snapshot(directory), ".", "artifacts") == without_times(before, ".", "artifacts")
    before = snapshot(directory)
    for words in ((), ("--dialect", "runner")):
        stream = stages.transmit(directory, "-p", "site.yml", "--galaxy", *words)
        assert snapshot(directory) == before
        result = stages.call("worker", stdin=stream).stdout
        (directory.parent / "target").mkdir(exist_ok=True)
        shown = stages.call("process", directory.parent / "target", stdin=result)
        assert tuple(said_by(shown)) == SAID
    assert stages.leftovers() == []


def test_a_playbook_without_a_private_data_dir(stages: Stages, directory: Path) -> None:
    project = directory / "project"
    (project / "hosts").write_text((directory / "inventory" / "hosts").read_text())
    words = ("playbook", "project/site.yml", "-i", "project/hosts", "--galaxy")
    before = snapshot(directory)
    for link in ((), ("--on", WORKER)):
        done = stages.call(*words, *link, cwd=directory)
        assert tuple(said_by(done)) == SAID
    assert snapshot(directory) == before


def test_a_module_and_a_role(stages: Stages, directory: Path) -> None:
    """A role is looked for before the run, and a module has no playbook beside which collections could be."""
    for link in ((), ("--on", WORKER)):
        done = stages.call("run", directory, "-m", "mine.tools.tell", "--galaxy", *link)
        assert '"msg": "1.0.0"' in done.stdout.decode(), done.stderr.decode()
        assert said_by(stages.call("run", directory, "-r", "greet", "--galaxy", *link)) == [SAID[0]]
    missing = stages.call("run", directory, "-r", "gret", "--galaxy")
    assert missing.returncode == ConfigurationError.exit_status
    assert b"role 'gret' was not found" in missing.stderr


def test_python(directory: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"private_data_dir": directory, "playbook": "site.yml", "quiet": True}
    for link in (None, WORKER):
        run = playstream.run(**options, galaxy=True, on=link)
        assert run.status == "successful", run.explanation
        with run.stdout as text:
            assert SAID[1] in text.read()
    with (tmp_path / "stream").open("wb") as file:
        playstream.run(**options, galaxy=True, streamer="transmit", _output=file)
    job = next(
        item for item in read_records((tmp_path / "stream").read_bytes(), Direction.JOB) if isinstance(item, Job)
    )
    assert job.galaxy is not None
    with pytest.raises(ConfigurationError, match="galaxy: expected"):
        playstream.run(**options, galaxy="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["adjacent", "ansible.cfg"])
def test_what_the_project_has_wins(stages: Stages, directory: Path, place: str) -> None:
    """A collection beside the playbook, or where the project's ansible.cfg says, and a role in roles/."""
    project = directory / "project"
    where = project / ("collections" if place == "adjacent" else "vendor")
    make_collection(where / "ansible_collections" / "mine" / "tools", "9.0.0", "own")
    if place == "ansible.cfg":
        (project / "ansible.cfg").write_text("[defaults]\ncollections_path = vendor:/nowhere\n")
    tasks = project / "roles" / "greet" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- debug:\n    msg: the role says mine\n")
    for link in ((), ("--on", WORKER)):
        done = stages.call("run", directory, "-p", "site.yml", "--galaxy", *link)
        assert said_by(done) == ["the role says mine", "the module says own"]
    stream = stages.transmit(directory, "-p", "site.yml", "--galaxy", "--dialect", "runner")
    result = stages.call("worker", stdin=stream).stdout
    shown = stages.call("process", directory, "-i", "x", stdin=result)
    assert said_by(shown) == ["the role says mine", "the module says own"]


def test_what_the_host_has_comes_last_but_is_found(
    stages: Stages, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    make_collection(host / "ansible_collections" / "mine" / "tools", "0.1.0", "old")
    other = make_collection(host / "ansible_collections" / "mine" / "other", "0.1.0", "other")
    (other / "galaxy.yml").write_text((other / "galaxy.yml").read_text().replace("tools", "other"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(host))
    (directory / "project" / "both.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        + "".join(
            f"  - mine.{name}.tell:\n    register: it\n  - debug:\n      msg: the module says {{{{ it.msg }}}}\n"
            for name in ("tools", "other")
        )
    )
    for link in ((), ("--on", WORKER)):
        done = stages.call("run", directory, "-p", "both.yml", "--galaxy", *link)
        assert said_by(done) == ["the module says 1.0.0", "the module says other"]


def test_patterns_do_not_exclude_it(stages: Stages, directory: Path) -> None:
    (directory / ".playstreamignore").write_text("collections/\nroles/\n.*\n*.md\ntasks/\n")
    stream = stages.transmit(directory, "-p", "site.yml", "--galaxy", "--exclude", "plugins/")
    records = read_records(stream, Direction.JOB)
    paths = {record.path for record in records if isinstance(record, FileEntry)}
    (job,) = (record for record in records if isinstance(record, Job))
    assert job.galaxy is not None
    place = os.fsencode(job.galaxy)
    assert place + b"/roles/greet/tasks/main.yml" in paths
    assert place + b"/collections/ansible_collections/mine/tools/plugins/modules/tell.py" in paths
    assert place + b"/collections/ansible_collections/mine/tools/README.md" in paths
    (directory / "target").mkdir()
    shown = stages.call("process", directory / "target", stdin=stages.call("worker", stdin=stream).stdout)
    assert tuple(said_by(shown)) == SAID


def test_limits_count_it(stages: Stages, directory: Path) -> None:
    words = ("run", directory, "-p", "site.yml", "--galaxy", "--on")
    refused = stages.call(*words, f"{WORKER} --max-tree-entries 12")
    assert b"the tree has too many entries" in refused.stderr
    assert refused.returncode == 81


def test_another_place_in_a_job_is_refused() -> None:
    """On a worker it would be mounted into a container."""
    for place in ("/etc", "../x", ".playstream-galaxy/../..", ".playstream-galaxy/" + "a" * 31):
        with pytest.raises(ConfigurationError, match="galaxy: expected"):
            check_job(Job("x", playbook="site.yml", galaxy=place))


def test_a_sandbox_sees_the_cache(stages: Stages, directory: Path) -> None:
    words = ("--process-isolation", "--process-isolation-executable", "bwrap")
    done = stages.call("run", directory, "-p", "site.yml", "--galaxy", *words)
    assert tuple(said_by(done)) == SAID


def test_a_container_sees_the_cache(tmp_path: Path) -> None:
    """It is mounted read-only, and with a label that other containers have too."""
    made = [tmp_path / name for name in ("demo", "run", "artifacts", "cache/abc")]
    for path in made:
        path.mkdir(parents=True)
    directory, run_dir, artifacts, cache = made
    paths = Paths(directory, directory / "project", run_dir, artifacts, tmp_path, in_place=True, galaxy=cache)
    mounts = [mount.words[1] for mount in list_job_mounts(paths, "x")]
    assert f"{cache}:/runner/.playstream-galaxy/abc:ro,z" in mounts


def test_what_is_refused(stages: Stages, directory: Path) -> None:
    for words, text in (
        (("transmit", directory, "-p", "site.yml", "--galaxy", "--only-transmit-kwargs"), "--galaxy: expected a dir"),
        (("check", WORKER, "--galaxy"), "--galaxy concerns a job"),
        (
            (
                *("transmit", directory, "-p", "site.yml", "--galaxy", "--dialect", "runner"),
                *("--directory-isolation-base-path", directory.parent / "copies"),
            ),
            "--directory-isolation-base-path: cannot be combined",
        ),
    ):
        done = stages.call(*words)
        assert (done.returncode, done.stdout) == (1, b"")
        assert text in done.stderr.decode().replace("\n", " ")
    wrong = stages.call("run", directory, "-p", "site.yml", "--galaxy=again")
    assert b"expected no value or refresh" in wrong.stderr
    (directory / "project" / "requirements.yml").unlink()
    none = stages.call("run", directory, "-p", "site.yml", "--galaxy")
    assert none.returncode == 1
    assert b"--galaxy: expected a file that names collections or roles" in none.stderr


def test_a_failure_sends_nothing(stages: Stages, directory: Path) -> None:
    """The output of ansible-galaxy is shown."""
    (directory / "project" / "requirements.yml").write_text("collections: [../missing.tar.gz]\n")
    for words in (("transmit",), ("run", "--on", WORKER), ("run",)):
        done = stages.call(words[0], directory, "-p", "site.yml", "--galaxy", *words[1:])
        assert (done.returncode, done.stdout) == (89, b"")
        lines = done.stderr.decode().splitlines()
        assert lines[0].startswith(f"playstream {words[0]}: warning: ansible-galaxy: ")
        assert "cannot install the collections of" in lines[-1]
    assert not (directory / "artifacts").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("run",), ("run", "--on", WORKER), ("transmit",), ("transmit", "--hold")])
def test_a_signal_while_it_installs(
    stages: Stages,
    directory: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log = tmp_path / "log"
    stages.path_before.append(put_program(tmp_path / "programs", f"echo $$ > {log}; exec sleep 1000"))
    process = stages.start(words[0], directory, "-p", "site.yml", "--galaxy", *words[1:])
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    said = f"playstream {words[0]}: canceled by {number.name}\n"
    assert (process.returncode, stderr.decode(), stdout) == (CANCELED_EXIT_STATUS, said, b"")
    assert not is_running(int(log.read_text()))
    assert {path.name for path in (tmp_path / "cache" / "playstream" / "galaxy").iterdir()} == {"keys", "content"}


def test_check_counts_it_as_being_there(stages: Stages, directory: Path) -> None:
    requirements = directory / "project" / "requirements.yml"
    place = directory / "project" / "mine"
    make_collection(place, "1.0.0")
    requirements.write_text("collections:\n  - {name: mine.tools, source: mine, type: dir}\n")
    status, found = check(stages, directory)
    assert status == 1
    assert "the collection mine.tools is not installed there" in found["problems"][0]
    status, found = check(stages, directory, "--galaxy")
    assert (status, found["problems"]) == (0, [])
    status, found = check(stages, directory, "--galaxy", link=f"{WORKER} --max-tree-bytes 1000")
    assert "the worker accepts 1000" in found["problems"][0]


def check(stages: Stages, directory: Path, *words: str, link: str = WORKER) -> tuple[int, dict[str, Any]]:
    done = stages.call("check", link, "--json", "--job", directory, *words)
    return done.returncode, json.loads(done.stdout)


def test_start(stages: Stages, directory: Path) -> None:
    started = stages.call("start", directory, "-p", "site.yml", "--galaxy", "-i", "x")
    assert started.stdout == b"started x\n", started.stderr
    status = directory / "artifacts" / "x" / "status"
    wait_until(lambda: status.exists() and status.read_text() == "successful", LIMIT_SECONDS)


def test_an_earlier_place_is_not_sent(stages: Stages, directory: Path) -> None:
    """A directory that was a worker's has what an earlier job has left there."""
    old = directory / ".playstream-galaxy" / ("a" * 32)
    old.mkdir(parents=True)
    (old / "file").touch()
    records = read_records(stages.transmit(directory, "-p", "site.yml", "--galaxy"), Direction.JOB)
    entries = [record for record in records if isinstance(record, FileEntry)]
    assert not [entry for entry in entries if b"aaaa" in entry.path]
    assert len({entry.path for entry in entries}) == len(entries)


def test_what_python_has_compiled_does_not_travel(
    stages: Stages, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stages.transmit(directory, "-p", "site.yml", "--galaxy")
    (greet,) = (tmp_path / "cache").glob("playstream/galaxy/content/*/roles/greet")
    (greet / "__pycache__").mkdir()
    (greet / "__pycache__" / "x.pyc").touch()
    stream = stages.transmit(directory, "-p", "site.yml", "--galaxy")
    records = read_records(stream, Direction.JOB)
    assert not [record for record in records if isinstance(record, FileEntry) and b"__pycache__" in record.path]
