"""Prints each event as it happens: plays, tasks, and what became of them on each host.

    python examples/event_handler.py

runs the playbook of examples/demo. The exit status is Ansible's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import playstream

DEMO = Path(__file__).parent / "demo"


def print_event(event: dict[str, Any]) -> bool:
    """Called for every event while the playbook runs. True keeps the event on disk and in `result.events`."""
    kind, data = event["event"], event["event_data"]
    if kind == "playbook_on_play_start":
        print(f"[PLAY] {data['play']}")
    elif kind == "playbook_on_task_start":
        print(f"[TASK] {data['task']}")
    elif kind == "runner_on_ok":
        print(f"  [{'CHANGED' if data['res'].get('changed') else 'OK'}] {data['host']}")
    elif kind == "runner_on_failed":
        print(f"  [FAILED] {data['host']}: {data['res'].get('msg', 'no message')}")
    elif kind == "runner_on_unreachable":
        print(f"  [UNREACHABLE] {data['host']}: {data['res'].get('msg', 'no message')}")
    elif kind == "playbook_on_stats":
        print("[STATS] Playbook complete")
    return True


def main() -> int:
    """Run the playbook."""
    result = playstream.run(private_data_dir=DEMO, playbook="site.yml", event_handler=print_event, quiet=True)
    print(f"{result.status}: {result.rc}")
    if result.explanation:
        print(result.explanation)
    for host, tasks in sorted((result.stats or {}).get("ok", {}).items()):
        print(f"{host}: {tasks} tasks were fine")
    return 1 if result.rc is None else result.rc


if __name__ == "__main__":
    sys.exit(main())
