"""A run's summary as JSON text, with only one result in memory at a time."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from playstream.pipeline.errors import JobError, remedy
from playstream.pipeline.io.json_text import dump_json
from playstream.process.summary import LISTS, Summary

_IN_MEMORY = 1 << 20
"""Bytes of results that are kept in memory; more are kept in a file without a name."""
_INDENT = "  "


class SummaryText:
    """Takes the events of a run as they arrive, and returns the summary as text.

    Example:
        >>> with SummaryText() as summary:
        ...     summary.add({"event": "runner_on_ok", "event_data": {"host": "node1", "task": "Ping", "res": {}}})
        ...     text = "".join(summary.pieces(ident="7", status="successful", rc=0))
        >>> json.loads(text) == summarize(events, ident="7", status="successful", rc=0)  # doctest: +SKIP
        True
    """

    def __init__(self) -> None:
        self._summary = Summary(self._keep)
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+b")  # noqa: SIM115 - `close` does
        self._end = 0
        self._places: dict[str, dict[str, array[int]]] = {}
        """By host and list: the position of each result in the file, and its size."""
        self._failure: OSError | None = None

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event; see Summary."""
        self._summary.add(event)

    def _keep(self, host: str, name: str, entry: dict[str, Any]) -> None:
        """Store a result. `pieces` reports a full disk, so that the run continues."""
        text = _indented(entry, 4).encode()
        places = self._places.get(host)
        if places is None:
            places = self._places[host] = {name: array("Q") for name in LISTS}
        try:
            if self._failure is None:
                self._file.write(text)
        except OSError as error:
            self._failure = error
        places[name].extend((self._end, len(text)))
        self._end += len(text)

    def pieces(self, *, ident: str, status: str, rc: int | None, explanation: str | None = None) -> Iterator[str]:
        """Yield the JSON text of `Summary.as_dict`, in ASCII, indented by two spaces.

        Args:
            ident: name of the run.
            status: how it ended.
            rc: Ansible's return code; None if it is not known.
            explanation: why it ended so; None if there is nothing to explain.

        Raises:
            JobError: when iterating; the results could not be stored.
        """
        try:
            if self._failure is not None:
                raise self._failure
            parts: dict[str, Any] = self._summary.as_dict(ident=ident, status=status, rc=rc, explanation=explanation)
            yield from _block(
                "{}",
                0,
                (
                    chain([_key(name)], self._tasks_text() if name == "task_summary" else [_indented(value, 1)])
                    for name, value in parts.items()
                ),
            )
        except OSError as error:
            raise JobError(
                f"the results of the run cannot be buffered in {tempfile.gettempdir()!r} for the summary: "
                f"{error.strerror}. {remedy(error)}, or set TMPDIR; the artifacts are complete"
            ) from None

    def _tasks_text(self) -> Iterator[str]:
        return _block(
            "{}",
            1,
            (
                chain(
                    [_key(host)],
                    _block(
                        "{}",
                        2,
                        (chain([_key(name)], _block("[]", 3, self._entries(places))) for name, places in lists.items()),
                    ),
                )
                for host, lists in self._places.items()
            ),
        )

    def _entries(self, places: array[int]) -> Iterator[list[str]]:
        for number in range(0, len(places), 2):
            self._file.seek(places[number])
            yield [self._file.read(places[number + 1]).decode()]

    def close(self) -> None:
        """Release the results."""
        try:
            self._file.close()
        except OSError:
            pass  # data that could not be written is not needed any more

    def __enter__(self) -> SummaryText:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _block(brackets: str, level: int, items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield items between brackets, each on its own lines, as json.dumps does."""
    yield brackets[0]
    count = 0
    for count, item in enumerate(items, 1):
        yield (",\n" if count > 1 else "\n") + _INDENT * (level + 1)
        yield from item
    yield ("\n" + _INDENT * level if count else "") + brackets[1]


def _key(name: str) -> str:
    return dump_json(name) + ": "


def _indented(value: Any, level: int) -> str:
    # Line ends inside strings are escaped, so each line end begins a line.
    return dump_json(value, default=str, indent=len(_INDENT)).replace("\n", "\n" + _INDENT * level)
