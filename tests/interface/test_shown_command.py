"""No secret of a command line or an environment is where a command is shown, kept or sent."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat import ansible_runner
from tests.interface.programs import fake

PW = "xyZZy4711"
PLAY = [{"hosts": "all", "gather_facts": False, "tasks": []}]
OPTIONS: dict[str, Any] = {
    "playbook": PLAY,
    "cmdline": f'-e password={PW} --extra-vars \'{{"b": "{PW}"}}\' -i https://u:{PW}@host/inventory',
    "envvars": {
        "PLAYSTREAM_STORE": f"postgresql://u:{PW}@h/db",
        "ODD": PW,
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": f"h:6379:0:{PW}",
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "ANSIBLE_SSH_COMMON_ARGS": f'-o ProxyCommand="sshpass -p {PW} ssh gate"',
        "ANSIBLE_GALAXY_SERVER": f"https://u:{PW}@galaxy.example",
        "ANSIBLE_FORKS": "7",
    },
    "quiet": True,
}
SHOWN = {
    "PLAYSTREAM_STORE": "***",
    "ODD": "***",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION": "h:6379:0:***",
    "ANSIBLE_SSH_COMMON_ARGS": '-o ProxyCommand="sshpass -p *** ssh gate"',
    "ANSIBLE_GALAXY_SERVER": "https://u:***@galaxy.example",
    "ANSIBLE_FORKS": "7",
}


def check(kept: str, told: list[dict[str, Any]]) -> None:
    command = json.loads(kept)
    starting = next(data for data in told if data["status"] == "starting")
    for shown in (command, starting):
        assert SHOWN.items() <= shown["env"].items()
        words = shown["command"]
        assert {"password=***", "***", "https://u:***@host/inventory"} <= set(words)
    assert PW not in kept + json.dumps(told)


@pytest.mark.parametrize("run", [playstream.run, ansible_runner.run], ids=["playstream", "compat"])
def test_a_run(run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told: list[dict[str, Any]] = []
    caplog.set_level(logging.DEBUG)
    # The program sees what was given.
    script = fake(tmp_path, f'case "$ODD $*" in {PW}*{PW}*{PW}*{PW}*) exit 0; esac; exit 3')
    ran = run(
        private_data_dir=str(tmp_path),
        ident="1",
        binary=script,
        **OPTIONS,
        status_handler=lambda data, runner_config: told.append(data),  # noqa: ARG005 - called by keyword
    )
    assert ran.rc == 0
    check((tmp_path / "artifacts/1/command").read_text(), told)
    assert PW not in caplog.text


@pytest.mark.parametrize("dialect", ["native", "runner"])
def test_a_pipe(dialect: str, tmp_path: Path) -> None:
    job, results = io.BytesIO(), io.BytesIO()
    told: list[dict[str, Any]] = []
    more: dict[str, Any] = {} if dialect == "native" else {"dialect": "runner"}
    script = fake(tmp_path, "exit 0")
    playstream.run(streamer="transmit", private_data_dir=tmp_path, _output=job, binary=script, **OPTIONS, **more)
    playstream.run(streamer="worker", _input=io.BytesIO(job.getvalue()), _output=results)
    if dialect == "runner":
        assert PW.encode() not in results.getvalue()
    playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        ident="2",
        _input=io.BytesIO(results.getvalue()),
        quiet=True,
        status_handler=lambda data, runner_config: told.append(data),  # noqa: ARG005 - called by keyword
    )
    check((tmp_path / "artifacts/2/command").read_text(), told)


def test_the_stream_of_a_worker_that_hides_nothing(tmp_path: Path) -> None:
    """ansible-runner's sends the values."""
    told: list[dict[str, Any]] = []
    words = [
        "ansible-playbook",
        "-e",
        f"password={PW}",
        "--extra-vars",
        f'{{"b": "{PW}"}}',
        "-i",
        f"https://u:{PW}@host/inventory",
    ]
    lines: list[dict[str, Any]] = [
        {"status": "starting", "runner_ident": "x", "command": words, "env": OPTIONS["envvars"], "cwd": "/x"},
        {"status": "successful", "runner_ident": "x"},
        {"eof": True},
    ]
    playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        ident="3",
        quiet=True,
        _input=io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines)),
        status_handler=lambda data, runner_config: told.append(data),  # noqa: ARG005 - called by keyword
    )
    check((tmp_path / "artifacts/3/command").read_text(), told)
