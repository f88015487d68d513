"""A program that takes a run's events in a handler and keeps none: python -m tests.stress.load.consume DIR < STREAM.

Prints, as JSON, how many events came in their order, and the program's own figures before and after.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

import playstream
from tests.stress.load.measure import figures_of


def main() -> None:
    """Take the stream on standard input."""
    last = 0

    def take(event: dict[str, Any]) -> bool:
        nonlocal last
        if event["counter"] != last + 1:
            raise ValueError(f"event {event['counter']} came after {last}")
        last += 1
        return False

    before = figures_of(os.getpid())
    run = playstream.run(
        streamer="process", _input=sys.stdin.buffer, private_data_dir=sys.argv[1], event_handler=take, quiet=True
    )
    after = figures_of(os.getpid())
    print(
        json.dumps(
            {
                "status": run.status,
                "events": last,
                "before": dataclasses.asdict(before),
                "after": dataclasses.asdict(after),
            }
        )
    )


if __name__ == "__main__":
    main()
