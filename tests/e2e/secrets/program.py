"""A program that gives secrets as arguments: python -m tests.e2e.secrets.program HOW DIR < ARGUMENTS.

HOW is `run`, or `transmit` for a stream on standard output. What the program is told in return goes to standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import playstream


def main() -> int:
    """Run what was asked for; the exit status is Ansible's."""
    how, directory = sys.argv[1:]
    options: dict[str, Any] = json.load(sys.stdin)
    told: list[Any] = []
    options |= {"private_data_dir": directory, "playbook": "site.yml", "debug": True}
    if how == "transmit":
        playstream.run(streamer="transmit", _output=sys.stdout.buffer, **options)
        return 0

    def take_event(event: dict[str, Any]) -> bool:
        told.append(event)
        return True

    def take_status(status: dict[str, Any], runner_config: object) -> None:
        told.append([status, repr(runner_config)])

    run = playstream.run(event_handler=take_event, status_handler=take_status, **options)
    print(json.dumps(told), repr(run), run.stats, file=sys.stderr)
    return run.rc or 0


if __name__ == "__main__":
    sys.exit(main())
