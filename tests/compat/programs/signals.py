"""SIGTERM and SIGINT while a run goes on: it is canceled, and the program goes on."""

import os
import signal
import sys
from typing import Any

import ansible_runner


def run(number: signal.Signals, start: Any) -> None:
    sent: list[bool] = []

    def event_handler(event: dict[str, Any]) -> bool:
        if event["event"] == "runner_on_start" and not sent:
            sent.append(True)
            os.kill(os.getpid(), number)
        return True

    runner = start(private_data_dir=sys.argv[1], playbook="pause.yml", quiet=True, event_handler=event_handler)
    if isinstance(runner, tuple):
        runner[0].join()
        runner = runner[1]
    print(number.name, runner.status, runner.rc, runner.canceled)


run(signal.SIGINT, ansible_runner.run)
run(signal.SIGTERM, ansible_runner.run_async)
