"""The three stages, each as an operating-system process of its own, as users run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playstream.pipeline.protocol import NEED_DATA, Noise, Receiver, Record
from playstream.pipeline.protocol.order import Direction

LIMIT_SECONDS = 100
PLAYSTREAM = [sys.executable, "-m", "playstream"]
SAY_STARTED = (
    'for word; do case "$word" in *:/runner/.playstream:*) : > "${word%%:*}/started";; /*/started) : > "$word";; '
    "esac; done"
)
"""What a shell script does that stands in for a container engine or bwrap, to say in playstream's directory, as what
they start would, that the job was started."""


@dataclass(frozen=True)
class Run:
    """What the three stages of one run left."""

    artifacts: Path
    stdout: str
    stderr: str
    exit_statuses: tuple[int, int, int]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, in their order."""
        return read_events(self.artifacts)

    def text(self, name: str) -> str:
        """The text of one artifact."""
        return (self.artifacts / name).read_text()


def read_events(artifacts: Path) -> list[dict[str, Any]]:
    """The events kept in an artifact directory, in their order."""
    events = [json.loads(path.read_text()) for path in (artifacts / "job_events").iterdir()]
    return sorted(events, key=lambda event: int(event["counter"]))


def displayed(events: list[dict[str, Any]]) -> str:
    """All that the events put on the terminal. Their texts have no line ends at their end; the numbers count them."""
    return "".join(
        event["stdout"] + "\r\n" * (event["end_line"] - event["start_line"] - event["stdout"].count("\n"))
        for event in events
    )


def read_records(stream: bytes, direction: Direction = Direction.RESULT) -> list[Record | Noise]:
    """Every record of a captured stream, which must be whole."""
    receiver = Receiver(direction)
    receiver.receive_data(stream)
    records = []
    while (record := receiver.next_record()) is not NEED_DATA:
        records.append(record)
    receiver.receive_eof()
    return records


@contextmanager
def stages_for_sockets() -> Iterator[Stages]:
    """Stages whose temporary files have names short enough for sockets of ssh; pytest's directories have not."""
    with tempfile.TemporaryDirectory(prefix="ps", dir="/tmp") as temporary:
        yield Stages(Path(temporary))


class Stages:
    """Starts stages.

    Args:
        temporary: their TMPDIR, so that a test can see what they leave there.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.path_before: list[Path] = []
        """Directories put before PATH, for a fake Ansible."""
        self.variables: dict[str, str] = {}
        """Further variables of the environment."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of every stage."""
        own = [str(path) for path in self.path_before] + [str(Path(sys.executable).parent)]
        path = ":".join([*own, os.environ["PATH"]])
        # On a terminal without a type there are no colours.
        return {
            "TERM": "xterm",
            **os.environ,
            "PATH": path,
            "TMPDIR": str(self.temporary),
            "PYTHONWARNINGS": "",
            **self.variables,
        }

    def start(
        self, *words: str | Path, stdin: Any = subprocess.PIPE, prefix: tuple[str, ...] = (), **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start one stage with pipes on all sides."""
        command = [*prefix, *PLAYSTREAM, *map(str, words)]
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(command, stdin=stdin, env=self.env, **options)

    def call(
        self, *words: str | Path, stdin: bytes = b"", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one stage to its end."""
        process = self.start(*words, cwd=cwd)
        stdout, stderr = process.communicate(stdin, timeout=LIMIT_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def type_in(self, command: str, home: Path) -> subprocess.CompletedProcess[str]:
        """Run a command of a page as somebody types it in a home directory."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=home,
            env={**self.env, "HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    def transmit(self, directory: Path, *words: str | Path) -> bytes:
        """A job stream; transmit must succeed."""
        done = self.call("transmit", directory, *words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def run(
        self,
        directory: Path,
        *words: str,
        worker: tuple[str, ...] = (),
        process: tuple[str, ...] = (),
        worker_prefix: tuple[str, ...] = (),
    ) -> Run:
        """All three stages, joined by pipes."""
        transmitter = self.start("transmit", directory, *words, stdin=subprocess.DEVNULL)
        serving = self.start("worker", *worker, stdin=transmitter.stdout, prefix=worker_prefix)
        processor = self.start("process", directory, *process, stdin=serving.stdout)
        for stage in (transmitter, serving):
            assert stage.stdout is not None
            stage.stdout.close()
        stdout, last_stderr = processor.communicate(timeout=LIMIT_SECONDS)
        stderr = b""
        for stage in (transmitter, serving):
            assert stage.stderr is not None
            stderr += stage.stderr.read()
            stage.stderr.close()
            stage.wait(LIMIT_SECONDS)
        return Run(
            directory / "artifacts",
            stdout.decode("utf-8", "replace"),
            (stderr + last_stderr).decode("utf-8", "replace"),
            (transmitter.returncode, serving.returncode, processor.returncode),
        )

    def leftovers(self) -> list[Path]:
        """What the stages have left among the temporary files."""
        return sorted(self.temporary.glob("playstream-*"))
