"""A file cache of facts is not searched for what nobody has gathered, and holds all that anybody has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Ansible

COUNTER = """
import atexit, os, sys

searches, main = [0], os.getpid()

def profile(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "has_expired":
        searches[0] += 1

def report():
    sys.setprofile(None)
    if os.getpid() == main:
        with open(os.environ["COUNTED"], "w") as file:
            file.write(str(searches[0]))

atexit.register(report)
sys.setprofile(profile)
"""
TASKS = 5
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: before
      debug: msg={{ ansible_facts.get("colour", "none") }}
    - name: gather
      set_fact: {colour: "red of {{ inventory_hostname }}", cacheable: true}
      when: inventory_hostname == "h1"
    - name: after
      debug: msg={{ ansible_facts.get("colour", "none") }}
    - name: another program writes facts of h2
      copy: {src: "{{ cache }}/{{ prefix }}h1", dest: "{{ cache }}/{{ prefix }}h2", remote_src: true}
      when: inventory_hostname == "h1"
    - name: seen
      debug: msg={{ ansible_facts.get("colour", "none") }}
    - name: cleared
      meta: clear_facts
    - name: last
      debug: msg={{ ansible_facts.get("colour", "none") }}
"""


@pytest.mark.parametrize("recorded", [True, False])
def test_facts_of_a_file_cache(ansible: Ansible, tmp_path: Path, recorded: bool) -> None:
    """What a playbook sees is the same with and without the plugin."""
    inventory = tmp_path / "inventory"
    inventory.write_text("h1 ansible_connection=local\nh2 ansible_connection=local\n")
    playbook = tmp_path / "facts.yml"
    playbook.write_text(PLAYBOOK)
    cache = tmp_path / "cache"
    run = ansible.playbook(
        "-i", str(inventory), str(playbook), "-l", "h1,h2", "--forks", "1",
        "-e", f"cache={cache} prefix={_prefix(ansible, tmp_path)}",
        env={
            "ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache), "ANSIBLE_NOCOLOR": "1",
        }, recorded=recorded,
    )
    assert run.status == 0, run.terminal
    shown = [line.split('"msg": ')[1].strip() for line in run.terminal.splitlines() if '"msg": ' in line]
    red = '"red of h1"'
    assert shown == ['"none"', '"none"', red, '"none"', red, red, '"none"', '"none"']


def _prefix(ansible: Ansible, tmp_path: Path) -> str:
    """What this ansible puts before a host's name."""
    cache = tmp_path / "other"
    run = ansible.run(
        "ansible", "-i", "probe,", "probe", "-c", "local", "-m", "set_fact", "-a", "colour=red cacheable=true",
        env={"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}, recorded=False,
    )
    assert run.status == 0, run.terminal
    (name,) = os.listdir(cache)
    return name.removesuffix("probe")


def test_a_cache_that_holds_nothing_is_not_searched(ansible: Ansible, tmp_path: Path) -> None:
    """Ansible asks of each file that it looks for whether it has expired."""
    (tmp_path / "sitecustomize.py").write_text(COUNTER)
    playbook = tmp_path / "playbook.yml"
    tasks = "".join(f"    - debug: msg={number}\n" for number in range(TASKS))
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    searched = {}
    for recorded in (True, False):
        counted = tmp_path / f"counted-{recorded}"
        run = ansible.playbook(
            "-i", "h1,h2,h3,", str(playbook), "-c", "local", "-l", "h1,h2,h3", recorded=recorded,
            env={
                "PYTHONPATH": str(tmp_path), "COUNTED": str(counted), "ANSIBLE_CACHE_PLUGIN": "jsonfile",
                "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "cache"),
            },
        )
        assert run.status == 0, run.terminal
        searched[recorded] = int(counted.read_text())
    assert searched[False] >= 3 * TASKS
    assert searched[True] < searched[False] / 3
