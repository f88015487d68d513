"""Nothing is left of a question about sudo, or of a module that runs with sudo and without a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import CANCELED_EXIT_STATUS
from tests.conftest import MakeDir
from tests.e2e.fast.fleet import LINGER, assert_nothing_is_left
from tests.e2e.fast.sudo_host import WITHOUT_PASSWORD, SudoHost
from tests.processes import guards_of, is_running, wait_until
from tests.stages import LIMIT_SECONDS, Stages, stages_for_sockets

pytestmark = [
    pytest.mark.timeout(400),  # whole runs on a busy machine
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may set up sudo for a host of the tests"),
]
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - linger: {{started: "{started}"}}
"""
HANGS = """\
#!/bin/sh
: > {started}
exec sleep 600
"""
"""A sudo that does not answer."""


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stages]:
    """Stages with a short TMPDIR, for sockets, and a state of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with stages_for_sockets() as made:
        yield made


@pytest.fixture(scope="module")
def host() -> Iterator[SudoHost]:
    with tempfile.TemporaryDirectory(prefix="su", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with closing(SudoHost(directory / "host", WITHOUT_PASSWORD)) as made:
            yield made


@pytest.fixture(params=["question", "module", "module, use_pty"])
def job(request: pytest.FixtureRequest, private_data_dir: MakeDir, host: SudoHost) -> Path:
    """A job that hangs in the question about sudo, or in a module that runs as root."""
    started = started_by(host)
    started.unlink(missing_ok=True)
    option = request.param.partition(", ")[2]
    host.allow((f"Defaults {option}\n" if option else "") + WITHOUT_PASSWORD)
    made = private_data_dir({"site.yml": PLAYBOOK.format(started=started)})
    (made / "project" / "library").mkdir()
    (made / "project" / "library" / "linger.py").write_text(LINGER)
    (made / "project" / "ansible.cfg").write_text("[defaults]\nstrategy = host_pinned\n")
    more = []
    if request.param == "question":
        program = host.directory / "hangs"
        program.write_text(HANGS.format(started=started))
        program.chmod(0o755)
        more = [f"ansible_become_exe={program}"]
    (made / "inventory" / "hosts").write_text(host.line("h1", *more))
    return made


def started_by(host: SudoHost) -> Path:
    """Return the file that the job makes when it hangs."""
    return host.temporary / "ansible-of-started"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_after_a_signal(number: signal.Signals, job: Path, tmp_path: Path, host: SudoHost, stages: Stages) -> None:
    stream = tmp_path / "stream"
    stream.write_bytes(stages.transmit(job, "-p", "site.yml", "--fast"))
    with stream.open("rb") as file:
        worker = stages.start("worker", stdin=file, stdout=subprocess.DEVNULL)
    wait_until(started_by(host).exists, LIMIT_SECONDS)
    assert host.processes()
    (guard,) = guards_of(worker.pid)
    worker.send_signal(number)
    worker.communicate(timeout=LIMIT_SECONDS)
    wait_until(lambda: not is_running(guard))
    assert_nothing_is_left(host, stages.temporary)


@pytest.mark.parametrize("how", ["cancel", "job_timeout"])
def test_after_a_request(how: str, job: Path, host: SudoHost, stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(stages.temporary))
    started = started_by(host)
    monkeypatch.setattr(tempfile, "tempdir", None)
    done = playstream.run(
        private_data_dir=job,
        playbook="site.yml",
        fast=True,
        quiet=True,
        cancel_callback=started.exists if how == "cancel" else lambda: False,
        settings={} if how == "cancel" else {"job_timeout": 20},
    )
    assert (done.status, done.rc) == ("canceled" if how == "cancel" else "timeout", CANCELED_EXIT_STATUS)
    assert started.exists()
    del done
    assert_nothing_is_left(host, stages.temporary)
