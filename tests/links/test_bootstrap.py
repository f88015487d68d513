"""--bootstrap: a host with nothing but Python runs a job, and keeps nothing outside of one directory."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import playstream
from playstream.links.bootstrap.link import remote_command
from tests.links.bare import PLAIN_PATH, BareHost, hide_standard_modules
from tests.links.test_check import check
from tests.processes import MOUNTS_ALONE, wait_until
from tests.stages import Stages, read_events

SECRET = "s3cret-of-the-job"  # noqa: S105 - looked for, and not found


def run(stages: Stages, directory: Path, wheels: Path | None, *words: str | Path) -> tuple[int, str]:
    """Run a job on the bare host; return the exit status and what was printed."""
    given = () if wheels is None else ("--wheels", wheels)
    sent = () if any(str(word).startswith("--bootstrap") for word in words) else ("--bootstrap",)
    done = stages.call("run", directory, "-i", "x", "--on", "ssh://worker-1", *sent, *given, *words)
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text, text
    return done.returncode, text


def test_a_bare_host(stages: Stages, directory: Path, bare: BareHost, ansible: None, wheels: Path) -> None:
    """The second run sends nothing, and neither leaves anything outside of the directory."""
    (directory / "env").mkdir()
    (directory / "env" / "extravars").write_text(f"password: {SECRET}\n")
    before = bare.snapshot()
    status, text = run(stages, directory, wheels, "-p", "site.yml")
    assert status == 0, text
    assert "hello node1" in text
    assert "ssh://worker-1: sending playstream for Python" in text
    assert (directory / "artifacts" / "x" / "status").read_text() == "successful"
    assert len(read_events(directory / "artifacts" / "x")) > 5
    bare.wait_until_quiet()
    after = bare.snapshot()
    own = {path: value for path, value in after.items() if not path.startswith(".ansible")}  # Ansible's own
    assert before == {}
    assert all(path.startswith((".cache/playstream", ".cache")) for path in own)
    for path, (mode, uid, content) in own.items():
        private = 0o700 if stat.S_ISDIR(mode) else 0o600
        assert (stat.S_IMODE(mode), uid) == (private, os.getuid()), path
        assert SECRET.encode() not in content, path
    assert stages.leftovers() == []
    shutil.rmtree(directory / "artifacts")
    status, text = run(stages, directory, wheels, "-p", "site.yml")
    assert (status, "sending" in text) == (0, False), text
    bare.wait_until_quiet()
    assert bare.snapshot() == after


@pytest.mark.usefixtures("ansible")
def test_the_python_that_runs_ansible(stages: Stages, directory: Path, bare: BareHost, wheels: Path) -> None:
    done = stages.call("bootstrap", "ssh://worker-1", "--wheels", wheels)
    assert done.returncode == 0, done.stderr
    assert f"for {Path(sys.executable).parent / 'python'}" in done.stdout.decode()


@pytest.mark.parametrize(
    ("first_lines", "directory"),
    [
        ("#!{python}", "env"),
        ("#!{python} -sP", "env"),
        ("#! /usr/bin/env python-of-ansible", "env"),
        ("#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''", "my env"),
        ("#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''", "env"),
    ],
)
def test_first_lines_of_ansible(tmp_path: Path, first_lines: str, directory: str) -> None:
    """The Python is found however pip or a distribution has written the script."""
    python = tmp_path / directory / "python-of-ansible"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$0"\n')
    script = python.parent / "ansible-playbook"
    script.write_text(first_lines.format(python=python) + "\nimport sys\n")
    for path in (python, script):
        path.chmod(0o755)
    env = {"PATH": f"{python.parent}:{PLAIN_PATH}"}
    done = subprocess.run(["sh", "-c", remote_command(of_ansible=True)], env=env, capture_output=True, check=True)
    assert done.stdout.decode() == f"{python}\n"


def test_ansible_is_sent_too(stages: Stages, directory: Path, bare: BareHost, wheels_with_ansible: Path) -> None:
    """The host's Python has no venv and no ensurepip, as Debian's python3 alone."""
    hidden = hide_standard_modules("venv", "ensurepip")
    alone = " ".join(map(shlex.quote, MOUNTS_ALONE))
    script = shlex.quote(f'{hidden}; exec "$0"')
    bare.set_login(f'test -n "$ALONE" || {{ export ALONE=1; exec {alone} sh -c {script} "$0"; }}')
    status, text = run(stages, directory, wheels_with_ansible, "-p", "site.yml", "--bootstrap=ansible")
    assert status == 0, text
    assert "hello node1" in text
    bare.wait_until_quiet()
    program = bare.sent / "venv" / "bin" / "ansible-playbook"
    assert f"{bare.sent}/venv/bin/python3" in program.read_text().partition("import")[0]
    after = bare.snapshot()
    status, (found,) = check(stages, "ssh://worker-1", "--bootstrap=ansible", "--wheels", wheels_with_ansible)
    assert (status, found["problems"]) == (0, [])
    assert found["ansible_core"].startswith("2.")
    bare.wait_until_quiet()
    ours = [{k: v for k, v in each.items() if not k.startswith(".ansible")} for each in (bare.snapshot(), after)]
    assert ours[0] == ours[1]


def test_no_ansible_there(stages: Stages, directory: Path, bare: BareHost, wheels: Path) -> None:
    status, text = run(stages, directory, wheels, "-p", "site.yml")
    assert status == 127
    assert "ansible-playbook was not found" in text
    assert "--bootstrap=ansible" in text


@pytest.mark.usefixtures("ansible")
def test_in_python(
    directory: Path, bare: BareHost, stages: Stages, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", stages.env["PATH"])
    runner = playstream.run(
        private_data_dir=directory,
        playbook="site.yml",
        on="ssh://worker-1",
        bootstrap=True,
        wheels=wheels,
        quiet=True,
    )
    assert (runner.status, runner.rc) == ("successful", 0), runner.explanation
    assert bare.sent.is_dir()


@pytest.mark.usefixtures("ansible")
def test_the_other_commands(stages: Stages, directory: Path, bare: BareHost, wheels: Path) -> None:
    flags = ("--on", "ssh://worker-1", "--bootstrap", "--wheels", wheels)
    done = stages.call("playbook", directory / "project" / "site.yml", "-i", "localhost,", "-c", "local", *flags)
    assert done.returncode == 0, done.stderr
    done = stages.call("start", directory, "-p", "site.yml", "-i", "later", *flags)
    assert (done.returncode, done.stdout) == (0, b"started later\n"), done.stderr
    wait_until(lambda: stages.call("is-alive", directory, "-i", "later", "-q").returncode == 1)
    assert (directory / "artifacts" / "later" / "status").read_text() == "successful"
    status, (found,) = check(stages, "ssh://worker-1", "--bootstrap", "--wheels", wheels)
    assert (status, found["python"]) == (0, platform.python_version())


def test_sending_and_removing(stages: Stages, bare: BareHost, wheels: Path) -> None:
    done = stages.call("bootstrap", "ssh://worker-1", "--wheels", wheels)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith(f"ssh://worker-1: ready: playstream {playstream.__version__} in {bare.sent}")
    (bare.cache / ".new-0123").mkdir()
    (bare.cache / "notes").write_text("the user's")
    done = stages.call("bootstrap", "--remove", "ssh://worker-1")
    assert done.returncode == 90
    assert done.stdout.decode().count("removed ") == 2
    assert f"kept: {bare.cache}/notes was not sent" in done.stdout.decode()
    assert [path.name for path in bare.cache.iterdir()] == ["notes"]
    (bare.cache / "notes").unlink()
    done = stages.call("bootstrap", "--remove", "ssh://worker-1")
    assert (done.returncode, done.stdout) == (0, b"ssh://worker-1: nothing was sent there\n")
    assert sorted(path.name for path in bare.home.rglob("*")) == [".cache"]
    bare.wait_until_quiet()


def test_a_directory_in_use_is_not_removed(fakes: Stages, hanging: Path, bare: BareHost, wheels: Path) -> None:
    bare.add_program(Path(__file__).parent.parent / "worker" / "fakes" / "ansible-playbook")
    flags = ("--on", "ssh://worker-1", "--bootstrap", "--wheels", wheels)
    job = fakes.start("run", hanging, "-p", "hang.yml", "-i", "x", *flags)
    stdout = hanging / "artifacts" / "x" / "stdout"
    wait_until(lambda: stdout.exists() and b"waiting" in stdout.read_bytes())
    done = fakes.call("bootstrap", "--remove", "ssh://worker-1")
    assert done.returncode == 90
    assert f"kept: {bare.sent} is in use by process" in done.stdout.decode()
    job.terminate()
    _, stderr = job.communicate(timeout=60)
    assert job.returncode == 254, stderr
    bare.wait_until_quiet()
    assert fakes.call("bootstrap", "--remove", "ssh://worker-1").returncode == 0
    assert not bare.cache.exists()


def test_one_host_that_fails_does_not_keep_the_others(stages: Stages, bare: BareHost, wheels: Path) -> None:
    done = stages.call("bootstrap", "ssh://no-such-host.invalid", "ssh://worker-1", "--wheels", wheels)
    assert done.returncode == 84
    assert b"ssh://worker-1: ready" in done.stdout
    assert b"has no address" in done.stderr


def test_wheels_of_pips_index_are_kept(
    stages: Stages, bare: BareHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pip has fetched once is used when its index cannot be reached."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = stages.call("bootstrap", "ssh://worker-1")
    assert done.returncode == 0, done.stderr
    assert b"getting wheels with pip" in done.stderr
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "cache" / "playstream").iterdir()} == {0o700}
    shutil.rmtree(bare.cache)
    use_no_index(monkeypatch)
    done = stages.call("bootstrap", "ssh://worker-1")
    assert done.returncode == 0, done.stderr


def use_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip look where nobody answers."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
