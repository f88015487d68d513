"""The runs that this service has started, and no others."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path
from typing import Any

import playstream

STOP_SECONDS = 30.0
"""How long the end of the service waits for the runs that it has canceled."""


class TooManyRuns(Exception):
    """As many runs go on as may at once."""


class Runs:
    """Starts runs of one playbook and keeps track of them.

    Args:
        project_dir: the private data directory.
        playbook: path of the playbook in its project.
        max_running: how many may go on at once.
        keep: how many ended runs are remembered; of older ones the artifacts are removed too.
        timeout: seconds after which a run is ended.
    """

    def __init__(self, project_dir: Path, playbook: str, max_running: int, keep: int, timeout: float) -> None:
        self._project_dir = project_dir
        self._playbook = playbook
        self._max_running = max_running
        self._keep = keep
        self._timeout = timeout
        self._runs: dict[str, playstream.Runner] = {}
        self._lock = threading.Lock()

    def start(self, extravars: dict[str, Any]) -> tuple[str, playstream.Runner]:
        """Start a run with these variables.

        Returns:
            Its id, which is a new uuid, and the run.

        Raises:
            TooManyRuns: try again later.
            playstream.PlaystreamError: the playbook cannot be run; nothing has been started.
        """
        with self._lock:  # between counting and starting nobody else may start one
            running = sum(not runner.wait(0) for runner in self._runs.values())
            if running >= self._max_running:
                raise TooManyRuns
            run_id = str(uuid.uuid4())
            _thread, runner = playstream.run_async(
                private_data_dir=self._project_dir,
                # A directory of the service's own, so that removing old runs touches nobody else's.
                artifact_dir=self._project_dir / "artifacts" / "service",
                ident=run_id,
                playbook=self._playbook,
                extravars=extravars,
                rotate_artifacts=self._keep + self._max_running,
                timeout=self._timeout,
                quiet=True,
            )
            self._forget_old()
            self._runs[run_id] = runner
        return run_id, runner

    def _forget_old(self) -> None:
        ended = [run_id for run_id, runner in self._runs.items() if runner.wait(0)]
        for run_id in ended[: max(0, len(ended) - self._keep)]:
            del self._runs[run_id]

    def get(self, run_id: str) -> playstream.Runner | None:
        """The run of that id; None if this service has started no such run, or has forgotten it."""
        return self._runs.get(run_id)

    def all(self) -> dict[str, playstream.Runner]:
        """The runs by their ids, in the order of their starts."""
        with self._lock:
            return dict(self._runs)

    def stop(self) -> None:
        """Cancel what still goes on and wait for its end."""
        runners = self.all().values()
        for runner in runners:
            runner.cancel("the service is being stopped")
        for runner in runners:
            runner.wait(STOP_SECONDS)


def read_stdout(runner: playstream.Runner) -> str:
    """What Ansible has printed so far; nothing for a run that has not begun to."""
    try:
        with runner.stdout as output:
            return output.read()
    except playstream.PlaystreamError:
        return ""


def describe(runner: playstream.Runner) -> dict[str, Any]:
    """What there is to say about a run, for JSON."""
    return {"status": runner.status, "rc": runner.rc, "explanation": runner.explanation, "stats": runner.stats}
