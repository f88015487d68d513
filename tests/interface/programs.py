"""Playbooks, hosts and stand-ins for Ansible, for the tests of the Python interface."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import playstream
from tests.stages import LIMIT_SECONDS

HOSTS = """\
[all:vars]
ansible_connection=local
ansible_python_interpreter={python}

[webservers]
node1
"""
SITE = """\
- name: Site
  hosts: all
  gather_facts: false
  tasks:
    - name: Say it
      debug: {msg: "{{ word | default('nothing') }}"}
"""
INVENTORY: dict[str, Any] = {
    "all": {
        "hosts": {"node1": {}},
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
    }
}


def play(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A play for all hosts, without facts."""
    return {"name": "Play", "hosts": "all", "gather_facts": False, "tasks": list(tasks), **more}


def debug(message: str) -> dict[str, Any]:
    """A task that shows a message."""
    return {"name": f"Show {message}"[:40], "debug": {"msg": message}}


def messages(events: Any) -> list[str]:
    """What debug tasks have shown."""
    return [event["event_data"]["res"]["msg"] for event in events if event["event"] == "runner_on_ok"]


def output(runner: playstream.Runner) -> str:
    """What a run has printed, with plain line ends."""
    with runner.stdout as file:
        return file.read().replace("\r\n", "\n")


def fake(directory: Path, text: str, name: str = "fake-ansible") -> str:
    """A shell script to run in place of Ansible: without events of its own, in a tenth of the time."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def use_temporary(directory: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a directory, which is the one for temporary files here and in what is started from here."""
    directory.mkdir()
    patch.setattr(tempfile, "tempdir", str(directory))
    patch.setenv("TMPDIR", str(directory))
    return directory


def leftovers(temporary: Path) -> list[str]:
    """What playstream has left in a directory for temporary files."""
    return sorted(path.name for path in temporary.glob("playstream-*"))


def run_program(
    text: str, *arguments: str | Path, temporary: Path, cwd: Path | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a process of its own."""
    done = start_program(text, *arguments, temporary=temporary, cwd=cwd, **options)
    stdout, stderr = done.communicate(timeout=LIMIT_SECONDS)
    return subprocess.CompletedProcess(done.args, done.returncode, stdout, stderr)


def start_program(
    text: str, *arguments: str | Path, temporary: Path, cwd: Path | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start a Python program in a process of its own."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        [*options.pop("prefix", ()), sys.executable, "-c", text, *map(str, arguments)],
        text=True,
        cwd=cwd,
        env={**os.environ, "TMPDIR": str(temporary), "PATH": path},
        **options,
    )
