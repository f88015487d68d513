"""The plugin is a file and a folder: they work where they are copied to, and are built to be cheap."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.plugin.conftest import PLUGIN

if TYPE_CHECKING:
    from tests.plugin.conftest import Ansible

COUNTER = """
import atexit, os, sys

calls, plugin, main = [0], os.environ["ANSIBLE_CALLBACK_PLUGINS"], os.getpid()

def profile(frame, event, argument):
    if event == "call" and frame.f_code.co_filename.startswith(plugin):
        calls[0] += 1

def report():
    sys.setprofile(None)
    if os.getpid() == main:
        with open(os.environ["COUNTED"], "w") as file:
            file.write(str(calls[0]))

atexit.register(report)
sys.setprofile(profile)
"""
HOSTS, TASKS = 30, 3
CALLS_PER_EVENT = 15


def test_the_plugin_works_where_it_is_copied_to(ansible: Ansible, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    shutil.copytree(PLUGIN, place, ignore=shutil.ignore_patterns("__pycache__"))
    run = ansible.playbook("small.yml", env={"ANSIBLE_CALLBACK_PLUGINS": str(place)})
    assert run.status == 0
    run.check()
    assert run.named("playbook_on_stats")


def test_ansible_takes_no_part_for_a_plugin(ansible: Ansible) -> None:
    for run in (ansible.playbook("small.yml", recorded=False), ansible.playbook("small.yml", "-vvvv")):
        assert run.status == 0
        assert "Skipping plugin" not in run.terminal
        assert "playstream_recording" not in run.terminal


def test_an_event_takes_few_calls(ansible: Ansible, tmp_path: Path) -> None:
    """Each function costs page faults after each of Ansible's forks; docs/performance.md has the figures."""
    (tmp_path / "sitecustomize.py").write_text(COUNTER)
    inventory = tmp_path / "inventory"
    inventory.write_text("".join(f"h{number} ansible_connection=local\n" for number in range(HOSTS)))
    playbook = tmp_path / "playbook.yml"
    tasks = "".join(f"    - debug: msg={number}\n" for number in range(TASKS))
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    counted = tmp_path / "counted"
    env = {"PYTHONPATH": str(tmp_path), "COUNTED": str(counted)}
    run = ansible.playbook("-i", str(inventory), str(playbook), "-l", "h*,!gone", env=env)
    assert run.status == 0, run.terminal
    assert len(run.named("runner_on_ok")) >= HOSTS * TASKS
    assert 0 < int(counted.read_text()) < CALLS_PER_EVENT * len(run.events)
