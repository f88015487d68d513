"""How a run ended: its status and exit status. A worker is not trusted and may contradict itself."""

from __future__ import annotations

from dataclasses import replace

from playstream.pipeline.errors import CANCELED_EXIT_STATUS, WorkerError
from playstream.pipeline.protocol import Status, StatusName

CANCELED_OR_TIMED_OUT = frozenset({StatusName.CANCELED, StatusName.TIMEOUT})
"""Statuses of jobs that were stopped."""


def exit_status(status: StatusName, rc: int | None) -> int:
    """Return the exit status for a run; 0 only if it was successful and its return code is 0.

    Args:
        status: the last status.
        rc: Ansible's return code; None if it is not known.
    """
    if status in CANCELED_OR_TIMED_OUT:
        return CANCELED_EXIT_STATUS
    if status is StatusName.SUCCESSFUL and rc == 0:
        return 0
    # The system keeps only eight bits, so 256 would become 0, which means success.
    return rc if status is not StatusName.SUCCESSFUL and rc is not None and 0 < rc < 256 else WorkerError.exit_status


def judge(status: Status) -> Status:
    """Return the status, or an error if it contradicts itself.

    `successful` contradicts a return code other than 0, and `failed` the return code 0. `successful` without a return
    code is left as it is: in ansible-runner's protocol the return code comes later, and may be lost.
    """
    if status.status in CANCELED_OR_TIMED_OUT:
        # The return code of a stopped Ansible has no meaning; the number is ansible-runner's.
        return replace(status, rc=CANCELED_EXIT_STATUS)
    if (status.status is StatusName.SUCCESSFUL and status.rc) or (
        status.status is StatusName.FAILED and status.rc == 0
    ):
        suffix = f". The worker's explanation: {status.explanation}" if status.explanation else ""
        why = (
            f"the worker reports {status.status.value!r} with {status.rc} as Ansible's return code: one of the two is "
            f"wrong. The worker is faulty, or the stream was altered{suffix}"
        )
        # A program could take a return code of 0 as success.
        return replace(status, status=StatusName.ERROR, rc=status.rc or None, explanation=why)
    return status


def explain(status: StatusName, rc: int | None) -> str:
    """Explain, for the user, a status for which the worker gave no explanation."""
    if status is StatusName.CANCELED:
        return "the job was canceled; the worker gave no reason"
    if status is StatusName.TIMEOUT:
        return "the job exceeded a time limit; the worker did not say which"
    if status is StatusName.FAILED:
        got = "no return code of Ansible" if rc is None else f"{rc} as Ansible's return code"
        return (
            f"the worker reports {got}: expected one from 1 to 255. Ansible was probably killed by a signal; see its "
            "output"
        )
    return "the worker could not complete the job and gave no reason; see its messages"
