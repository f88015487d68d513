"""Three stages, each of either program, as operating-system processes joined by pipes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.ansible_runner_env import ansible_runner_python

LIMIT_SECONDS = 100
IDENT = "job 7"
TRANSMIT_FLAGS = ("-p", "site.yml", "--forks", "3")
OURS, THEIRS = "playstream", "ansible-runner"


@dataclass(frozen=True)
class Combination:
    """Who does what."""

    transmit: str
    worker: str
    process: str
    dialect: str = "runner"

    def __str__(self) -> str:
        """A name for a test."""
        names = "-".join("ours" if program == OURS else "theirs" for program in self.programs)
        return names if self.dialect == "runner" else f"{names}-{self.dialect}"

    @property
    def programs(self) -> tuple[str, str, str]:
        """In the order of the pipe."""
        return self.transmit, self.worker, self.process


@dataclass(frozen=True)
class Run:
    """What a combination left."""

    combination: Combination
    artifacts: Path
    shown: str
    stderr: str
    exit_statuses: tuple[int, int, int]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, in their order."""
        found = [json.loads(path.read_text()) for path in (self.artifacts / "job_events").iterdir()]
        return sorted(found, key=lambda event: int(event["counter"]))

    def text(self, name: str) -> str:
        """The text of one artifact, its line ends as they are."""
        return (self.artifacts / name).read_bytes().decode()


def stage_command(program: str, *words: str | Path) -> list[str]:
    """The command line of a stage."""
    if program == OURS:
        return [sys.executable, "-m", "playstream", *map(str, words)]
    return [str(ansible_runner_python().with_name("ansible-runner")), *map(str, words)]


def stage_environment(program: str, temporary: Path) -> dict[str, str]:
    """The same for both, but for the Ansible that is found: each has its own, of one version."""
    python = Path(sys.executable) if program == OURS else ansible_runner_python()
    kept = {name: os.environ[name] for name in ("HOME", "USER", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
    path = f"{python.parent}:{os.environ.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "LC_ALL": "C.UTF-8", "TERM": "xterm", "TMPDIR": str(temporary)}


def run(combination: Combination, source: Path, place: Path, transmit: Sequence[str] = TRANSMIT_FLAGS) -> Run:
    """Run all three stages.

    Args:
        combination: who does what.
        source: the private data directory of transmit.
        place: an empty directory for what they write; temporary files lie in a directory of their own, with a name
            that is short enough for sockets in it.
        transmit: flags of transmit.
    """
    target = place / "result"
    target.mkdir()
    dialect = ("--dialect", combination.dialect) if combination.transmit == OURS else ()
    commands = [
        ("transmit", source, *transmit, "-i", IDENT, *dialect),
        ("worker",),
        ("process", target, "-i", IDENT),
    ]
    stages: list[subprocess.Popen[bytes]] = []
    before: IO[bytes] | int | None = subprocess.DEVNULL
    with tempfile.TemporaryDirectory(prefix="playstream-") as temporary, contextlib.ExitStack() as files:
        said = [files.enter_context((place / f"{words[0]}.stderr").open("w+b")) for words in commands]
        for program, words, stderr in zip(combination.programs, commands, said, strict=True):
            env = stage_environment(program, Path(temporary))
            stages.append(_start(stage_command(program, *words), env, before, stderr))
            if not isinstance(before, int) and before is not None:
                before.close()
            before = stages[-1].stdout
        shown, _ = stages[-1].communicate(timeout=LIMIT_SECONDS)
        for stage in stages:
            stage.wait(LIMIT_SECONDS)
        messages = b""
        for file in said:
            file.seek(0)
            messages += file.read()
    return Run(
        combination,
        target / "artifacts" / IDENT,
        shown.decode(),
        messages.decode(),
        (stages[0].returncode, stages[1].returncode, stages[2].returncode),
    )


def _start(
    command: list[str], env: Mapping[str, str], stdin: IO[bytes] | int | None, stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=env)
