"""run(streamer=…) with encryption."""

from __future__ import annotations

import io
import logging
import os
import threading
from pathlib import Path

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, RemoteProtocolError
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
    for identity, expected in ((keys["other"].identity, "none of the keys"), (None, "--identity FILE")):
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
