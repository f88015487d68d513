"""Prints docs/errors.md, from the error classes: python docs/generate_errors.py > docs/errors.md"""

from __future__ import annotations

import sys

from playstream.pipeline import errors

HEAD = """\
# Errors and exit statuses

Every error that playstream raises on purpose is a `playstream.pipeline.errors.PlaystreamError`. If a command fails with
an error, it prints the message on standard error and exits with the status of the class. A message says what was
expected, what was found, the likely cause, and what to do next. Every exit status other than 0 and Ansible's own has
such a message, also that of a canceled job. Only `is-alive --quiet` prints nothing.

Generated from the classes by `python docs/generate_errors.py > docs/errors.md`.

| Status | Class | Is a | Meaning |
|---|---|---|---|
"""

TAIL = f"""
Other statuses:

| Status | Meaning |
|---|---|
| 0 | The job was successful: its status is `successful` and Ansible's return code 0. |
| {errors.USAGE_EXIT_STATUS} | The command line is invalid. Also Ansible's: a host failed. |
| {errors.DIFFERENT_EXIT_STATUS} | `playstream diff`: the outcomes of the runs differ. |
| {errors.CANCELED_EXIT_STATUS} | The job was canceled or timed out. |
| 128 + N | Ansible was killed by signal N. |
| others | Ansible's own exit status. |

An error of the transmit stage or of the worker is sent to the next stage in a `Failure` record
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
