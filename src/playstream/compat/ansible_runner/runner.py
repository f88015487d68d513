"""One run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from playstream.compat.signals import listening
from playstream.interface.config import RunnerConfig
from playstream.interface.runner import Runner as _Runner

__all__ = ["Runner"]


class Runner(_Runner):
    """Runs a configuration and provides its results.

    Args:
        config: what to run.
        cancel_callback: called four times a second; a true result cancels the job.
        remove_partials: no effect; there are no partial files.
        event_handler: called with each event; a false result drops it.
        artifacts_handler: called with the path of the artifact directory when it is complete.
        finished_callback: called with this object at the end.
        status_handler: called with each status and `runner_config=config`.
    """

    def __init__(
        self,
        config: RunnerConfig,
        cancel_callback: Callable[[], object] | None = None,
        remove_partials: bool = True,  # noqa: ARG002 - programs may pass it
        event_handler: Callable[[dict[str, Any]], object] | None = None,
        artifacts_handler: Callable[[str], object] | None = None,
        finished_callback: Callable[[Any], object] | None = None,
        status_handler: Any = None,
    ) -> None:
        super().__init__(
            config,
            cancel_callback,
            event_handler=event_handler,
            status_handler=status_handler,
            artifacts_handler=artifacts_handler,
            finished_callback=finished_callback,
        )
        self._cancel_callback = cancel_callback

    def run(self) -> tuple[str, int | None]:
        """Run the job to its end in this thread; see playstream.Runner."""
        with listening(self._cancel_callback):
            return super().run()

    @classmethod
    def handle_termination(cls, pid: int, pidfile: str | None = None) -> None:
        """Kill the process group of a process, and remove its file. It is not an error if they do not exist.

        Args:
            pid: the process.
            pidfile: a file to remove.
        """
        try:
            os.killpg(os.getpgid(pid), signal.SIGKILL)
        except OSError:
            pass
        if pidfile is not None:
            try:
                os.remove(pidfile)
            except OSError:
                pass
