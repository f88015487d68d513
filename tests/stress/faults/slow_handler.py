"""A program whose event handler blocks at the first event.

python -m tests.stress.faults.slow_handler DIR SECONDS < STREAM

Prints how the run ended, and how many events came in their order.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import playstream


def main() -> None:
    """Take the stream on standard input."""
    last = 0

    def take(event: dict[str, Any]) -> bool:
        nonlocal last
        if event["counter"] != last + 1:
            raise ValueError(f"event {event['counter']} came after {last}")
        last += 1
        if last == 1:
            time.sleep(float(sys.argv[2]))
        return True

    run = playstream.run(
        streamer="process", _input=sys.stdin.buffer, private_data_dir=sys.argv[1], event_handler=take, quiet=True
    )
    print(run.status, last)


if __name__ == "__main__":
    main()
