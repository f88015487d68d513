"""The stages of a pipeline, each on file objects. Transmit speaks ansible-runner's dialect."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import IO, Any
from uuid import UUID

from playstream.compat.answers import WORKER_OPTIONS
from playstream.compat.options import loosen, refuse_unknown, with_host_keys_unchecked
from playstream.compat.signals import listening
from playstream.interface.handlers import take_handlers
from playstream.interface.options import RunOptions
from playstream.interface.streaming import ProcessConfig, ProcessRunner, TransmitRunner, WorkRunner
from playstream.pipeline.errors import ProtocolError, UnsafePath
from playstream.pipeline.job.checks import check_options, select_options
from playstream.worker import WorkerOptions

__all__ = ["MockConfig", "Processor", "Transmitter", "UUIDEncoder", "Worker"]

_KEEPALIVE_VARIABLE = "ANSIBLE_RUNNER_KEEPALIVE_SECONDS"


class UUIDEncoder(json.JSONEncoder):
    """JSON with UUIDs as 32 hex digits."""

    def default(self, o: Any) -> Any:
        """What a UUID becomes; any other object is refused."""
        return o.hex if isinstance(o, UUID) else super().default(o)


class MockConfig:
    """What is known of a run elsewhere.

    Args:
        settings: its settings.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.command: list[str] | None = None
        self.cwd: str | None = None
        self.env: dict[str, str] | None = None


class Transmitter(TransmitRunner):
    """Sends a job and its private data directory.

    Args:
        _output: where to; standard output when None.
        kwargs: those of run().

    Raises:
        TypeError: an argument has an unknown name.
    """

    def __init__(self, _output: IO[bytes] | None = None, **kwargs: Any) -> None:
        refuse_unknown(type(self).__name__, kwargs, RunOptions)
        options = {"dialect": "runner", "env_files_win": True, **loosen({**kwargs, "_output": _output})}
        options["envvars"] = with_host_keys_unchecked(options.get("envvars"))
        options.pop("keepalive_seconds", None)  # the worker's alone
        super().__init__(check_options(options, RunOptions, "run"))
        self.kwargs = kwargs


class Worker(WorkRunner):
    """Serves a job, and answers in the dialect that it comes in.

    Args:
        _input: where the job comes from; standard input when None.
        _output: where the results go; standard output when None.
        keepalive_seconds: how often to say that the job goes on while nothing else is said; 0 for never.
        kwargs: `private_data_dir`, a temporary directory when it is missing; `cancel_callback`, which ends the job when
            it says so. Others have no effect.
    """

    def __init__(
        self,
        _input: IO[bytes] | None = None,
        _output: IO[bytes] | None = None,
        keepalive_seconds: float | None = None,
        **kwargs: Any,
    ) -> None:
        if keepalive_seconds is None:
            keepalive_seconds = float(os.environ.get(_KEEPALIVE_VARIABLE) or 0)
        options = {**kwargs, "_input": _input, "_output": _output, "keepalive_seconds": keepalive_seconds}
        given = check_options(select_options(loosen(options), RunOptions), RunOptions, "run")
        super().__init__(given, take_handlers(given).get("cancel_callback"))
        self.private_data_dir = self.config.private_data_dir

    def _make_options(self) -> WorkerOptions:
        return replace(super()._make_options(), **WORKER_OPTIONS)

    def run(self) -> tuple[str, int | None]:
        """Read the job, run it, write its results.

        Returns:
            Status and return code; `error` for a stream that is no job, of which the other side has been told.
        """
        try:
            return super().run()
        except (ProtocolError, UnsafePath) as error:
            self.fail(error)
            return self.status, self.rc


class Processor(ProcessRunner):
    """Rebuilds a run from its stream.

    Args:
        _input: where the stream comes from; standard input when None.
        status_handler: as run()'s, like the four that follow.
        event_handler: takes each event.
        artifacts_handler: takes the path of the artifact directory.
        cancel_callback: true stops the reading.
        finished_callback: takes this object when all is done.
        kwargs: those of run(). Others have no effect. Without `private_data_dir` a temporary one is made, which stays.
    """

    def __init__(
        self,
        _input: IO[bytes] | None = None,
        status_handler: Any = None,
        event_handler: Callable[[dict[str, Any]], object] | None = None,
        artifacts_handler: Callable[[str], object] | None = None,
        cancel_callback: Callable[[], object] | None = None,
        finished_callback: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> None:
        options = loosen({**kwargs, "_input": _input})
        if "private_data_dir" not in options:
            options["private_data_dir"] = tempfile.mkdtemp()
        config = ProcessConfig(check_options(select_options(options, RunOptions), RunOptions, "run"))
        super().__init__(
            config, cancel_callback=cancel_callback, event_handler=event_handler, status_handler=status_handler,
            artifacts_handler=artifacts_handler, finished_callback=finished_callback,
        )
        self.private_data_dir = str(options["private_data_dir"])

    def run(self) -> tuple[str, int | None]:
        """Read the stream to its end in this thread; see playstream.Runner."""
        with listening(self._handlers.cancel_callback):
            return super().run()

    @property
    def artifact_dir(self) -> str:
        """Where the artifacts go."""
        return self.config.artifact_dir
