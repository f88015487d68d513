"""Whoever looks on while a run is rebuilt."""

from __future__ import annotations

from typing import Any

from playstream.pipeline.protocol import LogLevel, Status


class Observer:
    """Is told what happens, in the thread that feeds the Processor. This one looks away; others override methods."""

    changes_events = False
    """True if `event` may change the event, so that it has to be written anew."""

    def show(self, text: str) -> None:
        """Ansible's output: lines without their last line end."""

    def log(self, level: LogLevel, message: str) -> None:
        """A line for people."""

    def event(self, event: dict[str, Any]) -> bool:  # noqa: ARG002 - the name is for those who override it
        """An event has come; True if it is to be kept."""
        return True

    def kept(self, name: str, event: dict[str, Any]) -> None:
        """An event has been written to the file `name` in job_events."""

    def status(self, status: Status) -> None:
        """The job has a new status."""

    def idle(self) -> None:
        """All that has come was taken: time to flush."""
