"""Plugins of ansible-runner's: when they are called, with what, and what becomes of what they raise."""

from __future__ import annotations

import importlib
import io
import json
import logging
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.interface.plugins import find_plugins
from tests.interface.programs import INVENTORY, fake, play
from tests.stages import PLAYSTREAM, Stages, read_events

NOTING = """
import threading
calls = []
def event_handler(runner_config, data):
    calls.append(("event", runner_config, dict(data), threading.get_ident()))
    data["noted"] = True
def status_handler(runner_config, data):
    calls.append((data["status"], runner_config, dict(data), threading.get_ident()))
"""
Install = Callable[[str, str], None]
FAILING = """
def event_handler(runner_config, data):
    raise {0}
def status_handler(runner_config, data):
    raise {0}
"""


def write_plugin(place: Path, name: str, text: str) -> None:
    """A package with one module, installed as pip would."""
    place.mkdir(exist_ok=True)
    (place / f"{name}.py").write_text(text)
    folder = place / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[ansible_runner.plugins]\n{name} = {name}\n")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a plugin in this process, and in those that it starts."""
    place = tmp_path / "site"
    names = []

    def make(name: str, text: str) -> None:
        write_plugin(place, name, text)
        names.append(name)
        monkeypatch.setenv("PYTHONPATH", str(place))
        monkeypatch.syspath_prepend(place)

    yield make
    for name in names:
        sys.modules.pop(name, None)


def calls_of(name: str) -> list[Any]:
    found: list[Any] = importlib.import_module(name).calls
    return found


@pytest.fixture
def echo(tmp_path: Path) -> dict[str, Any]:
    """The parameters of a run in which a shell prints two lines."""
    return {"binary": fake(tmp_path, "echo a; echo b"), "playbook": [play()], "inventory": INVENTORY, "quiet": True}


def test_the_order_of_plugins_and_handlers(install: Install, echo: dict[str, Any]) -> None:
    install("noting", NOTING)
    calls = calls_of("noting")

    def event_handler(event: dict[str, Any]) -> bool:
        calls.append(("own event", None, dict(event), 0))
        event["own"] = True
        return bool(event["stdout"] == "a")

    def status_handler(data: dict[str, Any], runner_config: Any) -> None:
        calls.append((f"own {data['status']}", runner_config, data, 0))

    runner = playstream.run(**echo, settings={"mine": 7}, event_handler=event_handler, status_handler=status_handler)
    assert [call[0] for call in calls] == [
        "starting",
        "own starting",
        "running",
        "own running",
        "own event",
        "event",
        "own event",
        "event",
        "successful",
        "own successful",
    ]
    seen = [call for call in calls if call[3]]
    assert {id(config) for _, config, _, _ in seen} == {id(runner.config)}
    assert {thread for _, _, _, thread in seen} == {threading.get_ident()}
    assert runner.config.settings["mine"] == 7
    assert [(data["stdout"], data["own"]) for kind, _, data, _ in seen if kind == "event"] == [("a", True), ("b", True)]
    assert [(event["stdout"], event["own"], event["noted"]) for event in runner.events] == [("a", True, True)]


def test_in_threads_and_commands(install: Install, echo: dict[str, Any]) -> None:
    install("noting", NOTING)
    calls = calls_of("noting")
    thread, runner = playstream.run_async(**echo)
    thread.join()
    assert runner.status == "successful"
    assert [call[0] for call in calls] == ["starting", "running", "event", "event", "successful"]
    assert {call[3] for call in calls} == {thread.ident}
    calls.clear()
    assert playstream.run_command("sh", ["-c", "echo a"], quiet=True)[2] == 0
    assert [call[0] for call in calls] == ["starting", "running", "event", "successful"]


@pytest.fixture(scope="module")
def results(shared_demo: Path, module_tmp: Path) -> bytes:
    """The worker's stream of one real run."""
    stages = Stages(module_tmp / "tmp")
    return stages.call("worker", stdin=stages.transmit(shared_demo, "-p", "site.yml", "-i", "x")).stdout


def write_settings(directory: Path) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("mine: 7\n")


def test_the_process_stage(install: Install, results: bytes, tmp_path: Path) -> None:
    install("noting", NOTING)
    calls = calls_of("noting")
    write_settings(tmp_path)
    runner = playstream.run(
        streamer="process",
        private_data_dir=tmp_path,
        _input=io.BytesIO(results),
        quiet=True,
        event_handler=lambda _: False,
    )
    assert runner.status == "successful"
    assert [call[0] for call in calls if call[0] != "event"] == ["starting", "running", "successful"]
    assert calls[-2][2]["event"] == "playbook_on_stats"
    config = calls[0][1]
    assert config.settings == {"mine": 7}
    starting = calls[0][2]
    assert (config.command, config.cwd, config.env) == (starting["command"], starting["cwd"], starting["env"])


SHOWING = """
import json, sys
def event_handler(runner_config, data):
    data["noted"] = runner_config.settings["mine"]
def status_handler(runner_config, data):
    same = [getattr(runner_config, name) == data.get(name) for name in ("command", "cwd", "env")]
    print(json.dumps([data["status"], *same]), file=sys.stderr)
"""


def test_the_process_command(install: Install, results: bytes, tmp_path: Path, temporary: Path) -> None:
    install("showing", SHOWING)
    write_settings(tmp_path)
    done = Stages(temporary).call("process", tmp_path, stdin=results)
    assert done.returncode == 0
    statuses = [json.loads(line) for line in done.stderr.splitlines()]
    assert [status for status, *_ in statuses] == ["starting", "running", "successful"]
    assert statuses[0][1:] == [True, True, True]
    assert {event["noted"] for event in read_events(tmp_path / "artifacts")} == {7}


@pytest.mark.parametrize(
    ("raising", "shown"),
    [
        ("LookupError('boom')", "LookupError: boom"),
        ("SystemExit(3)", "SystemExit: 3"),
        ("type('Mute', (Exception,), {'__str__': lambda _: 1 / 0})()", "failing.Mute: <exception str() failed>"),
    ],
)
def test_a_plugin_that_raises_is_reported_once(
    install: Install, echo: dict[str, Any], caplog: pytest.LogCaptureFixture, raising: str, shown: str
) -> None:
    install("failing", FAILING.format(raising))
    install("noting", NOTING)
    with caplog.at_level(logging.WARNING, "playstream"):
        runner = playstream.run(**echo)
    assert (runner.status, [event["stdout"] for event in runner.events]) == ("successful", ["a", "b"])
    assert [call[0] for call in calls_of("noting")] == ["starting", "running", "event", "event", "successful"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    for message, function in zip(told, ("status_handler", "event_handler"), strict=True):
        assert message.startswith(f"plugin failing (failing): {function} failed: {shown}; the job continues")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("def event_handler(:", "SyntaxError: "),
    ],
)
def test_a_plugin_that_cannot_be_loaded(
    install: Install, echo: dict[str, Any], caplog: pytest.LogCaptureFixture, text: str, shown: str
) -> None:
    install("broken", text)
    install("noting", NOTING)
    with caplog.at_level(logging.WARNING, "playstream"):
        assert playstream.run(**echo).status == "successful"
    (record,) = caplog.records
    assert record.getMessage().startswith("plugin broken (broken) cannot be loaded, so the job runs without it: ")
    assert shown in record.getMessage()
    assert record.exc_info is None
    assert len(calls_of("noting")) == 5


@pytest.mark.keeps_descriptors("what was logged holds the Runner")
def test_where_a_plugin_raised_is_logged_for_debugging(
    install: Install, echo: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    install("failing", FAILING.format("LookupError('boom')"))
    with caplog.at_level(logging.DEBUG, "playstream"):
        playstream.run(**echo)
    assert "in status_handler" in caplog.text


def test_a_plugin_without_functions(install: Install, echo: dict[str, Any]) -> None:
    install("empty", "")
    assert playstream.run(**echo).status == "successful"


def test_an_interrupt_ends_the_job(install: Install, echo: dict[str, Any]) -> None:
    install("interrupting", "def event_handler(runner_config, data):\n    raise KeyboardInterrupt\n")
    runner = playstream.init_runner(**echo)
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert (runner.status, runner.explanation) == ("canceled", "interrupted from the keyboard")


def test_plugins_are_told_how_a_run_ended_whose_handler_raised(install: Install, echo: dict[str, Any]) -> None:
    install("noting", NOTING)

    def explode(_: dict[str, Any]) -> bool:
        raise LookupError("boom")

    runner = playstream.init_runner(**echo, event_handler=explode)
    with pytest.raises(LookupError, match="boom"):
        runner.run()
    calls = calls_of("noting")
    assert calls[-1][0] == "error"
    assert [call[2]["counter"] for call in calls if call[0] == "event"] == [event["counter"] for event in runner.events]


def test_other_stages_load_no_plugin(install: Install, demo: Path, tmp_path: Path, temporary: Path) -> None:
    mark = tmp_path / "loaded"
    install("marking", f"open({str(mark)!r}, 'w').close()")
    stages = Stages(temporary)
    job = stages.transmit(demo, "-p", "site.yml")
    results = stages.call("worker", stdin=job).stdout
    assert not mark.exists()
    assert stages.call("process", tmp_path, stdin=results).returncode == 0
    assert mark.exists()


def test_without_plugins_nothing_is_loaded_for_them(results: bytes, tmp_path: Path, temporary: Path) -> None:
    """importlib.metadata alone would make `process` start a third slower."""
    words = [sys.executable, "-X", "importtime", *PLAYSTREAM[1:], "process", str(tmp_path), "-q"]
    done = subprocess.run(words, input=results, capture_output=True, env=Stages(temporary).env, check=True)
    assert b"playstream.interface.plugins" in done.stderr
    assert b"importlib.metadata" not in done.stderr
    assert b"logging" not in done.stderr


@pytest.mark.keeps_descriptors("Python keeps an archive open that it has imported from")
def test_a_plugin_in_an_archive_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path / "site", "packed", NOTING)
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (tmp_path / "site").rglob("*"):
            file.write(path, path.relative_to(tmp_path / "site"))
    assert find_plugins() == []
    monkeypatch.syspath_prepend(archive)
    assert [entry.name for entry in find_plugins()] == ["packed"]


def test_a_damaged_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    write_plugin(tmp_path / "site", "damaged", NOTING)
    with (tmp_path / "site" / "damaged-1.0.dist-info" / "entry_points.txt").open("ab") as file:
        file.write(b"\xff\xfe")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert find_plugins() == []
    assert "cannot look for plugins, so the job runs without them: UnicodeDecodeError" in caplog.text
