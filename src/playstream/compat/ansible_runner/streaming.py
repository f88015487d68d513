"""The stages of a pipeline, each on file objects. Transmit writes ansible-runner's protocol."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import IO, Any
from uuid import UUID

from playstream.compat.answers import WORKER_OPTIONS, explain_results
from playstream.compat.options import convert_options, refuse_unknown, with_host_keys_unchecked
from playstream.compat.signals import listening
from playstream.interface.handlers import Handlers, take_handlers
from playstream.interface.options import RunOptions
from playstream.interface.runner import Runner
from playstream.interface.streaming import (
    ServingWork,
    TransmitWork,
    make_process_config,
    make_stage_config,
    make_worker_options,
    stream_records,
)
from playstream.interface.watched_run import WatchedRun
from playstream.pipeline.errors import ProtocolError, UnsafePath
from playstream.pipeline.job.checks import check_options, select_options

__all__ = ["MockConfig", "Processor", "Transmitter", "UUIDEncoder", "Worker"]

_KEEPALIVE_VARIABLE = "ANSIBLE_RUNNER_KEEPALIVE_SECONDS"


class UUIDEncoder(json.JSONEncoder):
    """JSON with UUIDs as 32 hex digits."""

    def default(self, o: Any) -> Any:
        """Convert a UUID; refuse any other object."""
        return o.hex if isinstance(o, UUID) else super().default(o)


class MockConfig:
    """The known configuration of a run on another host.

    Args:
        settings: its settings.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.command: list[str] | None = None
        self.cwd: str | None = None
        self.env: dict[str, str] | None = None


class Transmitter(Runner):
    """Sends a job and its private data directory.

    Args:
        _output: the file to write to; None for standard output.
        kwargs: as for run().

    Raises:
        TypeError: an argument is unknown.
    """

    def __init__(self, _output: IO[bytes] | None = None, **kwargs: Any) -> None:
        refuse_unknown(type(self).__name__, kwargs, RunOptions)
        options = {"dialect": "runner", "env_files_win": True, **convert_options({**kwargs, "_output": _output})}
        options["envvars"] = with_host_keys_unchecked(options.get("envvars"))
        options.pop("keepalive_seconds", None)  # only used by the worker
        given = check_options(options, RunOptions, "run")
        super().__init__(make_stage_config(given), work=TransmitWork(given))
        self.kwargs = kwargs


class Worker(Runner):
    """Runs a job, and answers in its protocol.

    Args:
        _input: the file to read the job from; None for standard input.
        _output: the file to write the results to; None for standard output.
        keepalive_seconds: seconds without other output after which a heartbeat is sent; 0 for never.
        kwargs: `private_data_dir`, by default a temporary directory; `cancel_callback`, whose true result cancels the
            job. Others have no effect.
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
        given = check_options(select_options(convert_options(options), RunOptions), RunOptions, "run")
        poll = take_handlers(given).get("cancel_callback")
        worker_options = replace(make_worker_options(given), **WORKER_OPTIONS)
        super().__init__(make_stage_config(given), work=ServingWork(given, worker_options, poll))
        self.private_data_dir = self.config.private_data_dir

    def run(self) -> tuple[str, int | None]:
        """Read the job, run it, and write its results.

        Returns:
            Status and return code; `error` for an invalid stream, which has been reported to the other side.
        """
        try:
            return super().run()
        except (ProtocolError, UnsafePath) as error:
            self.fail(error)
            return self.status, self.rc


class Processor(Runner):
    """Rebuilds a run from its stream.

    Args:
        _input: the file to read the stream from; None for standard input.
        status_handler: as for run(), like the next four.
        event_handler: called with each event.
        artifacts_handler: called with the path of the artifact directory.
        cancel_callback: a true result stops reading.
        finished_callback: called with this object at the end.
        kwargs: as for run(). Others have no effect. Without `private_data_dir` a temporary directory is created, which
            is not removed.
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
        options = convert_options({**kwargs, "_input": _input})
        if "private_data_dir" not in options:
            options["private_data_dir"] = tempfile.mkdtemp()
        given = check_options(select_options(options, RunOptions), RunOptions, "run")
        config = make_process_config(given)
        config.link_latest = False
        handlers = Handlers(event_handler, status_handler, cancel_callback, artifacts_handler, finished_callback)
        source = stream_records(given, among_runs=not config.ident, explain=explain_results)
        super().__init__(config, work=WatchedRun(source, handlers))
        self._cancel_callback = cancel_callback
        self.private_data_dir = str(options["private_data_dir"])

    def run(self) -> tuple[str, int | None]:
        """Read the stream to its end in this thread; see playstream.Runner."""
        with listening(self._cancel_callback):
            return super().run()

    @property
    def artifact_dir(self) -> str:
        """The directory of the artifacts."""
        return self.config.artifact_dir
