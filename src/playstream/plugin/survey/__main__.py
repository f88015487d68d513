# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, as one JSON object, what a command line of Ansible is about to do and which settings the user has made.

    PYTHON survey PROGRAM ARGUMENT …

PROGRAM is ansible-playbook or ansible, and PYTHON its own interpreter. Nothing is run, no host is contacted, and
nothing is asked: a vault whose password would have to be asked for is left closed. `playstream.worker.fast` starts this
for `--fast` and decides by the answer.
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
    report = make_report(sys.argv[1], sys.argv[2:])
    with os.fdopen(answer, "w", encoding="ascii") as file:
        file.write(json.dumps(report))


if __name__ == "__main__":
    main()
