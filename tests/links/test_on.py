"""run --on LINK and its siblings: a run on another host is, for this one, like a run here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from playstream.pipeline.errors import CANCELED_EXIT_STATUS
from tests.links.conftest import WORKER
from tests.processes import children, marked_processes, wait_until
from tests.stages import LIMIT_SECONDS, Stages, read_events


def text_of(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode()


def names_in(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if "job_events" not in path.parts}


def test_a_run_leaves_what_a_run_here_leaves(stages: Stages, directory: Path) -> None:
    here = stages.call("run", directory, "-p", "site.yml", "-i", "here")
    there = stages.call("run", directory, "-p", "site.yml", "-i", "there", "--on", WORKER)
    assert (here.returncode, there.returncode) == (0, 0), text_of(there)
    assert there.stdout == here.stdout
    assert there.stderr == here.stderr == b""
    artifacts = directory / "artifacts"
    assert names_in(artifacts / "there") == names_in(artifacts / "here")
    assert (artifacts / "there" / "stdout").read_bytes() == (artifacts / "here" / "stdout").read_bytes()
    kinds = [[event["event"] for event in read_events(artifacts / ident)] for ident in ("here", "there")]
    assert kinds[0] == kinds[1]
    assert (artifacts / "latest").readlink() == Path("there")
    assert stages.leftovers() == []


def test_a_failed_run(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "-e", "broken=yes", "-i", "x", "--on", WORKER)
    assert done.returncode == 2
    assert done.stderr.decode() == "playstream run: failed: node1 failed at task 'break': broken\n"


def test_no_ident_is_needed(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "--on", WORKER)
    assert done.returncode == 0
    assert f"artifacts: {directory}/artifacts/{(directory / 'artifacts' / 'latest').readlink()}" in text_of(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_cancels_the_job_and_not_the_link(
    fakes: Stages, hanging: Path, number: signal.Signals
) -> None:
    """As Ctrl-C does: the link must last until the worker has reported how the job ended."""
    run = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x", "--on", WORKER, start_new_session=True)
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    if number is signal.SIGINT:
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    _, stderr = run.communicate(timeout=LIMIT_SECONDS)
    assert (run.returncode, stderr.decode()) == (
        CANCELED_EXIT_STATUS,
        f"playstream run: canceled by {number.name}\n",
    )
    artifacts = hanging / "artifacts" / "x"
    assert (artifacts / "status").read_text() == "canceled"
    assert (artifacts / "stderr").exists()  # it is among the artifacts that the worker sends at the end
    assert marked_processes(fakes.temporary) == []
    assert fakes.leftovers() == []


def test_a_run_in_the_background(fakes: Stages, hanging: Path) -> None:
    started = fakes.call("start", hanging, "-p", "hang.yml", "-i", "x", "--on", WORKER)
    assert text_of(started) == "started x\n"
    assert fakes.call("is-alive", hanging, "-i", "x").returncode == 0
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    assert text_of(fakes.call("stop", hanging, "-i", "x")) == "stopped x\n"
    assert (hanging / "artifacts" / "x" / "status").read_text() == "canceled"
    assert fakes.call("is-alive", hanging).returncode == 1
    assert marked_processes(fakes.temporary) == []


def test_the_worker_is_killed(fakes: Stages, hanging: Path) -> None:
    """Everything received before is kept, and the message says how the program ended."""
    run = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x", "--on", WORKER)
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    (worker,) = children(run.pid)
    os.kill(worker, signal.SIGKILL)
    _, stderr = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 75
    assert "was ended by signal 9" in stderr.decode()
    assert (hanging / "artifacts" / "x" / "status").read_text() == "error"
    wait_until(lambda: marked_processes(fakes.temporary) == [])


def test_a_playbook_without_a_private_data_dir(stages: Stages, directory: Path) -> None:
    """Its directory is sent, and only that."""
    project = directory / "project"
    (project / "hosts").write_text((directory / "inventory" / "hosts").read_text())
    (project / "env").mkdir()
    (project / "env" / "extravars").write_text("broken: yes\n")  # it is not a private data directory
    (project / "args").write_text("something else\n")
    (project / "roles").mkdir()
    (directory / "roles" / "greet").rename(project / "roles" / "greet")
    (project / "role.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  roles: [{role: greet, who: hello, n: 41}]\n"
    )
    kept = directory / "kept"
    words = ("-i", "project/hosts", "--on", WORKER, "--artifact-dir", str(kept), "--ident", "x")
    done = stages.call("playbook", "project/site.yml", "project/role.yml", *words, cwd=directory)
    assert done.returncode == 0, text_of(done)
    assert "hello node1" in text_of(done)
    assert "hello 42" in text_of(done)
    assert (kept / "x" / "status").read_text() == "successful"


def test_an_inventory_that_would_not_be_sent_is_refused(stages: Stages, directory: Path) -> None:
    done = stages.call("playbook", "project/site.yml", "-i", "inventory/hosts", "--on", WORKER, cwd=directory)
    assert done.returncode == 1
    assert "would not reach the worker" in text_of(done)


def test_a_home_directory_is_not_sent(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "site.yml").write_text("[]\n")
    done = stages.call("playbook", tmp_path / "site.yml", "--on", WORKER)
    assert done.returncode == 1
    assert "all of it would be sent" in text_of(done)


def test_an_adhoc_command(stages: Stages, directory: Path) -> None:
    hosts = directory / "inventory" / "hosts"
    done = stages.call("adhoc", "all", "-i", hosts, "-a", "echo from there", "--on", WORKER)
    assert done.returncode == 0, text_of(done)
    assert "node1 | CHANGED" in text_of(done)
    refused = stages.call("adhoc", "all", "-i", hosts.parent, "-a", "true", "--on", WORKER)
    assert refused.returncode == 1
    assert "is a directory: adhoc sends only files" in text_of(refused)


def test_the_link_may_come_from_the_environment(
    stages: Stages, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYSTREAM_ON", "exec:false")
    assert "link exec:false" in text_of(stages.call("run", directory, "-p", "site.yml"))
    done = stages.call("run", directory, "-p", "site.yml", "--on", "local:")
    assert done.returncode == 0, text_of(done)


def test_it_never_comes_from_the_directory(stages: Stages, directory: Path) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("'on': 'exec:false'\n")
    (directory / "env" / "envvars").write_text("PLAYSTREAM_ON: 'exec:false'\n")
    assert stages.call("run", directory, "-p", "site.yml").returncode == 0


def test_flags_of_the_connection_need_one(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "--exclude", "*.log")
    assert done.returncode == 1
    assert "--exclude concerns the connection to another host: pass --on LINK too" in text_of(done)


def test_what_is_excluded_is_not_sent(stages: Stages, directory: Path) -> None:
    (directory / "project" / "large.bin").write_bytes(bytes(1000))
    (directory / "project" / "look.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.stat: {path: '{{ playbook_dir }}/large.bin'}\n      register: found\n"
        "    - ansible.builtin.debug: {msg: 'exists: {{ found.stat.exists }}'}\n"
    )
    done = stages.call("run", directory, "-p", "look.yml", "--exclude", "*.bin", "--on", WORKER)
    assert "exists: False" in text_of(done)


def test_both_directions_encrypted(stages: Stages, directory: Path, tmp_path: Path) -> None:
    ours, theirs = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("ours", ours), ("theirs", theirs)):
        (tmp_path / name).write_text(f"{identity}\n")
        (tmp_path / name).chmod(0o600)
    link = f"{WORKER} --identity {tmp_path}/theirs --encrypt-to {ours.to_public()}"
    words = ("--on", link, "--encrypt-to", str(theirs.to_public()), "--identity", str(tmp_path / "ours"))
    done = stages.call("run", directory, "-p", "site.yml", *words)
    assert done.returncode == 0, text_of(done)
    plain = stages.call("run", directory, "-p", "site.yml", "--on", link, "--identity", tmp_path / "ours")
    assert plain.returncode != 0
    assert "encrypt" in text_of(plain)


def test_ansible_is_missing_there(stages: Stages, directory: Path) -> None:
    """The message says where, and the exit status is that of a missing program."""
    done = stages.call("run", directory, "-p", "site.yml", "-b", "no-such-ansible", "--on", WORKER)
    assert done.returncode == 127
    assert f"exec:{sys.executable}: " in text_of(done)
    assert "no-such-ansible" in text_of(done)


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("false", 75, "no worker answered, and the program ended with exit status 1"),
        ("sh -c 'echo boom >&2; exit 3'", 75, "exit status 3; its last message: boom"),
        ("sh -c 'exit 127'", 87, "playstream: give its whole path"),
        ("echo hello", 75, "only 6 bytes of other output"),
        ("sh -c 'kill -9 $$'", 75, "was ended by signal 9"),
    ],
)
def test_what_is_no_worker(stages: Stages, directory: Path, command: str, status: int, said: str) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "--on", f"exec:{command}")
    assert done.returncode == status, text_of(done)
    assert said in text_of(done)
    assert "Traceback" not in text_of(done)
