"""run() and its relatives: a run in one call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

if TYPE_CHECKING:
    from playstream.interface.options import RunOptions
    from playstream.interface.runner import Runner

_START_SECONDS = 1.0
"""How long a run may take to start before run_async() returns: a status handler may be slow."""
_logger = logging.getLogger("playstream")


def init_runner(**options: Unpack[RunOptions]) -> Runner:
    """Make everything ready for a run and start nothing.

    Args:
        options: as those of run().

    Returns:
        The unstarted run; its `run()` starts it.

    Raises:
        ConfigurationError: the job could not run as asked.
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
    """Run a playbook, a module or a role, and wait for its end.

    Args:
        options: what to run and how; `playstream.interface.options` and docs/python.md list them. With
            `streamer='transmit'`, `'worker'` or `'process'` one stage is done, on the file objects `_input` and
            `_output` (standard input and output by default).

    Returns:
        The run, with `status`, `rc`, `events`, `stats`, `stdout` and more. A job that fails is no exception.

    Raises:
        ConfigurationError: the job could not run as asked; nothing has run.
        ExecutableNotFound: Ansible is not on the PATH.
        CallbackError: a cancel callback, artifacts handler or finished callback raised.
        JobError: the artifacts cannot be written.
        OutputError: what was to be shown or logged cannot be written; the artifacts are complete.

    Example:
        >>> r = run(private_data_dir="demo", playbook="site.yml")  # doctest: +SKIP
        >>> print(f"{r.status}: {r.rc}")  # doctest: +SKIP
        successful: 0
    """
    runner = init_runner(**options)
    runner.run()
    return runner


def run_async(**options: Unpack[RunOptions]) -> tuple[threading.Thread, Runner]:
    """Start a run in a thread of its own. Handlers are called in that thread.

    Args:
        options: as those of run().

    Returns:
        The thread, and the run, which can be looked at while it goes on; its status is `running` by now, unless it
        has ended or takes more than a second to start. What a handler raises ends the run with status `error` and is
        in `explanation`.

    Raises:
        ConfigurationError: the job could not run as asked; nothing has run.
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
    """Run `runner` in a thread, which is made as threading.Thread is."""
    runner.expect_events()
    thread = make_thread(target=_run_in_thread, args=(runner,), name=f"playstream-{runner.config.ident}")
    thread.start()
    # Programs poll `while runner.status == "running"` from here on.
    runner.wait_for_start(_START_SECONDS)
    return thread, runner


def _run_in_thread(runner: Runner) -> None:
    """There is nobody to raise an error to: it becomes the run's status."""
    try:
        runner.run()
    except Exception as error:  # noqa: BLE001 - the caller's own functions may raise anything
        runner.fail(error)
        _logger.warning("run %s: %s", runner.config.ident, runner.explanation)
