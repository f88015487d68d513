"""Nothing of a fast run is left, here or on the hosts, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import CANCELED_EXIT_STATUS
from tests.conftest import MakeDir
from tests.e2e.fast.fleet import LINGER, Fleet, assert_nothing_is_left
from tests.processes import guards_of, is_running, wait_until
from tests.stages import LIMIT_SECONDS, Stages, stages_for_sockets

pytestmark = pytest.mark.timeout(400)  # whole runs on three hosts, on a busy machine
SLOW = """\
- hosts: web
  gather_facts: false
  tasks:
    - command: echo first
    - linger: {{started: "{started}/{{{{ inventory_hostname }}}}"}}
"""


@pytest.fixture
def stages() -> Iterator[Stages]:
    """Stages with a short TMPDIR, for sockets."""
    with stages_for_sockets() as made:
        yield made


def make_job(private_data_dir: MakeDir, tmp_path: Path, fleet: Fleet, text: str = SLOW, **config: str) -> Path:
    """A job on the fleet, each host of which says in `tmp_path / "started"` that its module is at work."""
    started = tmp_path / "started"
    started.mkdir()
    job = private_data_dir({"site.yml": text.format(started=started)})
    (job / "project" / "library").mkdir()
    (job / "project" / "library" / "linger.py").write_text(LINGER)
    (job / "inventory" / "hosts").write_text(fleet.inventory())
    if config:
        lines = "".join(f"{name} = {value}\n" for name, value in config.items())
        (job / "project" / "ansible.cfg").write_text(f"[defaults]\n{lines}")
    return job


def all_started(tmp_path: Path) -> bool:
    return len(list((tmp_path / "started").iterdir())) == 3


KINDS = {"mitogen": {}, "shared connections": {"strategy": "host_pinned"}}
"""What is chosen, by what is set in ansible.cfg: a strategy of the user's own is kept."""


@pytest.mark.parametrize("kind", KINDS)
def test_after_its_end(
    kind: str, private_data_dir: MakeDir, tmp_path: Path, fleet: Fleet, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(stages.temporary))
    job = make_job(private_data_dir, tmp_path, fleet, "- hosts: web\n  tasks: [{{command: id}}]\n", **KINDS[kind])
    done = stages.call("run", job, "-p", "site.yml", "--fast", "--artifact-dir", tmp_path / "artifacts")
    assert done.returncode == 0, done.stdout.decode()
    assert_nothing_is_left(fleet, stages.temporary)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_after_a_signal(
    kind: str, number: signal.Signals, private_data_dir: MakeDir, tmp_path: Path, fleet: Fleet, stages: Stages
) -> None:
    job = make_job(private_data_dir, tmp_path, fleet, **KINDS[kind])
    stream = tmp_path / "stream"
    stream.write_bytes(stages.transmit(job, "-p", "site.yml", "--fast"))
    with stream.open("rb") as file:
        worker = stages.start("worker", stdin=file, stdout=subprocess.DEVNULL)
    wait_until(lambda: all_started(tmp_path), LIMIT_SECONDS)
    assert fleet.processes()
    (guard,) = guards_of(worker.pid)
    worker.send_signal(number)
    worker.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not is_running(guard))
    assert_nothing_is_left(fleet, stages.temporary)


def test_a_command_ends_with_its_connection(
    private_data_dir: MakeDir, tmp_path: Path, fleet: Fleet, stages: Stages
) -> None:
    """As with a terminal; mitogen does not do that (docs/fast.md)."""
    text = "- hosts: web\n  tasks:\n    - shell: touch {started}/{{{{ inventory_hostname }}}}; sleep 600\n"
    job = make_job(private_data_dir, tmp_path, fleet, text, **KINDS["shared connections"])
    worker = stages.start("run", job, "-p", "site.yml", "--fast", stdout=subprocess.DEVNULL)
    wait_until(lambda: all_started(tmp_path), LIMIT_SECONDS)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=LIMIT_SECONDS)
    assert_nothing_is_left(fleet, stages.temporary)


@pytest.mark.parametrize("how", ["cancel", "job_timeout"])
def test_after_a_stop(
    how: str,
    private_data_dir: MakeDir,
    tmp_path: Path,
    fleet: Fleet,
    stages: Stages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(stages.temporary))
    monkeypatch.setenv("TMPDIR", str(stages.temporary))
    job = make_job(private_data_dir, tmp_path, fleet)
    options: dict[str, Any] = {"cancel_callback": lambda: all_started(tmp_path)}
    if how == "job_timeout":
        options = {"settings": {"job_timeout": 30}}
    run = playstream.run(private_data_dir=job, playbook="site.yml", fast=True, quiet=True, **options)
    assert run.rc == CANCELED_EXIT_STATUS
    assert run.status == {"cancel": "canceled", "job_timeout": "timeout"}[how]
    del run
    assert_nothing_is_left(fleet, stages.temporary)


def test_the_users_own_directory_for_sockets_is_not_used(
    private_data_dir: MakeDir, tmp_path: Path, fleet: Fleet, stages: Stages
) -> None:
    before = (
        set(os.listdir(Path("~/.ansible/cp").expanduser())) if Path("~/.ansible/cp").expanduser().is_dir() else set()
    )
    job = make_job(
        private_data_dir, tmp_path, fleet, "- hosts: web\n  tasks: [{{command: id}}]\n", strategy="host_pinned"
    )
    done = stages.call("run", job, "-p", "site.yml", "--fast", "--artifact-dir", tmp_path / "artifacts")
    assert done.returncode == 0, done.stdout.decode()
    directory = Path("~/.ansible/cp").expanduser()
    assert (set(os.listdir(directory)) if directory.is_dir() else set()) <= before


def test_a_key_of_the_job_is_used(private_data_dir: MakeDir, tmp_path: Path, fleet: Fleet, stages: Stages) -> None:
    job = make_job(private_data_dir, tmp_path, fleet, "- hosts: web\n  tasks: [{{command: id}}]\n")
    hosts = job / "inventory" / "hosts"
    lines = [line for line in hosts.read_text().splitlines() if "private_key_file" not in line]
    hosts.write_text("\n".join(lines) + "\n")
    done = stages.call(
        "run",
        job,
        "-p",
        "site.yml",
        "--fast",
        "--private-key",
        fleet.user_key,
        "--artifact-dir",
        tmp_path / "artifacts",
        "--logfile",
        tmp_path / "log",
    )
    assert done.returncode == 0, done.stdout.decode()
    assert "fast: mitogen_linear, pipelining, shared ssh connections" in (tmp_path / "log").read_text()
    assert_nothing_is_left(fleet, stages.temporary)
