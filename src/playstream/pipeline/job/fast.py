"""The setting `fast`: its values, and what keeps a job that is only explained from running anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Job

FAST: Final = "fast"
EXPLAIN: Final = "explain"
"""The value with which the worker only prints what it would choose."""
_RUNS_NOTHING = "--list-hosts"


def check_fast(source: str, value: Any) -> None:
    """Check the value of the setting. `source` is the name of the file or argument, for errors.

    Raises:
        ConfigurationError: it is another value.
    """
    if value is not None and not isinstance(value, bool) and value != EXPLAIN:
        raise ConfigurationError(f"{source}: {FAST}: expected true, false or {EXPLAIN}, got {value!r}")


def is_explained(job: Job) -> bool:
    """Return whether the job is only explained."""
    return job.settings.get(FAST) == EXPLAIN


def hold_back(job: Job, *, sent: bool) -> Job:
    """Return a job that runs nothing if it is only to be explained, on a worker that does not know the setting too.

    An older worker, or one of ansible-runner, then lists hosts. `release` undoes this.

    Args:
        job: the job.
        sent: whether it is sent to a worker.

    Raises:
        ConfigurationError: it is sent, and has a command line of its own that cannot be held back.
    """
    if not is_explained(job):
        return job
    if job.command and sent:
        raise ConfigurationError(
            f"{FAST}: {EXPLAIN} cannot be sent with a whole command line (the file args), which an older worker would "
            "run. Use -p, -m or -r, or run it on this host"
        )
    return replace(job, list_hosts=True)


def release(job: Job) -> Job:
    """Return the job without what `hold_back` has added."""
    if not is_explained(job):
        return job
    # In ansible-runner's protocol it is one of the additional arguments.
    return replace(job, list_hosts=False, cmdline=tuple(word for word in job.cmdline if word != _RUNS_NOTHING))
