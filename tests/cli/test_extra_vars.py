"""`--extra-vars` beside Ansible's own `-e`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv
from hypothesis import example, given
from hypothesis import strategies as st

from playstream.cli.extra_vars import parse_assignments
from playstream.pipeline.errors import ConfigurationError
from tests.stages import Stages

PIECES = st.sampled_from(
    [
        "a",
        "b",
        "=",
        "==",
        " ",
        "  ",
        "\n",
        "\t",
        '"',
        "'",
        "\\",
        "\\n",
        "\\=",
        "\\x41",
        "\\u00e9",
        "\\N{BULLET}",
        "\\N{x}",
        "\\U0001F600",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "é",
        "1",
        "x=1",
        "y='2 3'",
        "\\'",
        '\\"',
        "\\\\",
    ]
)
SHOW = """\
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ [a | default('-'), b | default('-')] | to_json }}"}
"""


@given(st.lists(PIECES, max_size=12).map("".join))
@example('a="x\\ny"')
@example("a=b c d=e\\=f")
@example("a=1 \\\nb=2")
@example("a='{{ x }}' b={{ y | default('z w') }}")
@example("=a b=c")
def test_assignments_are_what_ansible_takes_them_for(text: str) -> None:
    try:
        expected = dict(parse_kv(text))
    except (AnsibleError, UnicodeDecodeError):
        with pytest.raises(ConfigurationError):
            parse_assignments(text)
    else:
        assert parse_assignments(text) == expected


@pytest.fixture
def show(tmp_path: Path) -> Path:
    (tmp_path / "show.yml").write_text(SHOW)
    (tmp_path / "over.yml").write_text("a: from a file\nb: 2001-01-02\n")
    (tmp_path / "vaulted.yml").write_text("a: vaulted\n")
    (tmp_path / "password").write_text("sesame\n")
    program = Path(sys.executable).with_name("ansible-vault")
    subprocess.run(
        [program, "encrypt", "--vault-password-file", "password", "vaulted.yml"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("-e", 'a="x\\ny"'),
        ("-e", "@vaulted.yml", "-e", "a=over"),
        ("-e", "a=over", "-e", "@vaulted.yml"),
        ("-e", "@over.yml", "-e", "@vaulted.yml", "-e", "b=last"),
        ("-e", '{"a": {"10": 1}, "b": "x"}', "-e", "a=1"),
        ("-e", "{a: {10: 2001-01-02}, b: 0o10}"),
        ("-e", "a='{{ b }}' b=templated"),
        ("-e", "a=1 stray b=2"),
        ("-e", ""),
    ],
)
def test_the_order_and_the_values_are_ansibles(show: Path, stages: Stages, words: tuple[str, ...]) -> None:
    more = ("-i", "n,", "-c", "local")
    program = Path(sys.executable).with_name("ansible-playbook")
    vault = ("--vault-password-file", str(show / "password"))
    theirs = subprocess.run(
        [program, "show.yml", *more, *vault, *words], cwd=show, capture_output=True, text=True, check=True
    )
    ours = stages.call("playbook", "show.yml", *more, *words, "--cmdline", " ".join(vault), cwd=show)
    assert ours.returncode == 0, ours.stderr
    assert _message(ours.stdout.decode()) == _message(theirs.stdout)
    assert ("'stray' sets no variable" in ours.stderr.decode()) == ("stray" in str(words))


def _message(output: str) -> str:
    return next(line.strip() for line in output.splitlines() if '"msg"' in line)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("./over.yml", "looks like a file name: write '@./over.yml'"),
        ("a='x", "a quote or a block"),
        ("[1]", "expected a mapping of names to values, got a list"),
        ("@nope.yml", "nope.yml' cannot be read: No such file"),
        ("word", "expected a mapping of names to values, got a string"),
        ("a=\\N{NOSUCH}", "is not a valid escape sequence"),
    ],
)
def test_what_is_no_variable(show: Path, stages: Stages, word: str, message: str) -> None:
    done = stages.call("playbook", "show.yml", "-i", "n,", "-e", word, cwd=show)
    assert done.returncode == 1
    assert message in done.stderr.decode()


def test_a_fifo_that_is_named_by_its_path(show: Path, stages: Stages) -> None:
    """As with -e @<(command) of a shell."""
    os.mkfifo(show / "fifo")
    (show / "link").symlink_to(show / "fifo")
    feeder = threading.Thread(target=(show / "fifo").write_text, args=("a: by fifo\n",))
    feeder.start()
    done = stages.call("playbook", "show.yml", "-i", "n,", "-c", "local", "-e", "@link", cwd=show)
    feeder.join()
    assert done.returncode == 0, done.stderr
    assert "by fifo" in done.stdout.decode()
