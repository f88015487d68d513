"""Runs one command on all hosts, without a playbook, and makes a table of the answers.

    python examples/adhoc_report.py                # uptime
    python examples/adhoc_report.py uname -sm

runs it on the hosts of examples/demo. The exit status is Ansible's.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import playstream

DEMO = Path(__file__).parent / "demo"


def main(words: list[str]) -> int:
    """Run the command and print a line for each host."""
    result = playstream.run(
        private_data_dir=DEMO,
        host_pattern="demo",
        module="command",
        module_args=shlex.join(words or ["uptime"]),
        quiet=True,
    )
    answers: dict[str, str] = {}
    for event in result.events:
        data = event["event_data"]
        if event["event"] == "runner_on_ok":
            answers[data["host"]] = data["res"].get("stdout", "").strip()
        elif event["event"] in {"runner_on_failed", "runner_on_unreachable"}:
            # What a command wrote to standard error says more than Ansible's own "non-zero return code".
            answers[data["host"]] = f"FAILED: {data['res'].get('stderr') or data['res'].get('msg', 'no message')}"
    width = max(map(len, answers), default=0)
    for host, answer in sorted(answers.items()):
        print(f"{host:{width}}  {answer}")
    if result.explanation:
        print(result.explanation)
    return 1 if result.rc is None else result.rc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
