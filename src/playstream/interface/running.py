"""Run a job with one call: run(), run_async(), init_runner()."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

if TYPE_CHECKING:
    from playstream.interface.options import RunOptions
    from playstream.interface.runner import Runner

_START_SECONDS = 1.0
"""How long run_async() waits for the run to start; a status handler may be slow."""
_logger = logging.getLogger("playstream")


def init_runner(**options: Unpack[RunOptions]) -> Runner:
    """Prepare a run without starting it.

    Args:
        options: as for run().

    Returns:
        The unstarted run; its `run()` starts it.

    Raises:
        ConfigurationError: the job is invalid.
        ExecutableNotFound: Ansible is not on the PATH.

    Example:
        >>> runner = init_runner(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
        >>> runner.status  # doctest: +SKIP
        'unstarted'
    """
    # The stages are loaded when something is run: a program that embeds this one starts without them.
    from playstream.interface.runner import make_runner  # noqa: PLC0415

    return make_runner(options)


def run(**options: Unpack[RunOptions]) -> Runner:
    """Run a playbook, a module or a role, and wait for it to end.

    Args:
        options: what to run and how; `playstream.interface.options` and docs/python.md list them. With
            `streamer='transmit'`, `'worker'` or `'process'`, run one stage on the file objects `_input` and `_output`
            (standard input and output by default).

    Returns:
        The run, with `status`, `rc`, `events`, `stats`, `stdout` and more. A failed job does not raise an exception.

    Raises:
        ConfigurationError: the job is invalid; nothing has run.
        ExecutableNotFound: Ansible is not on the PATH.
        CallbackError: a cancel callback, artifacts handler or finished callback raised an exception.
        JobError: the artifacts cannot be written.
        OutputError: the output or the log cannot be written; the artifacts are complete.

    Example:
        >>> r = run(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
        >>> print(f"{r.status}: {r.rc}")  # doctest: +SKIP
        successful: 0
    """
    runner = init_runner(**options)
    runner.run()
    return runner


def run_async(**options: Unpack[RunOptions]) -> tuple[threading.Thread, Runner]:
    """Start a run in a new thread. Handlers are called in that thread.

    Args:
        options: as for run().

    Returns:
        The thread, and the run, which can be inspected while it is active. Its status is `running`, unless the run has
        ended or takes more than a second to start. An exception of a handler ends the run with the status `error`, and
        `explanation` contains it.

    Raises:
        ConfigurationError: the job is invalid; nothing has run.
        ExecutableNotFound: Ansible is not on the PATH.

    Example:
        >>> thread, runner = run_async(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
        >>> for event in runner.events:  # doctest: +SKIP
        ...     print(event["event"])
    """
    return start(init_runner(**options))


def start(
    runner: Runner, make_thread: Callable[..., threading.Thread] = threading.Thread
) -> tuple[threading.Thread, Runner]:
    """Run `runner` in a thread created by `make_thread`, which takes the arguments of threading.Thread."""
    runner.expect_events()
    thread = make_thread(target=_run_in_thread, args=(runner,), name=f"playstream-{runner.config.ident}")
    thread.start()
    # Programs then poll `while runner.status == "running"`.
    runner.wait_for_start(_START_SECONDS)
    return thread, runner


def _run_in_thread(runner: Runner) -> None:
    """Run, and report an error as the run's status, because a thread cannot raise it."""
    try:
        runner.run()
    except Exception as error:  # noqa: BLE001 - the caller's own functions may raise anything
        runner.fail(error)
        _logger.warning("run %s: %s", runner.config.ident, runner.explanation)
