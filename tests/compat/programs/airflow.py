"""As airflow-ansible-provider does: a binary that gets the playbook as its command line, passwords as a list."""

import shutil
import sys
from typing import Any

import ansible_runner

private_data_dir = sys.argv[1]
binary = shutil.which("ansible-playbook")
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"binary": binary, "cmdline": "two.yml"})
for options in OPTIONS:
    events: list[dict[str, Any]] = []
    run = ansible_runner.run(
        private_data_dir=private_data_dir,
        playbook="two.yml",
        extravars={"word": "here"},
        quiet=True,
        passwords=[None],
        tags=None,
        ssh_key=None,
        event_handler=events.append,
        **options,
    )
    command = run.config.command
    print(run.status, command[0] == binary, command.count("two.yml"), run.config.playbook)
    print([event["event"] for event in events if "play_start" in event["event"] or "stats" in event["event"]])
