"""A listening worker as a process, and clients that misbehave."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.processes import children, wait_until
from tests.stages import LIMIT_SECONDS, Stages

Event = dict[str, Any]


class Listener:
    """A worker that listens, until `close`.

    Args:
        stages: starts it.
        log: the file that it logs to, as JSON.
        address: what it listens on.
        flags: further flags.
        env: variables in addition to those of the stages.
        open_files: its hard limit of open files.
        inside: words that run it on another host of a network.
    """

    def __init__(
        self,
        stages: Stages,
        log: Path,
        address: str,
        *flags: str | Path,
        env: Mapping[str, str] | None = None,
        open_files: int | None = None,
        inside: tuple[str, ...] = (),
    ) -> None:
        self.log = log
        words = ("env", *(f"{name}={value}" for name, value in (env or {}).items()))
        if open_files is not None:
            words = ("prlimit", f"--nofile={open_files}:{open_files}", *words)
        with log.open("wb") as stderr:
            self.process = stages.start(
                *("worker", "--listen", address, "--log-format", "json", *flags),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                prefix=(*inside, *words),
            )
        wait_until(lambda: self.events("listening") or self.process.poll() is not None)
        assert self.process.poll() is None, self.text
        self.address = str(self.events("listening")[0]["address"])

    @property
    def text(self) -> str:
        """The whole log."""
        return self.log.read_text()

    def events(self, name: str | None = None, **fields: object) -> list[Event]:
        """The complete lines of the log, or those of an event, with certain values."""
        lines = [line for line in self.text.splitlines(keepends=True) if line.endswith("\n")]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [
            event
            for event in found
            if name in {None, event["event"]} and all(event.get(key) == value for key, value in fields.items())
        ]

    def wait_for(self, name: str, number: int = 1, **fields: object) -> list[Event]:
        """Wait until an event was logged so many times."""
        wait_until(lambda: len(self.events(name, **fields)) >= number or self.process.poll() is not None)
        found = self.events(name, **fields)
        assert len(found) >= number, self.text
        return found

    def workers(self) -> list[int]:
        """The processes of its workers."""
        return children(self.process.pid)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return self.process.wait(LIMIT_SECONDS)

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_SECONDS)


def connect(path: str | Path) -> socket.socket:
    """A connection to a Unix socket, whose reads give up when a test would."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(60)
    sock.connect(str(path))
    return sock


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side ends."""
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for a stage; return its exit status and what it has printed."""
    stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    text = (stdout + stderr).decode()
    assert "Traceback" not in text, text
    return process.returncode, text


def wait_for_line(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Read what a stage prints on standard error up to a line with a text."""
    assert process.stderr is not None
    heard = b""
    while text not in heard:
        line = process.stderr.readline()
        assert line, heard
        heard += line
