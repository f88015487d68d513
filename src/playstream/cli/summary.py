"""`--summary`: a run's summary as JSON, in a file or on standard output."""

from __future__ import annotations

import os
import sys
from itertools import chain
from pathlib import Path

from playstream.cli.output import STANDARD_OUTPUT
from playstream.interface.event_log import EventLog
from playstream.interface.shown_text import make_safe_json
from playstream.pipeline.errors import JobError
from playstream.pipeline.json_text import dump_json
from playstream.process import Result
from playstream.process.summary import summarize
from playstream.process.task_results import text_of


def write_summary(target: str, result: Result, ident: str | None) -> None:
    """Write the summary of a run that has been rebuilt.

    Args:
        target: a file, made for this user only; `-` for standard output.
        result: how the run ended, and where its artifacts are.
        ident: its name; that of its events when None.

    Raises:
        JobError: the file cannot be written, or an event cannot be read.
    """
    events = iter(()) if result.spared else EventLog().read(result.artifact_dir)
    first = next(events, None)
    name = ident or text_of(first or {}, "runner_ident")
    everything = events if first is None else chain([first], events)
    text = dump_json(summarize(everything, ident=name, status=result.status.value, rc=result.rc), indent=2) + "\n"
    if target == STANDARD_OUTPUT:
        sys.stdout.write(make_safe_json(text))
        return
    try:
        fd = os.open(Path(target).expanduser(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise JobError(f"the summary cannot be written to {target!r}: {error.strerror}") from None
