"""Name parameters in the messages of a stage, which name the flags of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playstream.interface.options import RunOptions
from playstream.pipeline.errors import PlaystreamError, WorkerError

_FLAG = re.compile(r"(?<![\w'\"-])--([a-z]+(?:-[a-z]+)*)")
_PHRASES = (
    ("with --exclude or a line in .playstreamignore", "with a line in .playstreamignore"),
    ("with --exclude,", "with a line in .playstreamignore,"),
    ("an ident with -i,", "an ident,"),
)
"""What has no parameter of the same name, and what to say instead."""


def name_parameters(message: str) -> str:
    """Return the message with parameters of run() instead of the flags of the same meaning."""
    for phrase, ours in _PHRASES:
        message = message.replace(phrase, ours)
    return _FLAG.sub(lambda found: _parameter(found[1]) or found[0], message)


def _parameter(flag: str) -> str | None:
    name = flag.replace("-", "_")
    return name if name in RunOptions.__annotations__ else None


@contextmanager
def naming_parameters() -> Iterator[None]:
    """Return a context in which errors name parameters. What another host says names the flags that it has."""
    try:
        yield
    except WorkerError:
        raise
    except PlaystreamError as error:
        error.args = (name_parameters(str(error)), *error.args[1:])
        raise
