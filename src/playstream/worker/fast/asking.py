"""What a run asks its hosts about sudo: the callback plugin asks, and this side remembers.

The two exchange files in the directory of the run: `sudo-known` for the plugin, and `sudo-DIGEST` from it. In a
container or sandbox the job could write anything there, so its files are checked.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from playstream.pipeline.errors import counted
from playstream.pipeline.job.isolation import read_isolation
from playstream.pipeline.protocol import Job
from playstream.worker.fast.answers import Answer, Login, State, as_items, exceptions, read_answer, read_regular
from playstream.worker.run_files import write_private

_ANSWER = re.compile(r"sudo-[0-9a-f]{32}")
_MAX_BYTES = 4096
_MAX_FILES = 20_000


class Asking:
    """The questions of one run.

    Args:
        run_dir: the directory of the run, on this host.
        job: the job.
        logins: the names of hosts in the inventory, and how ssh is given them.
    """

    def __init__(self, run_dir: Path, job: Job, logins: Iterable[tuple[str, Login]] = ()) -> None:
        self._run_dir = run_dir
        self._names = {login: name for name, login in logins}
        self._state = State(place_of(job))

    def begin(self) -> None:
        """Tell the plugin what is known. Call this before the run directory is opened to the job.

        Raises:
            OSError: the file cannot be written.
        """
        write_private(self._run_dir / "sudo-known", json.dumps(as_items(self._state.read().items())))

    def finish(self) -> str | None:
        """Remember what hosts have answered, and return it as one line; None if none was asked."""
        answers = dict(self._collect())
        self._state.add(answers)
        return describe(answers, self._names) if answers else None

    def _collect(self) -> Iterator[tuple[Login, Answer]]:
        try:
            names = [name for name in os.listdir(self._run_dir) if _ANSWER.fullmatch(name)]
        except OSError:
            return
        for name in sorted(names)[:_MAX_FILES]:
            try:
                yield read_answer(json.loads(read_regular(self._run_dir / name, _MAX_BYTES)))
            except (OSError, ValueError, RecursionError):
                continue  # the host was asked and has not answered


def place_of(job: Job) -> str:
    """Return the place of a job for `State`: its image, the name of its sandbox, or empty for this host."""
    isolation = read_isolation("settings", job.settings)
    if isolation is None:
        return ""
    return isolation.image if isolation.containerized else isolation.engine


def describe(answers: Mapping[Login, Answer], names: Mapping[Login, str]) -> str:
    """Return a line about the answers of a run.

    Args:
        answers: what hosts have answered.
        names: the names of hosts in the inventory, as far as they are known.
    """
    works = sum(answer is Answer.WORKS for answer in answers.values())
    line = f"fast: {counted(len(answers), 'host')} asked about sudo: pipelining on {works}"
    named = ((names.get(login, login.address), answer) for login, answer in answers.items())
    return "; ".join([line, *(f"not on {exception}" for exception in exceptions(named))])
