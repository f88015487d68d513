"""The examples of the document on applications, with `playstream` in place of their import.

Nothing else is changed but paths.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.interface.first_documents import run_example

# The examples leave closing runner.stdout to the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_the_application_examples(seed_dir: Path) -> None:
    printed = run_example(
        """
        # Run a playbook
        result = ansible_runner.run(
            private_data_dir='/path/to/project',
            playbook='deploy.yml',
            extravars={
                'app_version': '2.5.0',
                'deploy_env': 'production',
                'rollback': False,
            },
            passwords={
                'become_pass': 'sudo_password',
                'conn_pass': 'ssh_password',
            },
        )

        # Check the result
        print(f"Status: {result.status}")        # successful, failed, timeout
        print(f"Return code: {result.rc}")        # 0 = success
        print(f"Final output:\\n{result.stdout.read()}")

        # Access individual host results
        for event in result.events:
            if event['event'] == 'runner_on_ok':
                host = event['event_data']['host']
                task = event['event_data']['task']
                print(f"OK: {host} - {task} {event['event_data']['res']['stdout']}")

        result = ansible_runner.run(
            private_data_dir='/path/to/project',
            module='command',
            module_args='uptime -p',
            host_pattern='webservers',
        )

        for event in result.events:
            if event['event'] == 'runner_on_ok':
                host = event['event_data']['host']
                stdout = event['event_data']['res'].get('stdout', '')
                print(f"{host}: {stdout}")
    """,
        seed_dir,
    )
    lines = printed.splitlines()
    assert lines[:2] == ["Status: successful", "Return code: 0"]
    assert "OK: node1 - Tagged 2.5.0 False" in lines
    assert lines[-1].startswith("node1: up")


def test_the_polling_example(seed_dir: Path) -> None:
    printed = run_example(
        """
        # Start the run in the background
        thread, runner = ansible_runner.run_async(
            private_data_dir='/path/to/project',
            playbook='deploy.yml',
        )

        # Monitor progress
        while runner.status == 'running':
            print(f"Status: {runner.status}")
            time.sleep(5 / 10)

        # Get the final result
        print(f"Final status: {runner.status}")
        print(f"Return code: {runner.rc}")
    """,
        seed_dir,
        time=time,
    )
    assert printed.startswith("Status: running\n")
    assert printed.endswith("\nFinal status: successful\nReturn code: 0")
