"""`playstream run --detach`: leave a job to a mesh."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from playstream.cli.job_options import asks, check_before_asking
from playstream.cli.logs import show_warnings
from playstream.cli.output import print_message, wants_transfers
from playstream.cli.signals import cancel_on_signals
from playstream.interface.detached import submit_job
from playstream.pipeline.errors import CANCELED_EXIT_STATUS, ConfigurationError
from playstream.pipeline.io.cancellation import Canceled
from playstream.pipeline.tree.meter import make_meters

_OF_RESULTS = (
    "artifact_dir",
    "rotate_artifacts",
    "summary",
    "store",
    "label",
    "store_events",
    "capture",
    "force",
    "format",
    "output",
    "json",
    "raw_output",
)


def ask_before(flags: argparse.Namespace) -> None:
    """Ask for the passwords that the flags request, before the job is made, because nobody can answer later."""
    if asks(flags):
        from playstream.cli.ask import ask_for_passwords  # noqa: PLC0415 - most commands ask nothing

        check_before_asking(flags)
        flags.answers = ask_for_passwords(flags)


def run_detached(flags: argparse.Namespace, options: dict[str, Any]) -> int:
    """Send the job, and print its name; return the exit status.

    Args:
        flags: the flags.
        options: as for `playstream.run`.
    """
    for name in _OF_RESULTS:
        if getattr(flags, name):
            raise ConfigurationError(
                f"--{name.replace('_', '-')}: concerns the results, which --detach does not wait for: pass it to "
                "playstream mesh attach"
            )
    cancellation = cancel_on_signals()
    show_warnings(flags)
    showing: AbstractContextManager[object] = nullcontext()
    meters = None
    if wants_transfers(flags):
        from playstream.cli.transfers import show_transfers  # noqa: PLC0415 - seldom needed

        meters = make_meters()
        showing = show_transfers(flags, [meters.installing, meters.sending])
    try:
        with showing:
            job = submit_job({**options, "max_job_bytes": flags.max_job_bytes}, cancellation, meters)
    except Canceled as canceled:
        print_message(flags.name, canceled)
        return CANCELED_EXIT_STATUS
    print(job)
    if not flags.quiet:
        print_message(flags.name, f"the mesh has the job. To follow it: playstream mesh attach {job} DIR")
    return 0
