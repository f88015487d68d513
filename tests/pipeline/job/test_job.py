"""Bad input is found before a byte is sent, and the message says where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.inputs import parse_mapping, read_env_files, split_words
from playstream.pipeline.job.job import add_env_files, check_job, make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.protocol import NEED_DATA, Job, Receiver, Sender
from playstream.pipeline.protocol.order import Direction
from tests.conftest import MakeDir


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    made = private_data_dir({"site.yml": "[]\n", "other.yaml": "[]\n"})
    (made / "env").mkdir()
    (made / "project" / "roles" / "web").mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"playbook": "nope.yml"}, "'nope.yml' was not found in .*available: other.yaml, site.yml"),
        ({"playbook": "../inventory/hosts"}, "outside the project"),
        ({"playbook": "/etc/passwd"}, "outside the project"),
        ({"playbook": "roles"}, "is not a file"),
        ({}, "expected one of playbook .* got none"),
        ({"playbook": "site.yml", "module": "ping"}, "expected one of .* got playbook and module"),
        ({"role": "db"}, "role 'db' was not found"),
        ({"module": "ping", "inventory": ["nope"]}, "inventory 'nope' was not found.*'nope,'"),
        ({"module": "ping", "inventory": ["../x"]}, "inventory '../x' is outside the private data directory"),
        ({"module": "ping", "roles_path": ["/usr/share"]}, "roles_path '/usr/share' is outside"),
        ({"module": "ping", "project_dir": ".."}, "project_dir '..' is outside"),
        ({"module": "ping", "forks": 0}, "forks: expected an integer of 1 or more, got 0"),
        ({"module": "ping", "verbosity": 8}, "verbosity: expected 0 to 7, got 8"),
        ({"module": "ping", "ident": "a/b"}, "is not a valid directory name"),
        ({"module": "ping", "ident": ".."}, "is not a valid directory name"),
        ({"module": "ping", "cmdline": "--diff 'x"}, "cmdline: .* cannot be split into words: No closing quotation"),
        ({"module": "ping", "passwords": {"(": "x"}}, "passwords: '\\(' is not a valid regular expression"),
        ({"module": "ping", "envvars": {"A=B": "x"}}, "envvars: 'A=B' is not a valid name"),
        (
            {"module": "ping", "extravars": [{"a": {"b": [1, object()]}}]},
            r"extravars: a.b\[1\]: expected a string, a number.*got an object of the type object",
        ),
        ({"module": "ping", "role_vars": {"a": float("nan")}}, "role_vars: a: expected a string, a number.*got nan"),
        (
            {"module": "ping", "settings": {"job_timeout": "soon"}},
            "settings: job_timeout: expected a number of seconds",
        ),
    ],
)
def test_wrong_arguments(directory: Path, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        make_job({"private_data_dir": directory, **arguments}, Delivery.TREE)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("envvars", "a: b\nc: [d\n", "env/envvars, line 3, column 1: not valid YAML"),
        ("envvars", "- a\n", "env/envvars: expected a mapping of names to values, got a list"),
        ("envvars", "A: {b: c}\n", "env/envvars: A: expected a string or a number, got dict"),
        ("envvars", "a: &x {b: *x}\n", "env/envvars: expected at most 200 levels"),
        ("envvars", "1: a\n", "env/envvars: 1: expected a string as a name, got 1"),
        ("extravars", '{"a": 1,\n "b" 2}\n', "env/extravars, line 2"),
        ("passwords", "'[': secret-word\n", "env/passwords: '\\[' is not a valid regular expression"),
        ("passwords", "'^x': [secret-word]\n", "env/passwords: the answer to '\\^x': expected a string"),
        ("settings", "idle_timeout: -1\n", "env/settings: idle_timeout: expected a number of seconds"),
        ("cmdline", "--limit 'a", "env/cmdline: .* No closing quotation"),
    ],
)
def test_wrong_files_in_env(directory: Path, name: str, text: str, expected: str) -> None:
    (directory / "env" / name).write_text(text)
    with pytest.raises(ConfigurationError, match=expected) as caught:
        make_job({"private_data_dir": directory, "playbook": "site.yml"}, Delivery.TREE)
    assert "secret-word" not in str(caught.value)


def test_a_file_in_env_that_is_not_text(directory: Path) -> None:
    (directory / "env" / "extravars").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigurationError, match="expected UTF-8 text, got the byte 0xff at position 3"):
        read_env_files(directory)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda _path: None, "does not exist"),
        (lambda path: path.write_text(""), "is not a directory"),
    ],
)
def test_a_missing_directory(tmp_path: Path, make: Callable[[Path], object], expected: str) -> None:
    make(tmp_path / "demo")
    with pytest.raises(ConfigurationError, match=expected):
        make_job({"private_data_dir": tmp_path / "demo", "playbook": "site.yml"}, Delivery.TREE)


def test_arguments_win_over_files_name_by_name(directory: Path) -> None:
    (directory / "env" / "extravars").write_text("a: 1\nb: 2\n")
    (directory / "env" / "envvars").write_text('{"X": 1, "Y": "file"}')
    (directory / "env" / "cmdline").write_text("--diff")
    options = {"playbook": "site.yml", "extravars": {"b": 3}, "envvars": {"Y": "argument"}, "cmdline": "--check"}
    job = make_job({**options, "private_data_dir": directory}, Delivery.TREE)
    assert (job.extravars_texts, job.extravars) == (("a: 1\nb: 2\n",), {"b": 3})
    assert job.envvars == {"X": "1", "Y": "argument"}
    assert job.cmdline == ("--check",)


@pytest.mark.parametrize("files_win", [False, True])
@pytest.mark.parametrize("cmdline", [None, "", "--check"])
def test_files_are_merged_the_same_wherever_they_are(directory: Path, files_win: bool, cmdline: str | None) -> None:
    """Of the caller's directory, or of the worker's when only the arguments travel."""
    for name, text in {
        "extravars": "a: 1\n",
        "envvars": '{"X": "file", "Y": "file"}',
        "cmdline": "--diff",
        "passwords": "{'^a': file, '^b': file}",
        "settings": "{idle_timeout: 5, job_timeout: 6, own: file}",
    }.items():
        (directory / "env" / name).write_text(text)
    options: dict[str, Any] = {
        "ident": "1",
        "playbook": "site.yml",
        "extravars": [{"b": 3}],
        "envvars": {"Y": "argument"},
        "passwords": {"^b": "argument"},
        "settings": {"own": "argument", "job_timeout": 7},
        "timeout": 9,
        "env_files_win": files_win,
    }
    if cmdline is not None:
        options["cmdline"] = cmdline
    here = make_job({**options, "private_data_dir": directory}, Delivery.IN_PLACE)
    sent = make_job(options, Delivery.ARGUMENTS)
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(Sender(Direction.JOB).send(sent))
    received = receiver.next_record()
    assert isinstance(received, Job)
    there = check_job(add_env_files(received, read_env_files(directory)))
    assert replace(there, timeout=None, env_files_win=False) == here
    winner = "file" if files_win else "argument"
    assert here.envvars == {"X": "file", "Y": winner}
    assert here.passwords == {"^a": "file", "^b": winner}
    assert here.settings == {"idle_timeout": 5, "job_timeout": 9, "subprocess_timeout": 9, "own": winner}
    assert here.cmdline == (("--check",) if cmdline else ("--diff",))
    assert (here.extravars_texts, here.extravars) == (("a: 1\n",), {"b": 3})


def test_paths_in_the_job_are_relative(directory: Path) -> None:
    playbook = directory / "project" / "site.yml"
    inventory = [str(directory / "inventory"), "a,b"]
    job = make_job({"private_data_dir": directory, "playbook": playbook, "inventory": inventory}, Delivery.TREE)
    assert job.playbook == "site.yml"
    assert job.inventory == ("inventory", "a,b")
    assert str(directory) not in repr(job)


def test_dates_and_ansibles_tags_become_what_json_carries() -> None:
    text = "day: 2026-11-21\nkey: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\nraw: !unsafe '{{ x }}'\n"
    assert parse_mapping("x", text) == {
        "day": "2026-11-21",
        "key": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n3132\n"},
        "raw": {"__ansible_unsafe": "{{ x }}"},
    }


@given(st.text())
def test_any_text_is_names_with_values_or_an_error(text: str) -> None:
    try:
        values = parse_mapping("source", text)
    except ConfigurationError as error:
        assert str(error).startswith("source")
    else:
        assert all(isinstance(name, str) for name in values)


@given(st.text())
def test_any_text_is_words_or_an_error(text: str) -> None:
    try:
        assert all(isinstance(word, str) for word in split_words("source", text))
    except ConfigurationError as error:
        assert str(error).startswith("source")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(st.dictionaries(st.text(min_size=1), json_values, max_size=4), WORDS)
def test_a_job_travels_unchanged(extravars: dict[str, Any], module_args: str) -> None:
    options = {"private_data_dir": "/nowhere", "module": "ping", "module_args": module_args, "extravars": extravars}
    job = make_job(options, Delivery.ARGUMENTS)
    receiver = Receiver(Direction.JOB)
    receiver.receive_data(Sender(Direction.JOB).send(job))
    received = receiver.next_record()
    assert received is not NEED_DATA
    assert received == job
