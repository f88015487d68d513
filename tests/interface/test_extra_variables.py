"""Extra variables are what Ansible would have read from the same file: in value, kind and order, on every path."""

from __future__ import annotations

import datetime as dt
import enum
import io
import json
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, Literal

import pytest

import playstream
from tests.interface.programs import messages

VALUES = """\
ports: {10: web, 2.5: half, true: yes, null: none, 2001-01-02: day}
day: 2001-01-02
moment: 2001-01-02T03:04:05Z
pairs: !!pairs [a: 1, a: 2]
ordered: !!omap [b: 1, a: 2]
data: !!binary aGVsbG8=
big: 123456789012345678901234567890
infinite: [.inf, -.inf]
octal: 010
raw: !unsafe '{{ nothing }}'
raw_number: !unsafe 10
text: "2001-01-02"
again: {z: 1, a: 2}
"""
DIALECTS: tuple[Literal["playstream", "runner"], ...] = ("playstream", "runner")
NAMES = [line.partition(":")[0] for line in VALUES.splitlines()]
DESCRIBE = """\
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ lookup('vars', item) | kinds }}"}
      loop: "{{ names }}"
"""
FILTER = '''\
def kinds(value):
    """A value with the kinds of everything in it; Ansible's own kinds are derived from Python's."""
    base = next(k.__name__ for k in type(value).__mro__ if k.__module__ in ("builtins", "datetime"))
    if isinstance(value, dict):
        return base + repr([(kinds(k), kinds(v)) for k, v in value.items()])
    if isinstance(value, (list, tuple)):
        return base + repr([kinds(v) for v in value])
    return base + " " + str(value)


class FilterModule:
    def filters(self):
        return {"kinds": kinds}
'''


@pytest.fixture
def describing(demo: Path) -> Path:
    """A private data directory whose playbook tells the kinds and values of the variables in `names`."""
    (demo / "project" / "kinds.yml").write_text(DESCRIBE)
    (demo / "project" / "filter_plugins").mkdir()
    (demo / "project" / "filter_plugins" / "kinds.py").write_text(FILTER)
    (demo / "env").mkdir()
    return demo


def measure(demo: Path, *words: str, names: list[str]) -> list[str]:
    """What ansible-playbook itself makes of words of its command line."""
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "-i", demo / "inventory", "kinds.yml", *words, "-e", json.dumps({"names": names})],
        cwd=demo / "project",
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(demo), "LC_ALL": "C.UTF-8"},
    )
    return [json.loads(text) for text in re.findall(r'^    "msg": (".*")$', done.stdout, re.MULTILINE)]


def told(runner: playstream.Runner) -> list[str]:
    """The same of a run."""
    assert runner.status == "successful", runner.stdout.read()
    return [event["event_data"]["res"]["msg"] for event in runner.events if event["event"] == "runner_item_on_ok"]


def run(demo: Path, names: list[str], **options: Any) -> list[str]:
    options.setdefault("extravars", [])
    options["extravars"] = [*options["extravars"], {"names": names}]
    return told(playstream.run(private_data_dir=demo, playbook="kinds.yml", quiet=True, **options))


def over_the_wire(demo: Path, dialect: Literal["playstream", "runner"], names: list[str], **options: Any) -> list[str]:
    sent, answer = io.BytesIO(), io.BytesIO()
    options["extravars"] = [*options.get("extravars", []), {"names": names}]
    playstream.run(
        streamer="transmit", private_data_dir=demo, playbook="kinds.yml", dialect=dialect, _output=sent, **options
    )
    sent.seek(0)
    playstream.run(streamer="worker", _input=sent, _output=answer)
    answer.seek(0)
    return told(playstream.run(streamer="process", private_data_dir=demo / "got", _input=answer, quiet=True))


def test_a_file_is_read_by_ansible_itself(describing: Path) -> None:
    vars_file = describing / "vars.yml"
    vars_file.write_text(VALUES)
    expected = measure(describing, "-e", f"@{vars_file}", names=NAMES)
    assert len(expected) == len(NAMES)
    assert "int 10" in expected[0]
    (describing / "env" / "extravars").write_text(VALUES)
    assert run(describing, NAMES) == expected
    for dialect in DIALECTS:
        assert over_the_wire(describing, dialect, NAMES) == expected
    (describing / "env" / "extravars").unlink()
    assert run(describing, NAMES, extravars=["vars.yml"]) == expected
    assert over_the_wire(describing, "playstream", NAMES, extravars=[vars_file]) == expected


def test_data_of_a_program_keeps_its_kinds(describing: Path) -> None:
    class Colour(str, enum.Enum):  # noqa: UP042 - as many programs have it
        RED = "red"

    values = {
        "ports": {10: "web", 2.5: "half", True: "yes", None: "none", dt.date(2001, 1, 2): "day"},
        "day": dt.date(2001, 1, 2),
        "moment": dt.datetime(2001, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "data": b"hello",
        "infinite": [float("inf"), float("-inf")],
        "text": "2001-01-02",
        "colour": Colour.RED,
        "frozen": types.MappingProxyType({"a": ("b", 1)}),
        "raw": {"__ansible_unsafe": "{{ nothing }}"},
        "odd": "a\n: #\t\x85 \u2028'\"é😀",
    }
    names = list(values)
    text = """\
ports: {10: web, 2.5: half, true: "yes", null: none, 2001-01-02: day}
day: 2001-01-02
moment: 2001-01-02T03:04:05Z
data: !!binary aGVsbG8=
infinite: [.inf, -.inf]
text: "2001-01-02"
colour: red
frozen: {a: [b, 1]}
raw: !unsafe '{{ nothing }}'
odd: "a\\n: #\\t\\x85 \\u2028'\\"é😀"
"""
    (describing / "vars.yml").write_text(text)
    expected = measure(describing, "-e", "@../vars.yml", names=names)
    assert run(describing, names, extravars=[values]) == expected
    assert over_the_wire(describing, "playstream", names, extravars=[values]) == expected
    assert over_the_wire(describing, "runner", names, extravars=[values]) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a": {"b": [1, object()]}}, r"extravars: a.b\[1\]: expected a string, .* got an object of the type object"),
        ({"a": {(1, 2): 3}}, r"extravars: a.\(1, 2\): expected a string as a name"),
        ({"a": ["b", "\udcff"]}, r"extravars: a\[1\]: expected a string that can be encoded as UTF-8, got a lone"),
        ({"a": {"\ud800": 1}, 10: 1}, r"extravars: a\.\\ud800: expected a string that can be encoded as UTF-8"),
    ],
)
def test_what_no_text_carries_is_refused_with_its_name(demo: Path, values: Any, expected: str) -> None:
    with pytest.raises(playstream.ConfigurationError, match=expected):
        playstream.run(private_data_dir=demo, playbook="site.yml", extravars=values)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"role": "x", "role_vars": {"a": {1: 2}}}, "role_vars: a.1: expected a string as a name, got 1"),
        (
            {"playbook": [{"hosts": "all", "vars": {"day": dt.date(2001, 1, 2)}}]},
            r"playbook: vars.day: expected a string",
        ),
        (
            {"module": "ping", "inventory": {"all": {"hosts": {"n": {"p": {80: "a"}}}}}},
            "inventory: all.hosts.n.p.80: exp",
        ),
        ({"module": "ping", "settings": {"own": {"a": {1, 2}}}}, "settings: own.a: expected a string"),
        ({"module": "ping", "inventory": {"all": {"vars": {"n": float("nan")}}}}, "inventory: all.vars.n: .* got nan"),
        ({"playbook": [{"hosts": "all", "vars": {"word": "\ud800"}}]}, "playbook: vars.word: .* got a lone surrogate"),
        ({"role": "x", "role_vars": {"a": "\udcff"}}, "role_vars: a: .* got a lone surrogate"),
        (
            {"module": "ping", "inventory": {"all": {"vars": {"n": "\ud800"}}}},
            "inventory: all.vars.n: .* a lone surrogate",
        ),
    ],
)
def test_other_data_that_json_does_not_carry(demo: Path, options: dict[str, Any], expected: str) -> None:
    (demo / "project" / "roles" / "x").mkdir(parents=True)
    with pytest.raises(playstream.ConfigurationError, match=expected):
        playstream.run(private_data_dir=demo, **options)


def test_the_runner_dialect_without_a_tree_refuses_what_it_cannot_carry(demo: Path) -> None:
    with pytest.raises(playstream.ConfigurationError, match="can only carry such variables in the tree"):
        playstream.run(
            streamer="transmit",
            private_data_dir=demo,
            playbook="site.yml",
            dialect="runner",
            only_transmit_kwargs=True,
            extravars={"day": dt.date(2001, 1, 2)},
            _output=io.BytesIO(),
        )


@pytest.fixture
def vaulted(describing: Path) -> Path:
    """A file of variables that ansible-vault has encrypted as a whole, with the password `sesame`."""
    (describing / "password").write_text("sesame\n")
    path = describing / "vaulted.yml"
    path.write_text("secret: {10: opened}\nboth: vaulted\n")
    program = Path(sys.executable).with_name("ansible-vault")
    subprocess.run(
        [program, "encrypt", "--vault-password-file", describing / "password", path], check=True, capture_output=True
    )
    assert path.read_text().startswith("$ANSIBLE_VAULT;")
    return path


def test_a_vaulted_file_keeps_its_place_in_the_order(describing: Path, vaulted: Path) -> None:
    names = ["secret", "both"]
    opened, over, own = "dict[('int 10', 'str opened')]", "str over", "str vaulted"
    options: dict[str, Any] = {"passwords": {"vault": "sesame"}}
    assert run(describing, names, extravars=[vaulted, {"both": "over"}], **options) == [opened, over]
    assert run(describing, names, extravars=[{"both": "over"}, vaulted], **options) == [opened, own]
    (describing / "env" / "extravars").write_text(vaulted.read_text())
    assert run(describing, names, **options) == [opened, own]
    assert run(describing, names, extravars=[{"both": "over"}], **options) == [opened, over]
    for dialect in DIALECTS:
        assert over_the_wire(describing, dialect, names, extravars=[{"both": "over"}], **options) == [opened, over]


@pytest.mark.parametrize("name", ["envvars", "settings", "passwords"])
def test_a_vaulted_file_that_playstream_has_to_read(describing: Path, vaulted: Path, name: str) -> None:
    (describing / "env" / name).write_text(vaulted.read_text())
    with pytest.raises(playstream.ConfigurationError, match="encrypted by ansible-vault"):
        playstream.run(private_data_dir=describing, playbook="site.yml")


def test_a_text_of_variables(demo: Path) -> None:
    runner = playstream.run(private_data_dir=demo, playbook="site.yml", extravars="{word: by text}", quiet=True)
    assert messages(runner.events) == ["by text"]
    with pytest.raises(
        playstream.ConfigurationError, match="extravars: expected a mapping of names to values, got a list"
    ):
        playstream.run(private_data_dir=demo, playbook="site.yml", extravars="[1]")


def test_two_sources_are_merged_as_ansible_merges_them(describing: Path) -> None:
    (describing / "project" / "ansible.cfg").write_text("[defaults]\nhash_behaviour = merge\n")
    (describing / "env" / "extravars").write_text("both: {a: 1}\n")
    expected = measure(describing, "-e", '{"both": {"a": 1}}', "-e", '{"both": {"b": 2}}', names=["both"])
    assert expected == ["dict[('str a', 'int 1'), ('str b', 'int 2')]"]
    options: dict[str, Any] = {"extravars": [{"both": {"b": 2}}]}
    assert run(describing, ["both"], **options) == expected
    assert over_the_wire(describing, "runner", ["both"], **options) == expected
