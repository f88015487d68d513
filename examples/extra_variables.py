"""Gives a playbook its variables: a version, a place and a switch.

    python examples/extra_variables.py
    python examples/extra_variables.py --version 2.4.9 --environment staging --rollback

runs the playbook of examples/deploy. The exit status is Ansible's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import playstream

PROJECT = Path(__file__).parent / "deploy"


def main() -> int:
    """Run the playbook with the variables and print what each host says."""
    parser = argparse.ArgumentParser(description="Deploy a version.")
    parser.add_argument("--version", default="2.5.0", help="what to deploy (2.5.0)")
    parser.add_argument("--environment", default="production", help="where (production)")
    parser.add_argument("--rollback", action="store_true", help="say that it is an older version")
    options = parser.parse_args()
    result = playstream.run(
        private_data_dir=PROJECT,
        playbook="deploy.yml",
        # They keep their types: `rollback` is true or false in the playbook, and not a word.
        extravars={
            "app_version": options.version,
            "deploy_env": options.environment,
            "rollback": options.rollback,
        },
        quiet=True,
    )
    for event in result.events:
        if event["event"] == "runner_on_ok" and event["event_data"]["resolved_action"] == "ansible.builtin.debug":
            print(f"{event['event_data']['host']}: {event['event_data']['res']['msg']}")
    print(f"{result.status}: {result.rc}")
    if result.explanation:
        print(result.explanation)
    return 1 if result.rc is None else result.rc


if __name__ == "__main__":
    sys.exit(main())
