"""Jobs with every field at its maximum, through the three stages and a real Ansible, in both dialects."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.stress.faults.floods import MIB, Peaks, run_stages
from tests.stress.faults.report import Report

_FILE = 4 * MIB
"""Bytes that a file of env/ may have."""
_WORD = 131_071
"""Bytes that Linux takes in one word or variable."""
_VARIABLES = 10
_ANSWER = 4095
"""Bytes of an answer to a prompt."""
_SECONDS = 10**10
"""Of a time limit."""
_IDENT = "i" * 200
_PLAYBOOK = "p" * 251 + ".yml"
_FORKS = (1 << 31) - 1
_RECORD = 64 * MIB
_BEHIND = 4096
"""Bytes that are left for the rest of a file or a record."""
_LOOK = """\
- hosts: all
  gather_facts: false
  tasks:
  - name: look
    tags: look
    ansible.builtin.assert:
      that:
      - long | length == {size}
      - lookup('env', 'V0') | length == {variable}
"""


def _fill(demo: Path) -> None:
    """Files of env/ of 4 MiB each, but for variables and the key, of which the system takes less."""
    extravars, variable = _FILE - _BEHIND, _WORD - len("V0=")
    (demo / "project" / _PLAYBOOK).write_text(_LOOK.format(size=extravars, variable=variable))
    answers = _FILE // (_ANSWER + 40)
    settings = _FILE // _BEHIND - 1
    contents: dict[str, object] = {
        "extravars": {"long": "x" * extravars},
        "envvars": {f"V{number}": "v" * variable for number in range(_VARIABLES)},
        "passwords": {f"Prompt number {number:05}: ": "a" * _ANSWER for number in range(answers)},
        "settings": {
            "job_timeout": _SECONDS,
            "idle_timeout": _SECONDS,
            **{f"plugin_{number}": "s" * (_BEHIND - 24) for number in range(settings)},
        },
    }
    for name, values in contents.items():
        (demo / "env" / name).write_text(json.dumps(values))
        assert (demo / "env" / name).stat().st_size <= _FILE, name
    (demo / "env" / "cmdline").write_text(f"--start-at-task look --skip-tags {'s' * _WORD}")
    key = demo.parent / "key"
    # Its text is longer by a third, and the comment stands in it once.
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key), "-C", "c" * 16_000]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    key.rename(demo / "env" / "ssh_key")


def _files(directory: Path, dialect: str) -> Peaks:
    words = (
        "-i",
        _IDENT,
        "--forks",
        str(_FORKS),
        "--tags",
        "look," + "t" * (_WORD - len("look,")),
        "--limit",
        "all:!" + "h" * (_WORD - len("all:!")),
        "--dialect",
        dialect,
    )
    artifacts, peaks, _ = run_stages(
        directory,
        0,
        _PLAYBOOK,
        fakes=Path(sys.executable).parent,
        prepare=_fill,
        words=words,
        ident=_IDENT,
    )
    assert json.loads((artifacts / "command").read_text())["command"][-1] == _PLAYBOOK
    return peaks


def _record(directory: Path, dialect: str) -> Peaks:
    """A job that has as many bytes as a record or a line may have, most of them one variable."""
    size = _RECORD - 64 * _BEHIND
    program = (
        "import sys, playstream; playstream.run(private_data_dir=sys.argv[1], streamer='transmit', "
        "_output=sys.stdout.buffer, playbook='look.yml', dialect=sys.argv[2], "
        "extravars={'long': 'x' * int(sys.argv[3])}, envvars={'V0': 'v'})"
    )

    def prepare(demo: Path) -> None:
        (demo / "project" / "look.yml").write_text(_LOOK.format(size=size, variable=1))

    _, peaks, _ = run_stages(
        directory,
        0,
        "look.yml",
        fakes=Path(sys.executable).parent,
        prepare=prepare,
        transmit=lambda demo: [sys.executable, "-c", program, str(demo), dialect, str(size)],
    )
    return peaks


def measure(_flags: argparse.Namespace, report: Report) -> None:
    """Run each job once."""
    cases: dict[str, Callable[[Path, str], Peaks]] = {
        "every field at its maximum": _files,
        "a job of 64 MiB": _record,
    }
    for name, case in cases.items():
        for dialect in ("playstream", "runner"):
            row = f"{name}, {dialect}"
            with tempfile.TemporaryDirectory() as directory:
                began = time.monotonic()
                try:
                    for stage, peak in case(Path(directory), dialect).items():
                        report.add(f"{row}: memory of {stage}", peak / MIB, "MiB")
                    report.add(f"{row}: run and check", time.monotonic() - began, "s")
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a broken promise
                    report.fail(row, repr(error)[-1500:])
