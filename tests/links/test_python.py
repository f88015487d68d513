"""on=LINK in Python: each function that runs a job, its handlers, and how a caller stops it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError, WorkerNotFound
from tests.cli.conftest import FAKES
from tests.conftest import MakeDir
from tests.interface.programs import INVENTORY, debug, messages, output, play, use_temporary
from tests.links.conftest import WORKER
from tests.processes import marked_processes, wait_until

PLAYS = [play(debug("one"), debug("two"))]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files, here and of the workers."""
    return use_temporary(tmp_path / "tmp", monkeypatch)


@pytest.fixture
def endless(private_data_dir: MakeDir, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options of a run over a link that never ends."""
    monkeypatch.setenv("PATH", f"{FAKES}:{os.environ['PATH']}")
    return {
        "private_data_dir": private_data_dir({"hang.yml": "[]\n"}),
        "playbook": "hang.yml",
        "on": WORKER,
        "quiet": True,
    }


def test_a_job_from_memory() -> None:
    """Nothing but the job's arguments is sent, and the artifacts are here."""
    statuses: list[str] = []

    def note(data: dict[str, Any], *, runner_config: Any) -> None:
        statuses.append(data["status"])

    runner = playstream.run(
        playbook=PLAYS,
        inventory=INVENTORY,
        on=WORKER,
        quiet=True,
        status_handler=note,
    )
    assert (runner.status, runner.rc, runner.exit_status) == ("successful", 0, 0)
    assert messages(runner.events) == ["one", "two"]
    assert "PLAY RECAP" in output(runner)
    assert statuses == ["starting", "running", "successful"]
    assert "ansible-playbook" in runner.config.command[0]
    assert runner.summary()["summary"]["node1"]["ok"] == 2


def test_run_async_and_cancel(endless: dict[str, Any], temporary: Path) -> None:
    thread, runner = playstream.run_async(**endless)
    stdout = Path(runner.config.artifact_dir) / "stdout"  # on a busy host the run may not have begun
    wait_until(lambda: stdout.exists() and "waiting" in stdout.read_text())
    runner.cancel("enough")
    thread.join(20)
    assert (runner.status, runner.explanation) == ("canceled", "enough")
    assert (Path(runner.config.artifact_dir) / "stderr").exists()
    assert marked_processes(temporary) == []


def test_a_handler_that_raises_ends_the_job_there(endless: dict[str, Any], temporary: Path) -> None:
    class Mine(Exception):
        pass

    def handler(event: dict[str, Any]) -> bool:
        raise Mine

    runner = playstream.init_runner(**endless, event_handler=handler)
    with pytest.raises(Mine):
        runner.run()
    assert runner.status == "error"
    wait_until(lambda: marked_processes(temporary) == [])


def test_a_cancel_callback(endless: dict[str, Any]) -> None:
    runner = playstream.run(**endless, cancel_callback=lambda: True)
    assert runner.status == "canceled"


def test_arun_and_stream() -> None:
    async def main() -> tuple[list[str], playstream.Runner]:
        options: dict[str, Any] = {"playbook": PLAYS, "inventory": INVENTORY, "on": WORKER, "quiet": True}
        names = [event["event"] async for event in playstream.stream(**options)]
        return names, await playstream.arun(**options)

    names, runner = asyncio.run(main())
    assert names[0] == "playbook_on_start"
    assert names[-1] == "playbook_on_stats"
    assert runner.status == "successful"


def test_this_host_is_a_link_too() -> None:
    runner = playstream.run(playbook=PLAYS, inventory=INVENTORY, on="local:", quiet=True)
    assert runner.status == "successful"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on": ""}, "on: expected a name, got an empty string"),
        ({"on": 7}, "on: expected a name"),
        ({"on": "host"}, "For a host: ssh://host"),
        ({"hold": True}, "hold: cannot be combined with on"),
        ({"dialect": "runner"}, "dialect: cannot be combined with on"),
        ({"streamer": "transmit"}, "on: cannot be combined with streamer"),
        ({"max_job_seconds": 3}, "max_job_seconds: cannot be combined with on"),
        ({"cache": "/tmp/x"}, "cache: cannot be combined with on"),
        ({"liveness_seconds": -1}, "liveness_seconds: expected a number of seconds"),
        ({"max_tree_bytes": 0}, "max_tree_bytes: expected an integer of 1 or more"),
        ({"playbook": None}, "expected one of playbook"),
    ],
)
def test_what_is_refused(options: dict[str, Any], said: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match=said):
        playstream.init_runner(**{"playbook": PLAYS, "inventory": INVENTORY, "on": "exec:false", **options})


def test_errors_of_links_are_public() -> None:
    runner = playstream.run(playbook=PLAYS, inventory=INVENTORY, on="exec:sh -c 'exit 127'", quiet=True)
    assert runner.status == "error"
    assert runner.exit_status == WorkerNotFound.exit_status
    assert playstream.WorkerNotFound is WorkerNotFound
