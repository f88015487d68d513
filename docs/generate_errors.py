"""Prints docs/errors.md, from the error classes: python docs/generate_errors.py > docs/errors.md"""

from __future__ import annotations

import sys

from playstream.pipeline import errors

HEAD = """\
# Errors and exit statuses

Every error that playstream raises on purpose is a `playstream.pipeline.errors.PlaystreamError`. A command that an
error ends prints its message on standard error and exits with the status of its class. A message says what was
expected, what came, the likely cause, and what to do next. Every exit status but 0 and Ansible's own has such a
line, that of a job that was canceled too; `is-alive --quiet` alone answers with its exit status and says nothing.

Generated from the classes by `python docs/generate_errors.py > docs/errors.md`.

| Status | Class | Is a | Meaning |
|---|---|---|---|
"""

TAIL = f"""
Statuses that are not of an error class:

| Status | Meaning |
|---|---|
| 0 | The job was successful: its status is `successful` and Ansible's return code 0. |
| {errors.USAGE_EXIT_STATUS} | The command line could not be understood. Also Ansible's: a host failed. |
| {errors.CANCELED_EXIT_STATUS} | The job was canceled or ran into a time limit. |
| 128 + N | Signal N ended Ansible. |
| others | Ansible's own exit status. |

An error of the transmit stage or of the worker travels to the next stage as a `Failure` record
([protocol.md](protocol.md#failure-10)).
"""


def page() -> str:
    """The text of docs/errors.md."""
    rows = []
    for cls in sorted(errors.error_classes(), key=lambda cls: cls.exit_status):
        meaning = (cls.__doc__ or "").splitlines()[0]
        base = cls.__bases__[0].__name__
        rows.append(f"| {cls.exit_status} | `{cls.__name__}` | `{base}` | {meaning} |\n")
    return HEAD + "".join(rows) + TAIL


if __name__ == "__main__":
    sys.stdout.write(page())
