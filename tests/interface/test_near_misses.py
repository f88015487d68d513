"""Names in dictionaries that are nearly right: a warning, once, and no error."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.job import near_misses
from playstream.transmit.stage import Transmitter
from tests.interface.programs import INVENTORY


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_misses, "_told", set())


def warnings_of(caplog: pytest.LogCaptureFixture, **options: Any) -> list[str]:
    caplog.clear()
    Transmitter({"module": "ping", "inventory": INVENTORY, **options})
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("job_timout", "job_timeout"),
        ("JOB_TIMEOUT", "job_timeout"),
        ("idle-timeout", "idle_timeout"),
        ("timeout", "job_timeout"),
        ("container_images", "container_image"),
        ("process_isolation_executables", "process_isolation_executable"),
    ],
)
def test_settings(caplog: pytest.LogCaptureFixture, name: str, guess: str) -> None:
    (warning,) = warnings_of(caplog, settings={name: "x", "job_timeout": 5})
    assert warning == f"settings: {name!r} is not a setting of playstream; did you mean {guess!r}?"
    assert warnings_of(caplog, settings={name: "x"}) == [], "each is told once"


@pytest.mark.parametrize("name", ["runner_http_url", "runner_http_headers", "mine", "job", "x-y", ""])
def test_settings_of_plugins(caplog: pytest.LogCaptureFixture, name: str) -> None:
    assert warnings_of(caplog, settings={name: "x"}) == []


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("becom", "become"),
        ("Become", "become"),
        ("become-pass", "become_pass"),
        ("become_password", "become_pass"),
        ("ssh_pass", "ssh"),
        ("sudo", "become"),
        ("vault-dev", "vault:dev"),
        ("vault_password", "vault"),
        ("valut:dev", "vault:ID"),
        ("ssh_keys", "ssh_key"),
    ],
)
def test_passwords(caplog: pytest.LogCaptureFixture, name: str, guess: str) -> None:
    (warning,) = warnings_of(caplog, passwords={name: "hunter2"})
    assert warning.endswith(f"so it is searched for in the output; did you mean {guess!r}?")
    assert "hunter2" not in warning


@pytest.mark.parametrize("name", ["ssh", "vault:dev", "Password:", "pin", "^Enter.*: $", "[sudo] password", "token"])
def test_names_and_prompts_of_passwords(caplog: pytest.LogCaptureFixture, name: str) -> None:
    assert warnings_of(caplog, passwords={name.replace("[", "\\["): "x"}) == []


def test_other_dictionaries(caplog: pytest.LogCaptureFixture) -> None:
    auth = {"host": "r", "username": "u", "password": "p", "verify-ssl": False}
    expected = "'verify-ssl' is ignored; did you mean 'verify_ssl'?"
    (warning,) = warnings_of(caplog, container_auth_data=auth, container_image="i")
    assert warning == f"container_auth_data: {expected}"
    (warning,) = warnings_of(caplog, settings={"container_auth_data": auth, "container_image": "i"})
    assert warning == f"settings: container_auth_data: {expected}"


def test_files(caplog: pytest.LogCaptureFixture, demo: Path) -> None:
    env = demo / "env"
    env.mkdir(exist_ok=True)
    for name in ("settings.yml", "envars", "ssh-key", "mine"):
        (env / name).write_text("")
    found = warnings_of(caplog, private_data_dir=demo)
    guesses = {"settings.yml": "settings", "envars": "envvars", "ssh-key": "ssh_key"}
    assert sorted(found) == sorted(
        f"{str(env / name)!r} is not read; did you mean {guess!r}?" for name, guess in guesses.items()
    )


def test_a_worker_leaves_it_to_the_sender(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """In both protocols. The job runs, with the name as it is."""
    for dialect in ("playstream", "runner"):
        sent, results = io.BytesIO(), io.BytesIO()
        options: dict[str, Any] = {"module": "debug", "inventory": "localhost,", "settings": {"job_timout": 5}}
        playstream.run(streamer="transmit", dialect=dialect, _output=sent, **options)
        caplog.clear()
        playstream.run(streamer="worker", _input=io.BytesIO(sent.getvalue()), _output=results)
        assert [record for record in caplog.records if "job_timout" in record.getMessage()] == []
        results.seek(0)
        run = playstream.run(streamer="process", private_data_dir=tmp_path / dialect, _input=results, quiet=True)
        assert run.status == "successful"


def test_a_run_is_not_stopped(caplog: pytest.LogCaptureFixture) -> None:
    runner = playstream.run(module="debug", inventory=INVENTORY, settings={"idle_timout": 1}, quiet=True)
    assert runner.status == "successful"
    assert runner.config.settings == {"idle_timout": 1}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
