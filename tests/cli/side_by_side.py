"""One command line given to ansible-runner and to playstream, each with a private data directory of its own."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from playstream.pipeline.job.fact_cache import PREFIX
from tests.ansible_runner_env import ansible_runner_python
from tests.stages import LIMIT_SECONDS, PLAYSTREAM, SAY_STARTED

_FAKE = f"""\
#!{sys.executable} -I
import json, os, re, sys
def read(name):
    return open(name).read() if os.path.isfile(name) else ""
words = sys.argv[1:]
record = {{
    "words": [os.path.basename(sys.argv[0]), *words],
    "cwd": os.getcwd(),
    "roles_path": os.environ.get("ANSIBLE_ROLES_PATH", ""),
    "color": os.environ.get("COLOR", ""),
    "files": {{word: read(word.removeprefix("@")) for word in words if word.startswith("@") or word == words[-1]}},
}}
with open(os.environ["RECORD"], "w") as file:
    json.dump(record, file)
if "RELEASE" in os.environ:
    print("waiting", flush=True)
    open(os.environ["STARTED"], "w").close()
    open(os.environ["RELEASE"]).read()
status = int(os.environ.get("EXIT_STATUS", "0"))
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
_ENGINE = f"""\
#!/bin/sh
case "$1" in
run|--*)
    printf '%s\\n' "$@" > "${{RECORD%/*}}/${{0##*/}}"
    {SAY_STARTED};;
images) echo '"quay.io/a/b:1"';;
image) echo 0123abcd;;
rmi) echo "Untagged: $2";;
esac
"""
GREET = '- ansible.builtin.debug: {msg: "{{ who | default(1) }}"}\n'
SITE = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: hello}
      changed_when: true
    - ansible.builtin.debug: {msg: left out}
      when: false
    - ansible.builtin.fail: {msg: broken}
      when: broken is defined
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one command line."""

    exit_status: int
    stdout: str
    stderr: str
    home: Path
    """The current directory, with the private data directory `demo`."""
    started: dict[str, Any] | None
    """What the fake Ansible was started with, in a form that does not depend on the order of flags; None if it was
    not."""

    def files(self) -> list[str]:
        """The files there are in the artifacts, but for events.

        A host's facts have its name, as clients of ansible-runner know it: without the prefix of ansible-core 2.19.
        """
        found = (self.home / "demo" / "artifacts").rglob("*")
        names = [str(path.relative_to(self.home)) for path in found if path.is_file() and path.suffix != ".json"]
        return sorted(name.replace(f"/fact_cache/{PREFIX}", "/fact_cache/") for name in names)


class Side:
    """One of the two programs.

    Args:
        program: the words that start it.
        home: a directory for it alone.
    """

    def __init__(self, program: list[str], home: Path) -> None:
        self._program = program
        self.home = home
        make_directory(home / "demo")
        self._fakes = home / "fakes"
        self._fakes.mkdir()
        for name in ("ansible", "ansible-playbook", "podman", "docker", "bwrap"):
            (self._fakes / name).write_text(_FAKE if name.startswith("ansible") else _ENGINE)
            (self._fakes / name).chmod(0o755)
        (home / "tmp").mkdir()

    def env(self, *, real: bool = False, **more: str) -> dict[str, str]:
        """The environment of the program; with the real Ansible if `real`, else one that writes what it is given."""
        path = [*([] if real else [str(self._fakes)]), str(Path(sys.executable).parent), os.environ["PATH"]]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNNER_", "ANSIBLE_"))}
        found = {
            **kept,
            "PATH": ":".join(path),
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "RECORD": str(self.home / "record"),
            "TERM": "xterm",
        }
        return found | {name: value.replace("HERE", str(self.home)) for name, value in more.items()}

    def call(self, line: str, *, stdin: bytes = b"", real: bool = False, **env: str) -> Outcome:
        """Run a command line; HERE in it is the current directory."""
        (self.home / "record").unlink(missing_ok=True)
        done = self.pipe(line, stdin=stdin, real=real, **env)
        text, errors = (
            out.decode("utf-8", "replace").replace(str(self.home), "HERE") for out in (done.stdout, done.stderr)
        )
        record = self.home / "record"
        started = _normal(record.read_text(), str(self.home)) if record.exists() else None
        return Outcome(done.returncode, text, errors, self.home, started)

    def pipe(
        self, line: str, *, stdin: bytes = b"", real: bool = False, **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        """The same, with the bytes that it wrote."""
        words = shlex.split(line.replace("HERE", str(self.home)))
        return subprocess.run(
            [*self._program, *words],
            input=stdin,
            cwd=self.home,
            env=self.env(real=real, **env),
            capture_output=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )


def make_directory(directory: Path) -> None:
    """A private data directory with a playbook, two roles and an inventory; `arts` and `elsewhere` lie beside it."""
    for name, text in (
        ("project/site.yml", SITE),
        ("project/roles/greet/tasks/main.yml", GREET),
        ("inventory/hosts", "localhost ansible_connection=local\n"),
        ("../elsewhere/hosts", "localhost,\n"),
        ("../elsewhere/roles/other/tasks/main.yml", GREET),
        ("../elsewhere/project/site.yml", SITE),
    ):
        path = Path(os.path.normpath(directory / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def both(base: Path) -> tuple[Side, Side]:
    """ansible-runner and playstream."""
    theirs = [str(ansible_runner_python().parent / "ansible-runner")]
    return Side(theirs, base / "theirs"), Side(PLAYSTREAM, base / "ours")


def call_both(sides: tuple[Side, Side], line: str, **env: Any) -> tuple[Outcome, Outcome]:
    """The same command line for both."""
    theirs, ours = sides
    return theirs.call(line, **env), ours.call(line, **env)


def _normal(record: str, home: str) -> dict[str, Any]:
    found = json.loads(record)
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("-i", "-e"):
        parser.add_argument(name, action="append", default=[])
    for name in ("--limit", "--forks", "--tags", "-m", "-a"):
        parser.add_argument(name)
    parser.add_argument("-v", action="count", default=0)
    for name in ("--check", "--diff"):
        parser.add_argument(name, action="store_true")
    program, *words = found["words"]
    flags, rest = parser.parse_known_args(words)
    values: dict[str, Any] = {name: value for name, value in vars(flags).items() if value}
    values["e"] = sorted(_variables(word, found["files"]) for word in flags.e)
    plays = _plays(found["files"].get(words[-1], "") if words else "")
    # The name of a playbook that was made for a role means nothing.
    values |= {"program": program, "rest": [] if plays else rest, "plays": plays, "color": found["color"]}
    roles = found["roles_path"].split(":")
    values["roles_path"] = [place for place in (f"{home}/elsewhere/roles",) if place in [r.rstrip("/") for r in roles]]
    text: str = json.dumps(values | {"cwd": found["cwd"]}).replace(home, "HERE")
    normal: dict[str, Any] = json.loads(text)
    return normal


def _variables(word: str, files: dict[str, str]) -> str:
    """`-e` by what it says."""
    return json.dumps(yaml.safe_load(files[word])) if word.startswith("@") else word


def _plays(text: str) -> list[Any]:
    """The plays of a playbook that was made for a role."""
    plays = yaml.safe_load(text) if text else None
    if not isinstance(plays, list) or "roles" not in plays[0]:
        return []
    for play in plays:
        play["roles"] = [
            {"name" if key == "role" else key: value for key, value in role.items()} for role in play["roles"]
        ]
    return plays
