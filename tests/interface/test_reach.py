"""What get_inventory() gives is an inventory; and a run that reached nobody says so."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import playstream
from tests.interface.programs import debug, messages, play
from tests.stages import PLAYSTREAM

HOSTS = """\
all:
  vars: {ansible_connection: local, colour: red}
  children:
    web:
      hosts: {node1: {port: 80}, node2: {}}
      vars: {kind: "{{ colour }} web"}
      children: {inner: {hosts: {node3: {port: 83, colour: blue}}}}
  hosts: {alone: {port: 1}}
"""
TELL = play(debug("{{ inventory_hostname }} {{ group_names|sort }} {{ port|default('-') }} {{ kind|default('-') }}"))


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text(HOSTS)
    return path


def test_the_answer_of_get_inventory(inventory: Path, tmp_path: Path) -> None:
    expected = sorted(messages(playstream.run(playbook=[TELL], inventory=inventory, quiet=True).events))
    assert len(expected) == 4
    for export in (None, True):
        answer, _ = playstream.get_inventory("list", [str(inventory)], response_format="json", export=export)
        assert "_meta" in answer
        for form in (answer, json.dumps(answer), [answer, "other,"]):
            runner = playstream.run(playbook=[TELL], inventory=form, limit="!other", quiet=True)
            assert sorted(messages(runner.events)) == expected
            assert runner.explanation is None


@pytest.mark.parametrize("dialect", ["playstream", "runner"])
def test_it_travels(inventory: Path, tmp_path: Path, demo: Path, dialect: Any) -> None:
    answer, _ = playstream.get_inventory("list", [str(inventory)], response_format="json")
    sent, results = io.BytesIO(), io.BytesIO()
    playstream.run(
        streamer="transmit", private_data_dir=demo, playbook=[TELL], inventory=answer, dialect=dialect, _output=sent
    )
    sent.seek(0)
    playstream.run(streamer="worker", _input=sent, _output=results)
    results.seek(0)
    runner = playstream.run(streamer="process", private_data_dir=tmp_path / "got", _input=results, quiet=True)
    assert len(messages(runner.events)) == 4


def test_the_forms_of_a_script() -> None:
    inventory = {
        "_meta": {"hostvars": {"a": {"port": 7}}},
        "web": ["a", "b"],
        "all": {"vars": {"ansible_connection": "local"}},
    }
    runner = playstream.run(playbook=[TELL], inventory=inventory, quiet=True)
    assert sorted(messages(runner.events)) == ["a ['web'] 7 -", "b ['web'] - -"]


@pytest.mark.parametrize(
    ("inventory", "expected"),
    [
        ({"_meta": {"hostvars": []}, "all": {}}, "inventory: _meta: expected hostvars, a dict of hosts, got list"),
        ({"_meta": {}, "web": "a"}, "inventory: web: expected a group, got str"),
        ({"_meta": {}, "web": {"hosts": [1]}}, "inventory: web.hosts: expected names, got 1"),
    ],
)
def test_what_is_no_inventory(inventory: dict[str, Any], expected: str) -> None:
    with pytest.raises(playstream.ConfigurationError, match=expected):
        playstream.run(playbook=[TELL], inventory=inventory)


UNREAD = "Ansible could not read the inventory {}"
NO_HOST = "no host matched, so nothing was done"
NO_PLAY = "no play matched a host, so nothing was done"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"playbook": [{**TELL, "hosts": "nobody"}], "inventory": "n,"}, NO_PLAY),
        ({"playbook": [{**TELL, "hosts": "nobody"}, {**TELL, "hosts": "nor_him"}], "inventory": "n,"}, NO_PLAY),
        ({"module": "ping", "host_pattern": "nobody", "inventory": "n,"}, NO_HOST),
        ({"module": "ping", "inventory": {"all": {}}}, NO_HOST),
        ({"playbook": [TELL], "inventory": "BAD"}, UNREAD.format("BAD")),
        ({"playbook": [TELL], "inventory": ["BAD", "n,"], "cmdline": "-c local"}, UNREAD.format("BAD")),
        ({"module": "ping", "inventory": "BAD"}, UNREAD.format("BAD")),
        ({"module": "debug", "inventory": ["BAD", "n,"], "cmdline": "-c local"}, UNREAD.format("BAD")),
    ],
)
def test_nobody_was_reached(tmp_path: Path, options: dict[str, Any], expected: str) -> None:
    bad = tmp_path / "no-inventory.yml"
    bad.write_text("{not: [an, inventory")
    given = options["inventory"]
    if isinstance(given, list):
        given = [str(bad) if item == "BAD" else item for item in given]
    elif given == "BAD":
        given = str(bad)
    runner = playstream.run(**{**options, "inventory": given}, quiet=True)
    assert (runner.status, runner.rc) == ("successful", 0)
    assert runner.explanation is not None
    assert expected.replace("BAD", str(bad)) in runner.explanation
    reached = isinstance(given, list)
    assert ("nothing was done" in runner.explanation) is not reached


def test_an_inventory_is_not_named_again_for_its_directory(tmp_path: Path) -> None:
    bad = tmp_path / "inventory" / "hosts.yml"
    bad.parent.mkdir()
    bad.write_text("{not: [an, inventory")
    runner = playstream.run(playbook=[TELL], inventory=str(bad.parent), quiet=True)
    unread = UNREAD.format(bad)
    assert runner.explanation == f"{unread}; {NO_PLAY}. Check the inventory, hosts and limit"


@pytest.mark.parametrize(
    "options",
    [
        {"playbook": [TELL, {**TELL, "hosts": "nobody"}], "inventory": "n,", "cmdline": "-c local"},
        {"playbook": [play()], "inventory": "n,"},
        {"playbook": [TELL], "inventory": "n,", "cmdline": "--list-hosts"},
        {"module": "debug", "inventory": "n,", "cmdline": "-c local"},
    ],
)
def test_a_run_that_did_what_it_was_asked(options: dict[str, Any]) -> None:
    runner = playstream.run(**options, quiet=True)
    assert (runner.status, runner.explanation) == ("successful", None)


def test_the_command_line_says_so(demo: Path) -> None:
    (demo / "inventory" / "hosts").write_text("[other]\nn\n")
    (demo / "project" / "site.yml").write_text("- hosts: web\n  tasks: []\n")
    words = [*PLAYSTREAM, "run", str(demo), "-p", "site.yml", "-q"]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stderr.startswith(f"playstream run: successful: {NO_PLAY}")
    sent = subprocess.run([*PLAYSTREAM, "transmit", str(demo), "-p", "site.yml"], capture_output=True, check=True)
    done = subprocess.run([*PLAYSTREAM, "worker"], input=sent.stdout, capture_output=True, check=True)
    seen = subprocess.run([*PLAYSTREAM, "process", str(demo), "-q"], input=done.stdout, capture_output=True, check=True)
    assert seen.stderr.decode().startswith(f"playstream process: successful: {NO_PLAY}")
