"""Starts a playbook in the background, goes on with other work, and looks after the run now and then.

    python examples/async_polling.py

runs the playbook of examples/demo. The exit status is Ansible's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import playstream

DEMO = Path(__file__).parent / "demo"
POLL_SECONDS = 0.5


def main() -> int:
    """Start the playbook, poll it, and show how it ended."""
    began = time.monotonic()
    _thread, runner = playstream.run_async(private_data_dir=DEMO, playbook="site.yml", quiet=True)
    # A new run is `unstarted`, then `starting`: a loop that asks for `running` would end before it begins.
    while not runner.wait(POLL_SECONDS):
        print(f"{time.monotonic() - began:5.1f} s: {runner.status}", flush=True)
    print(f"final status: {runner.status}")
    print(f"return code: {runner.rc}")
    if runner.explanation:
        print(runner.explanation)
    finished = [event["event_data"] for event in runner.events if event["event"] == "runner_on_ok"]
    print(f"results with a change: {sum(data['res'].get('changed', False) for data in finished)}")
    return 1 if runner.rc is None else runner.rc


if __name__ == "__main__":
    sys.exit(main())
