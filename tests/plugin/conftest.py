"""Runs the real ansible on a real terminal, with the plugin loaded, and reads what it wrote."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PLUGIN = HERE.parents[1] / "src" / "playstream" / "plugin" / "callback"
SECRET = "opensesame7"  # noqa: S105 - the word that no_log must hide
LIMIT_SECONDS = 100.0


def program(name: str) -> str:
    """The program to test: from PLAYSTREAM_TEST_ANSIBLE_BIN, else beside this Python, else on PATH."""
    chosen = os.environ.get("PLAYSTREAM_TEST_ANSIBLE_BIN")
    places = [chosen] if chosen else [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    for place in places:
        found = shutil.which(name, path=place)
        if found:
            return found
    raise AssertionError(f"{name} is not installed in {places}; pip install 'playstream[ansible]'")


def text_of(event: Mapping[str, Any]) -> str:
    """What the terminal got for this event: `stdout` has lost its final newline."""
    text = str(event["stdout"])
    newlines: int = event["end_line"] - event["start_line"]
    return text + "\r\n" * (newlines - text.count("\n"))


@dataclass
class Run:
    status: int
    terminal: str
    path: Path

    @property
    def lines(self) -> list[str]:
        return self.path.read_text(encoding="ascii").splitlines() if self.path.is_file() else []

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if not line.startswith('{"playstream"')]

    def named(self, name: str, /, **data: object) -> list[dict[str, Any]]:
        """The events of that name whose event_data has these values."""
        found = [event for event in self.events if event["event"] == name]
        return [event for event in found if all(event["event_data"].get(key) == value for key, value in data.items())]

    def one(self, name: str, /, **data: object) -> dict[str, Any]:
        found = self.named(name, **data)
        assert len(found) == 1, (name, data, len(found), self.terminal)
        return found[0]

    @property
    def recorded_text(self) -> str:
        return "".join(text_of(event) for event in self.events)

    def check(self) -> None:
        """What holds for the events of every run."""
        events = self.events
        assert events, self.terminal
        first = events[0]
        assert [event["counter"] for event in events] == list(range(first["counter"], first["counter"] + len(events)))
        line = first["start_line"]
        for event in events:
            assert event["start_line"] == line
            line = event["end_line"]
        assert self.recorded_text == self.terminal[-len(self.recorded_text) :]
        seen: set[str] = set()
        for event in events:
            assert event["uuid"] not in seen
            assert event.get("parent_uuid", event["uuid"]) in {*seen, event["uuid"]}, event
            seen.add(event["uuid"])
            assert event["created"].endswith("+00:00")
            assert event["pid"] == first["pid"]
            assert event["runner_ident"] == first["runner_ident"]


class Ansible:
    """Starts ansible programs in a copy of the project."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.project = directory / "project"
        shutil.copytree(HERE / "project", self.project)
        (directory / "scratch").mkdir()
        self._runs = 0

    def environment(self, events: Path | None) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ANSIBLE_CALLBACK_PLUGINS": str(PLUGIN),
            "ANSIBLE_CONNECTION_PLUGINS": str(self.project / "connection_plugins"),
            "ANSIBLE_STRATEGY_PLUGINS": str(self.project / "strategy_plugins"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_PLAYBOOK": program("ansible-playbook"),
            "ANSIBLE_ASYNC_DIR": str(self.directory / "async"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "HIDDEN": SECRET,
            "SCRATCH": str(self.directory / "scratch"),
            # The plugin takes the first away from tasks; await.sh reads the second.
            **({"PLAYSTREAM_EVENTS": str(events), "EVENTS": str(events)} if events else {}),
        }

    def run(
        self,
        name: str,
        *args: str,
        env: Mapping[str, str] | None = None,
        answers: Mapping[str, str] | None = None,
        events: Path | None = None,
        recorded: bool = True,
        cwd: Path | None = None,
    ) -> Run:
        self._runs += 1
        path = events or self.directory / f"events-{self._runs}"
        environment = {**self.environment(path if recorded else None), **(env or {})}
        argv = ["env", "-C", str(cwd or self.project), program(name), "-i", "hosts.ini", *args]
        status, terminal = _on_terminal(argv, environment, dict(answers or {}))
        return Run(status, terminal, path)

    def playbook(self, *args: str, **kwargs: Any) -> Run:
        return self.run("ansible-playbook", *args, **kwargs)


def _on_terminal(argv: list[str], env: dict[str, str], answers: dict[str, str]) -> tuple[int, str]:
    master, slave = pty.openpty()
    # Opening the slave as fd 0 in a new session makes it the controlling terminal, which getpass wants.
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
    pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True)
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        while True:
            if not select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
                os.killpg(pid, 9)
                pytest.fail(f"{argv} did not end:\n{shown.decode(errors='replace')}")
            try:
                chunk = os.read(master, 65536)
            except OSError:  # Linux's way to say that the last writer has closed a terminal
                break
            shown += chunk
            for prompt in [prompt for prompt in answers if shown.endswith(prompt.encode())]:
                os.write(master, f"{answers.pop(prompt)}\n".encode())
    finally:
        os.close(master)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, shown.decode()


@pytest.fixture(scope="session")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    return Ansible(tmp_path_factory.mktemp("ansible"))


@pytest.fixture(scope="session")
def site(ansible: Ansible) -> Run:
    """One run that shows nearly everything."""
    return ansible.playbook("site.yml", "--diff")


@pytest.fixture(scope="session")
def version(ansible: Ansible) -> tuple[int, int]:
    """Of the ansible-core under test."""
    shown = ansible.run("ansible", "--version", recorded=False).terminal
    major, minor = shown.split("core ", 1)[1].split(".")[:2]
    return int(major), int(minor)


@pytest.fixture(scope="session")
def secret() -> str:
    """What no_log hides in the project's playbooks."""
    return SECRET
