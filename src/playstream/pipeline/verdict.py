"""How a run ended, judged, for whoever shows it: a worker is not trusted, and may contradict itself."""

from __future__ import annotations

from dataclasses import replace

from playstream.pipeline.errors import CANCELED_EXIT_STATUS, WorkerError
from playstream.pipeline.protocol import Status, StatusName

ENDED_HERE = frozenset({StatusName.CANCELED, StatusName.TIMEOUT})
"""Statuses of jobs that were not left to end by themselves."""


def exit_status(status: StatusName, rc: int | None) -> int:
    """The exit status of a command that shows a run; 0 only if it was successful and its return code is 0.

    Args:
        status: the last.
        rc: Ansible's return code; None when it is not known.
    """
    if status in ENDED_HERE:
        return CANCELED_EXIT_STATUS
    if status is StatusName.SUCCESSFUL and rc == 0:
        return 0
    # The system keeps eight bits of it: 256 would pass for success.
    return rc if status is not StatusName.SUCCESSFUL and rc is not None and 0 < rc < 256 else WorkerError.exit_status


def judge(status: Status) -> Status:
    """The status as it counts. `successful` with another return code than 0, and `failed` with it, are errors.

    `successful` with none is left as it is: in the runner dialect the return code comes behind it, and may be lost.
    """
    if status.status in ENDED_HERE:
        # How Ansible took to being ended says nothing; the number is ansible-runner's.
        return replace(status, rc=CANCELED_EXIT_STATUS)
    if (status.status is StatusName.SUCCESSFUL and status.rc) or (
        status.status is StatusName.FAILED and status.rc == 0
    ):
        told = f". It explains: {status.explanation}" if status.explanation else ""
        why = (
            f"the worker says {status.status.value!r} and gives {status.rc} as Ansible's return code: one of the two "
            f"is wrong. The worker is defective, or the stream was changed{told}"
        )
        # A return code of 0 is what a program might take for success.
        return replace(status, status=StatusName.ERROR, rc=status.rc or None, explanation=why)
    return status


def explain(status: StatusName, rc: int | None) -> str:
    """For people: why a run ended so whose worker did not say it."""
    if status is StatusName.CANCELED:
        return "the job was canceled; the worker does not say why"
    if status is StatusName.TIMEOUT:
        return "a time limit ended the job; the worker does not say which"
    if status is StatusName.FAILED:
        got = "no return code of Ansible" if rc is None else f"{rc} as Ansible's return code"
        return f"the worker gives {got}: expected one from 1 to 255. Likely a signal ended Ansible; see its output"
    return "the worker could not run the job to its end and does not say why; see what it printed"
