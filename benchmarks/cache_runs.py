"""Sends one project by playstream and by rsync, each time from the same state on both sides."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from benchmarks.changes import UNCHANGED, Change, project_files
from benchmarks.errors import BenchmarkError
from benchmarks.inputs import PLAYBOOK, Inputs, remove
from benchmarks.programs import Program, time_pipeline
from playstream.links.ssh import SshAddress
from tests.network.network import Network

NEAR, FAR = "laptop", "server"
"""The hosts of the network."""
_HOST = "host"
"""The name of the far host for ssh."""
_MARGIN_SECONDS = 2.5
"""The sender does not remember the hash of a file that was changed in the two seconds before."""
_WORKER = """\
#!/bin/sh
TMPDIR={spools} exec {playstream} "$@"
"""
_STAND_IN = """\
#!/bin/sh
exec date +%s%N >{stamp}
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a transfer has taken."""

    seconds: float
    size: int
    """Bytes that have passed between the hosts in both directions, with those of TCP and ssh."""


class CacheRuns:
    """Sends a project to a host of a network, or to a worker on this host.

    playstream's time ends when the worker starts Ansible, in whose place a program writes the time. rsync's time ends
    with rsync, when the tree is complete. The bytes are those of the whole connection.

    Args:
        inputs: the programs, and the tree.
        folder: an empty directory for everything: the project, the cache, and what both sides write.
        network: has the hosts NEAR and FAR; what it delays is for the caller to say.
        ssh: the directory of the `ssh` that reaches FAR as `host`.
    """

    def __init__(self, inputs: Inputs, folder: Path, network: Network, ssh: Path) -> None:
        self._toolbox = inputs.toolbox
        self._tree = inputs.tree.path
        self._network = network
        self._ssh = ssh
        self._delay = 0.0
        self._job = folder / "job"
        self._earlier = folder / "earlier"
        self._target = folder / "target"
        self._artifacts = folder / "artifacts"
        self._spools = folder / "spools"
        self._stamp = folder / "started"
        self._cache = folder / "cache"
        self._home = folder / "home"
        self._change = UNCHANGED
        self._is_known = False
        """Whether both sides know the project as it is before the change, and nothing of the change."""
        self._worker = folder / "worker"
        self._stand_in = folder / "ansible"
        self._spools.mkdir()
        playstream = self._toolbox.playstream().argv[0]
        _write_script(self._worker, _WORKER.format(spools=self._spools, playstream=playstream))
        _write_script(self._stand_in, _STAND_IN.format(stamp=self._stamp))
        self._rsync_options = rsync_options(rsync_version())

    def begin(self, change: Change) -> None:
        """Make the project as it is before a change, and let both sides know it."""
        self._change = change
        for path in (self._job, self._earlier, self._target):
            remove(path)
        self._copy(self._tree, self._earlier)
        change.prepare(self._earlier)
        self._restore()

    def _restore(self) -> None:
        """Make both sides know the project as it is before the change, and nothing else, and change it.

        A copy of what they keep would not do: both look at the inodes and times of change of their files.
        """
        for path in (self._job, self._cache, self._home):
            remove(path)
        self._copy(self._earlier, self._job)
        self._home.mkdir(mode=0o700)
        time.sleep(_MARGIN_SECONDS)
        self._start_here()
        self._change.make(self._job)
        self._is_known = True

    @property
    def size_of_first_file(self) -> int:
        """Bytes of the first small file."""
        return project_files(self._job)[0].stat().st_size

    def shape(self, milliseconds: float) -> None:
        """Set the round trip between the hosts."""
        self._delay = milliseconds / 2000
        self._network.shape(delay=self._delay)

    def start_far(self) -> Measured:
        """Start a job over ssh."""
        self._restore_if_sent()
        link = f"ssh://{_HOST}?cache={quote(str(self._cache))}&command={quote(str(self._worker))}"
        return self._count(lambda: self._start(link, self._network.inside(NEAR)))

    def start_here(self) -> float:
        """Start a job with a worker on this host; return the seconds."""
        self._restore_if_sent()
        return self._start_here()

    def rsync(self) -> Measured:
        """Copy the project over ssh into a new directory, beside a copy of what it was before."""
        remove(self._target)
        remote = shlex.join(SshAddress(_HOST).login()[:-2])  # as playstream calls ssh; rsync adds the host
        words = [*self._rsync_options, f"--rsh={remote}", f"--copy-dest={self._earlier}", f"{self._job}/"]
        program = self._toolbox.system("rsync", *words, f"{_HOST}:{self._target}/")
        try:
            return self._count(lambda: time_pipeline([self._placed(program, self._network.inside(NEAR))]))
        finally:
            remove(self._target)

    def copy_here(self) -> float:
        """Copy the project on this host; return the seconds."""
        remove(self._target)
        try:
            return self._copy(self._job, self._target)
        finally:
            remove(self._target)

    def _restore_if_sent(self) -> None:
        """Undo what a transfer of the changed project has taught both sides."""
        if not self._is_known:
            self._restore()
        self._is_known = self._change == UNCHANGED

    def _start_here(self) -> float:
        return self._start(f"exec:{shlex.join([str(self._worker), 'worker', f'--cache={self._cache}'])}")

    def _copy(self, source: Path, target: Path) -> float:
        return time_pipeline([self._toolbox.system("cp", "-a", source, target)])

    def _start(self, link: str, inside: Sequence[str] = ()) -> float:
        remove(self._artifacts)
        remove(self._stamp)
        words = ("--binary", self._stand_in, "--on", link, "--artifact-dir", self._artifacts, "--quiet")
        program = self._placed(self._toolbox.playstream("run", self._job, *PLAYBOOK, *words), inside)
        began = time.time_ns()
        time_pipeline([program])
        try:
            return (int(self._stamp.read_text()) - began) / 1e9
        except (OSError, ValueError):
            raise BenchmarkError(f"{link}: the job has ended, but the worker has not started Ansible") from None

    def _count(self, transfer: Callable[[], float]) -> Measured:
        before = self._network.counts().passed_bytes
        seconds = transfer()
        time.sleep(4 * self._delay)  # the last packets are still on their way, and answers to them
        return Measured(seconds, self._network.counts().passed_bytes - before)

    def _placed(self, program: Program, inside: Sequence[str]) -> Program:
        env = {
            **program.env,
            "PATH": f"{self._ssh}:{program.env['PATH']}",
            "XDG_CACHE_HOME": str(self._home),
        }
        return replace(program, argv=[*inside, *program.argv], env=env)


def rsync_version() -> str:
    """What rsync says of itself.

    Raises:
        BenchmarkError: it is not installed.
    """
    try:
        done = subprocess.run(["rsync", "--version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        raise BenchmarkError("rsync was not found. Install it: apt-get install rsync") from None
    return done.stdout


def rsync_options(version: str) -> list[str]:
    """The options that copy what playstream sends, compressed in the same way if rsync can.

    Args:
        version: what `rsync --version` prints.
    """
    known = re.search(r"^Compress list:\n\s+(.*)$", version, re.MULTILINE)
    if known is None or "zstd" not in known[1].split():
        return ["--archive", "--compress"]
    return ["--archive", "--compress", "--compress-choice=zstd", "--compress-level=1"]


def _write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
