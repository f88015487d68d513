# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, as one JSON object, what a command line of Ansible is about to do and which settings the user has made.

    PYTHON survey PROGRAM ARGUMENT …

PROGRAM is ansible-playbook or ansible, and PYTHON its own interpreter. Nothing is run, no host is contacted, and
nothing is asked: the passwords of vaults that Ansible will ask for are read from standard input, as a JSON object of
vault IDs, and vaults of other IDs stay closed. `playstream.worker.fast` starts this for `--fast` and decides by the
answer.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playstream.plugin.survey.playstream_survey.report import make_report
else:
    from playstream_survey.report import make_report


def main() -> None:
    """Write the report to standard output. All that Ansible and its plugins print goes to standard error."""
    answer = os.dup(1)
    os.dup2(2, 1)
    report = make_report(sys.argv[1], sys.argv[2:], _read_passwords())
    with os.fdopen(answer, "w", encoding="ascii") as file:
        file.write(json.dumps(report))


def _read_passwords() -> dict[str, str]:
    try:
        found = json.loads(sys.stdin.buffer.read() or b"{}")
    except ValueError:
        return {}  # more than the pipe has taken
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    main()
