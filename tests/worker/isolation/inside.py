"""A job in a sandbox as the worker would run it: on a terminal, with the real callback plugin and its two pipes."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from playstream.worker.command import Command
from playstream.worker.environment import SPOOL_VARIABLE
from playstream.worker.isolation.sandbox import Sandbox
from playstream.worker.paths import CACHE_PLUGIN_DIR, PLUGIN_DIR, Paths
from tests.conftest import LOCAL_HOSTS

IDENT = "job 1"


def make_paths(directory: Path, playbook: str = "[]") -> Paths:
    """A spool with a small private data directory, as the worker makes it."""
    spool = directory / "playstream-spool"
    data = spool / "data"
    paths = Paths(data, data / "project", spool / "run", data / "artifacts" / IDENT, spool)
    spool.mkdir(mode=0o700)
    for place in (data, paths.run_dir, data / "artifacts", paths.artifact_dir):
        place.mkdir(mode=0o700)
    for place in (paths.project, data / "inventory", data / "env"):
        place.mkdir()
    (paths.project / "site.yml").write_text(playbook)
    (data / "inventory" / "hosts").write_text(f"{LOCAL_HOSTS}node1\n")
    return paths


class Inside:
    """One started job; `output` and `events` grow while it runs."""

    def __init__(
        self,
        sandbox: Sandbox,
        paths: Paths,
        env: Mapping[str, str] | None = None,
        argv: tuple[str, ...] | None = None,
        extravars: Mapping[str, Any] | None = None,
    ) -> None:
        self.output = b""
        self.events: list[dict[str, Any]] = []
        extravars_path = paths.run_dir / "extravars-1"
        extravars_path.write_text(json.dumps(extravars or {}))
        extravars_path.chmod(0o600)
        pipes = []
        for path in (paths.events, paths.origin):
            os.mkfifo(path, 0o600)
            pipes.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        self._events, self._origin = pipes
        inventory = sandbox.seen(paths.private_data_dir / "inventory")
        default = ("ansible-playbook", "-i", str(inventory), "-e", f"@{sandbox.seen(extravars_path)}", "site.yml")
        job_env = {
            **(os.environ if sandbox.inherits_env else {}),
            "ANSIBLE_CALLBACK_PLUGINS": str(sandbox.seen(PLUGIN_DIR)),
            "ANSIBLE_CACHE_PLUGIN": "playstream",
            "ANSIBLE_CACHE_PLUGINS": str(sandbox.seen(CACHE_PLUGIN_DIR)),
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(sandbox.seen(paths.artifact_dir / "fact_cache")),
            "PLAYSTREAM_EVENTS": str(sandbox.seen(paths.events)),
            "PLAYSTREAM_ORIGIN": str(sandbox.seen(paths.origin)),
            SPOOL_VARIABLE: str(paths.spool),
            **(env or {}),
        }
        self.command = sandbox.enclose(Command(argv or default, job_env, sandbox.seen(paths.cwd)))
        sandbox.share()
        master, slave = os.openpty()
        self.process = subprocess.Popen(
            self.command.argv,
            env=self.command.start_env,
            cwd=self.command.cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.terminal = master
        reads = (self._read_terminal, self._read_events)
        self._threads = [threading.Thread(target=read, daemon=True) for read in reads]
        for thread in self._threads:
            thread.start()

    def _read_terminal(self) -> None:
        while True:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                return
            self.output += data

    def _read_events(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self._events, 65536)).split(b"\n")
            for line in lines:
                if line == b"end":
                    return
                if line.startswith(b'{"playstream":'):
                    os.write(self._origin, b"[0, 0]\n")
                else:
                    self.events.append(json.loads(line))

    @property
    def text(self) -> str:
        """What was printed."""
        return self.output.decode()

    def results(self, task: str) -> list[dict[str, Any]]:
        """The results of a task, by its name."""
        return [
            event["event_data"]["res"]
            for event in self.events
            if event["event"].startswith("runner_on_")
            and "res" in event["event_data"]
            and event["event_data"]["task"] == task
        ]

    def wait(self) -> int:
        """Wait for the end; the return code."""
        try:
            rc = self.process.wait(60)
        finally:
            self.close()
        return rc

    def close(self) -> None:
        """End what is left; read what has been written."""
        self.process.kill()
        self.process.wait()
        os.write(self._events, b"end\n")
        for thread in self._threads:
            thread.join(20)
        for fd in (self.terminal, self._events, self._origin):
            os.close(fd)


def wait_for_task(inside: Inside, name: str) -> None:
    """Wait until a task has started.

    Raises:
        AssertionError: it does not in time, or the job has ended.
    """
    _wait(inside, lambda: any(event["event_data"].get("task") == name for event in inside.events))


def wait_for_text(inside: Inside, text: str) -> None:
    """Wait until a text has been printed.

    Raises:
        AssertionError: it is not in time, or the job has ended.
    """
    _wait(inside, lambda: text in inside.text)


def _wait(inside: Inside, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline or inside.process.poll() is not None:
            inside.close()
            raise AssertionError(inside.text)
        time.sleep(0.02)
