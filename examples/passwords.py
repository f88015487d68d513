"""Opens a vault, and answers a playbook's own question, without a password in a file or on a command line.

    python examples/passwords.py                            # asks for the vault's password
    echo open-sesame | python examples/passwords.py         # reads it

runs the playbook of examples/vault, whose README.md has the password. The exit status is Ansible's.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import playstream

PROJECT = Path(__file__).parent / "vault"


def main() -> int:
    """Ask for the vault's password and run the playbook with it."""
    terminal = sys.stdin.isatty()
    password = getpass.getpass("Password of the vault: ") if terminal else sys.stdin.readline().rstrip("\n")
    result = playstream.run(
        private_data_dir=PROJECT,
        playbook="site.yml",
        passwords={
            # These names need no regular expression: vault, vault:ID, ssh, become.
            "vault": password,
            # Anything else is the regular expression of a prompt; this one is of the playbook's vars_prompt.
            r"^Ticket of this change: ?$": "CHG-1234",
        },
        quiet=True,
    )
    for event in result.events:
        if event["event"] == "runner_on_ok" and event["event_data"]["resolved_action"] == "ansible.builtin.debug":
            print(f"{event['event_data']['host']}: {event['event_data']['res']['msg']}")
    print(f"{result.status}: {result.rc}")
    if result.explanation:
        print(result.explanation)
    if result.rc:
        with result.stdout as output:
            print(output.read())
    return 1 if result.rc is None else result.rc


if __name__ == "__main__":
    sys.exit(main())
