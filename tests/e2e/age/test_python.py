"""run(streamer=…) with encryption."""

from __future__ import annotations

import io
import logging
import os
import threading
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError, RemoteProtocolError
from tests.e2e.age.conftest import Key


def test_three_stages_in_one_program(
    directory: Path, keys: dict[str, Key], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    job, results = io.BytesIO(), tmp_path / "results"
    playstream.run(
        streamer="transmit",
        private_data_dir=directory,
        playbook="site.yml",
        _output=job,
        encrypt_to=[keys["rsa"].recipient, keys["age"].recipient],
    )
    assert job.getvalue().startswith(b"\xf5\x00ps-age")
    job.seek(0)
    with results.open("wb") as output:
        worked = playstream.run(
            streamer="worker",
            _input=job,
            _output=output,
            identity=keys["age"].identity,
            encrypt_to=keys["ed25519"].recipient,
        )
    assert worked.rc == 0
    assert results.read_bytes().startswith(b"age-encryption.org/v1\n")
    with results.open("rb") as given:
        run = playstream.run(
            streamer="process",
            private_data_dir=directory,
            _input=given,
            quiet=True,
            identity=[str(keys["other"].identity), keys["ed25519"].identity],
        )
    assert (run.status, run.rc) == ("successful", 0)
    assert caplog.records == []
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)


def test_a_held_job_is_canceled(directory: Path, keys: dict[str, Key], tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    playbook = f"- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo > {gate}; sleep 600\n"
    (directory / "project" / "wait.yml").write_text(playbook)
    reading, writing = os.pipe()
    key = keys["ed25519"]
    with os.fdopen(reading, "rb") as job, io.BytesIO() as results:
        with os.fdopen(writing, "wb") as output:
            sending, transmit = playstream.run_async(
                streamer="transmit",
                private_data_dir=directory,
                playbook="wait.yml",
                hold=True,
                encrypt_to=key.recipient,
                _output=output,
            )
            serving, worker = playstream.run_async(
                streamer="worker", _input=job, _output=results, identity=key.identity, encrypt_to=key.recipient
            )
            gate.read_text()  # waits until the job runs
            transmit.cancel()
            sending.join()
        serving.join()
        assert (transmit.status, worker.status) == ("canceled", "canceled")
        results.seek(0)
        run = playstream.run(
            streamer="process", private_data_dir=directory, _input=results, quiet=True, identity=key.identity
        )
    assert (run.status, run.exit_status) == ("canceled", CANCELED_EXIT_STATUS)


def test_errors_are_raised(directory: Path, keys: dict[str, Key], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "playstream")
    job = io.BytesIO()
    playstream.run(
        streamer="transmit",
        private_data_dir=directory,
        playbook="site.yml",
        _output=job,
        encrypt_to=keys["age"].recipient,
    )
    for identity, expected in ((keys["other"].identity, "none of the keys"), (None, r"secret key \(identity FILE\)")):
        with pytest.raises(RemoteProtocolError, match=expected):
            playstream.run(
                streamer="worker", _input=io.BytesIO(job.getvalue()), _output=io.BytesIO(), identity=identity
            )
    run = playstream.run(
        streamer="process",
        private_data_dir=directory,
        _input=io.BytesIO(job.getvalue()),
        quiet=True,
        identity=keys["other"].identity,
    )
    assert run.status == "error"
    assert "none of the keys" in str(run.explanation)
    with pytest.raises(ConfigurationError, match="identity: /nowhere cannot be read"):
        playstream.run(
            streamer="process", private_data_dir=directory, _input=io.BytesIO(), quiet=True, identity="/nowhere"
        )
    with pytest.raises(ConfigurationError, match="encrypt_to: expected at least one"):
        playstream.run(streamer="transmit", private_data_dir=directory, playbook="site.yml", encrypt_to=[])
