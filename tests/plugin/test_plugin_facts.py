"""The cache plugin holds the facts that jsonfile would, for less work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.plugin.conftest import PLUGIN

if TYPE_CHECKING:
    from tests.plugin.conftest import Ansible

COUNTER = """
import atexit, os, sys

work, main = [0], os.getpid()

def profile(frame, event, argument):
    if event == "call" and frame.f_code.co_name in ("has_expired", "mkstemp"):
        work[0] += 1

def report():
    sys.setprofile(None)
    if os.getpid() == main:
        with open(os.environ["COUNTED"], "w") as file:
            file.write(str(work[0]))

atexit.register(report)
sys.setprofile(profile)
"""
PLUGINS = ("jsonfile", "playstream")
TASKS = 5
YEAR_2001 = 978307200
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


AGAIN = """
- hosts: all
  gather_facts: false
  tasks:
    - set_fact: {colour: red, cacheable: true}
    - find: {paths: ["{{ cache }}"]}
      register: found
    - file: {path: "{{ found.files[0].path }}", modification_time: "200101010000.00", access_time: preserve}
    - set_fact: {colour: red, cacheable: true}
"""


def caching(plugin: str, cache: Path) -> dict[str, str]:
    """The variables that let this plugin keep facts in that directory."""
    return {
        "ANSIBLE_CACHE_PLUGIN": plugin,
        "ANSIBLE_CACHE_PLUGINS": str(PLUGIN.parent / "cache"),
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache),
    }


def test_facts_are_those_of_jsonfile(ansible: Ansible, tmp_path: Path, version: tuple[int, int]) -> None:
    """What a playbook sees, and what is left, is the same with both plugins, also when another program writes facts."""
    inventory = tmp_path / "inventory"
    inventory.write_text("h1 ansible_connection=local\nh2 ansible_connection=local\n")
    playbook = tmp_path / "facts.yml"
    playbook.write_text(PLAYBOOK)
    shown, kept = {}, {}
    for plugin in PLUGINS:
        cache = tmp_path / plugin
        run = ansible.playbook(
            "-i",
            str(inventory),
            str(playbook),
            "-l",
            "h1,h2",
            "--forks",
            "1",
            "-e",
            f"cache={cache} prefix={'s1_' if version >= (2, 19) else ''}",
            env={**caching(plugin, cache), "ANSIBLE_NOCOLOR": "1"},
        )
        assert run.status == 0, run.terminal
        assert "WARNING" not in run.terminal
        shown[plugin] = [line.split('"msg": ')[1].strip() for line in run.terminal.splitlines() if '"msg": ' in line]
        kept[plugin] = {path.name: path.read_text() for path in cache.iterdir()}
    assert shown["playstream"] == shown["jsonfile"]
    assert kept["playstream"] == kept["jsonfile"]
    red = '"red of h1"'
    from_file = '"none"' if version >= (2, 21) else red  # since 2.21 Ansible knows after one task that h2 has no facts
    assert shown["playstream"] == ['"none"', '"none"', red, '"none"', red, from_file, '"none"', '"none"']


def test_facts_that_nobody_gathers_take_little_work(ansible: Ansible, tmp_path: Path) -> None:
    """Ansible asks of each file that it looks for whether it has expired, and writes a temporary file first."""
    (tmp_path / "sitecustomize.py").write_text(COUNTER)
    playbook = tmp_path / "playbook.yml"
    tasks = "".join(f"    - debug: msg={number}\n" for number in range(TASKS))
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    work = {}
    for plugin in PLUGINS:
        counted = tmp_path / f"counted-{plugin}"
        run = ansible.playbook(
            "-i",
            "h1,h2,h3,",
            str(playbook),
            "-c",
            "local",
            "-l",
            "h1,h2,h3",
            recorded=False,
            env={**caching(plugin, tmp_path / plugin), "PYTHONPATH": str(tmp_path), "COUNTED": str(counted)},
        )
        assert run.status == 0, run.terminal
        work[plugin] = int(counted.read_text())
    assert work["jsonfile"] >= 3 * TASKS
    assert work["playstream"] < work["jsonfile"] / 3


def test_facts_that_stay_the_same_do_not_expire(ansible: Ansible, tmp_path: Path) -> None:
    """Facts that are set again are as fresh as those that are set for the first time."""
    cache, playbook = tmp_path / "cache", tmp_path / "playbook.yml"
    playbook.write_text(AGAIN)
    run = ansible.playbook(
        "-i",
        "h1,",
        str(playbook),
        "-c",
        "local",
        "-l",
        "h1",
        "-e",
        f"cache={cache}",
        recorded=False,
        env=caching("playstream", cache),
    )
    assert run.status == 0, run.terminal
    (facts,) = cache.iterdir()
    assert facts.stat().st_mtime > YEAR_2001
    assert "red" in facts.read_text()
