"""`--summary`: write a run's summary as JSON to a file or standard output."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playstream.cli.output import STANDARD_OUTPUT
from playstream.interface.terminal_text import make_safe_json
from playstream.pipeline.errors import ConfigurationError, JobError, remedy
from playstream.pipeline.tree.directories import absolute_path
from playstream.process import ForwardingObserver, Observer, Result
from playstream.process.event_data import text_of
from playstream.process.summary_text import SummaryText

if TYPE_CHECKING:
    from playstream.interface.runner import Runner


def check_target(flags: argparse.Namespace) -> None:
    """Check before a run that the summary can be written to the file that `--summary` names.

    Args:
        flags: with `summary`, and the directory of the artifacts, where the run may create that of the file.

    Raises:
        ConfigurationError: it cannot; the message says why.
    """
    check_writable(flags, "--summary", flags.summary)


def check_writable(flags: argparse.Namespace, name: str, target: str) -> None:
    """Check before a run that a file can be written when it has ended.

    Args:
        flags: with the directory of the artifacts, where the run may create that of the file.
        name: the flag that names it, for errors.
        target: the file; `-` for standard output.

    Raises:
        ConfigurationError: it cannot; the message says why.
    """
    if target == STANDARD_OUTPUT:
        return
    path = os.path.expanduser(target)
    place = path if os.path.exists(path) else os.path.dirname(path) or os.curdir
    if os.path.isdir(path):
        reason = f"{os.strerror(errno.EISDIR)}. Name a file"
    elif not os.path.exists(place):
        artifacts = getattr(flags, "artifact_dir", None) or (
            Path(flags.private_data_dir, "artifacts") if hasattr(flags, "private_data_dir") else None
        )
        if artifacts is not None and Path(absolute_path(place)).is_relative_to(absolute_path(artifacts)):
            return
        reason = f"its directory {place!r} does not exist"
    elif not os.access(place, os.W_OK):
        reason = f"{os.strerror(errno.EACCES)}. {remedy(OSError(errno.EACCES, ''))}"
    else:
        return
    raise ConfigurationError(f"{name}: {target!r} cannot be written: {reason}")


def write_summary(target: str, runner: Runner) -> None:
    """Write the summary of a run on this host that has ended.

    Args:
        target: a file, created for this user only; `-` for standard output.
        runner: the run.

    Raises:
        JobError: the file cannot be written, or an event's file was removed or damaged.
    """
    with SummaryText() as summary:
        for event in runner.events:
            summary.add(event)
        pieces = summary.pieces(
            ident=runner.config.ident, status=runner.status, rc=runner.rc, explanation=runner.explanation
        )
        _write(target, pieces)


def _write(target: str, pieces: Iterable[str]) -> None:
    if target == STANDARD_OUTPUT:
        sys.stdout.writelines(map(make_safe_json, pieces))
        sys.stdout.write("\n")
        return
    try:
        fd = os.open(os.path.expanduser(target), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.writelines(pieces)
            file.write("\n")
    except OSError as error:
        raise JobError(f"the summary cannot be written to {target!r}: {error.strerror}") from None


class SummaryObserver(ForwardingObserver):
    """Collects the kept events of a run for its summary, and forwards everything to another observer.

    Args:
        inner: the other observer.
    """

    def __init__(self, inner: Observer) -> None:
        super().__init__(inner)
        self._summary = SummaryText()
        self._ident = ""

    def kept(self, name: str, event: dict[str, Any]) -> None:
        self._ident = self._ident or text_of(event, "runner_ident")
        self._summary.add(event)
        super().kept(name, event)

    def write(self, target: str, result: Result, ident: str | None) -> None:
        """Write the summary after the run has ended.

        Args:
            target: a file, created for this user only; `-` for standard output.
            result: the result of the run.
            ident: name of the run; None uses the name in its events.

        Raises:
            JobError: the file cannot be written, or the results could not be stored.
        """
        pieces = self._summary.pieces(
            ident=ident or self._ident, status=result.status.value, rc=result.rc, explanation=result.explanation
        )
        _write(target, pieces)

    def close(self) -> None:
        """Discard the results."""
        self._summary.close()
