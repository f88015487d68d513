"""The command: the arguments, the environment and the directory with which a program is started."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from playstream.pipeline.errors import ExecutableNotFound
from playstream.pipeline.io.interpreter import find_python, pip_install
from playstream.pipeline.job.redaction import redact, redact_words
from playstream.worker.isolation.environment import Handover

_MAX_SHOWN = 1 << 20
"""Maximum size, in bytes of JSON, of a command's arguments in a status, and of its variables. A record may have 4
MiB."""
_LONGEST_SHOWN = 1000
"""Number of characters that are shown of each argument if the total is too large."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to start. `env` and `argv` may contain secrets; `shown_argv` and `shown_env` do not."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The environment of the job; if an engine starts it, the environment inside."""
    cwd: Path
    handover: Handover | None = None
    """How `env` is passed through an engine; None without an engine."""
    shown: tuple[str, ...] = ()
    """The arguments that are shown instead of `argv`; empty for `argv` itself."""

    @property
    def start_env(self) -> dict[str, str]:
        """The environment that the program is started with.

        Raises:
            ConfigurationError: a variable was added that cannot be passed to the job.
        """
        return dict(self.env) if self.handover is None else self.handover.start_env(self.env)

    @property
    def shown_argv(self) -> tuple[str, ...]:
        """The arguments for a status: without secrets (`redact_words`), and shortened if they are too long."""
        return tuple(word for word, _ in _fit((word, "") for word in redact_words(self.shown or self.argv)))

    @property
    def shown_env(self) -> dict[str, str]:
        """The environment for a status, in the same form."""
        return dict(_fit(redact(self.env).items()))


def _fit(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the texts, shortened if they have more than _MAX_SHOWN bytes of JSON in total."""
    texts = list(items)
    if len(json.dumps(texts)) <= _MAX_SHOWN:
        return texts
    kept: list[tuple[str, str]] = []
    room = _MAX_SHOWN
    for first, second in texts:
        cut = _cut(first), _cut(second)
        room -= len(json.dumps(cut))
        if room < 0:
            return [*kept, (f"… and {len(texts) - len(kept)} more", "")]
        kept.append(cut)
    return kept


def _cut(text: str) -> str:
    left_out = len(text) - _LONGEST_SHOWN
    return text if left_out <= 0 else f"{text[:_LONGEST_SHOWN]}… ({left_out} characters)"


def find_executable(name: str, env: Mapping[str, str], cwd: Path) -> str:
    """Find a program on the job's PATH or next to this Python, and return its path.

    Raises:
        ExecutableNotFound: it is in neither place.
    """
    if "/" in name:
        found = shutil.which(os.path.join(cwd, name))
        if found is None:
            raise ExecutableNotFound(f"{name} is not an executable program on this host (relative to {str(cwd)!r})")
        return name
    # A worker that is started by its path (ssh host /opt/venv/bin/playstream worker) has its Ansible next to it.
    beside = os.path.dirname(find_python())
    found = shutil.which(name, path=env.get("PATH", os.defpath)) or shutil.which(name, path=beside)
    if found is None:
        advice = (
            f". Install ansible-core where the worker runs, for example with {pip_install('ansible')}, or send it "
            "there over ssh with --bootstrap=ansible"
            if name.startswith("ansible")
            else ". Install it there, or check the spelling"
        )
        raise ExecutableNotFound(
            f"{name} was not found on this host, neither on PATH ({env.get('PATH')!r}) nor in {beside!r}{advice}"
        )
    return found
