"""The results of a run: output, events, statistics and facts, read from its artifacts."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from playstream.interface.config import RunnerConfig
from playstream.interface.describing import quote
from playstream.interface.event_log import EventLog, Events
from playstream.pipeline.errors import ConfigurationError, JobError, UnsafePath
from playstream.pipeline.io.json_text import is_json
from playstream.pipeline.job.fact_cache import read_facts, write_facts
from playstream.pipeline.job.ident import check_name
from playstream.pipeline.tree.directories import make_private, passes_link_in
from playstream.process.event_data import STATS, data_of, mapping_of
from playstream.process.task_results import TaskResults

_STATS = ("skipped", "ok", "dark", "failures", "ignored", "rescued", "processed", "changed")


class Results:
    """The results of one run, which can also be read during the run.

    Args:
        config: the configuration of the run, with the directories of its artifacts and facts.
    """

    def __init__(self, config: RunnerConfig) -> None:
        self.config = config
        self._log = EventLog()
        self._stats: Mapping[str, Any] | None = None
        self._spared = False

    @property
    def artifact_path(self) -> Path:
        """The directory of the artifacts."""
        return Path(self.config.artifact_dir)

    def expect_events(self) -> None:
        """Make readers of `events` wait for the run that is about to begin in another thread."""
        if self._log.ended:  # an earlier run of this object
            self._log = EventLog()
        self._stats = None
        self._spared = False
        self._log.begin()

    def begin_events(self) -> None:
        """Begin a run in this thread. A reader of `events` in it, such as an event handler, must not wait for more."""
        self.expect_events()
        self._log.write_from_here()

    def note_event(self, name: str, event: dict[str, Any]) -> None:
        """Record that an event was kept, in the file `name`. Called by the run itself."""
        if event.get("event") == STATS:
            self._stats = data_of(event)
        self._log.add(name)

    def note_spared(self, spared: bool) -> None:
        """Record whether the run never began, and the artifacts are those of an earlier run."""
        self._spared = spared

    def end_events(self) -> None:
        """Mark the end of the events, so that readers stop waiting."""
        self._log.end()

    @property
    def stdout(self) -> TextIO:
        """Ansible's output so far, as an open file that the caller has to close.

        Raises:
            JobError: there is no output: the run has not started, or `suppress_output_file` is set.

        Example:
            >>> with runner.stdout as output:  # doctest: +SKIP
            ...     print(output.read())
        """
        return self._open("stdout")

    @property
    def stderr(self) -> TextIO:
        """Standard error of a command in mode `subprocess`, as an open file; empty on a terminal.

        Raises:
            JobError: there is none.
        """
        return self._open("stderr")

    def _open(self, name: str) -> TextIO:
        if self._spared:
            raise JobError(
                f"this run has no {name}, because it never began. The {name} of an earlier run is in "
                f"{str(self.artifact_path)!r}"
            )
        try:
            return (self.artifact_path / name).open(encoding="utf-8", errors="replace")
        except OSError as error:
            raise JobError(
                f"this run has no {name}: {self.artifact_path / name}: {error.strerror}. The file is created when the "
                "run starts, unless suppress_output_file is set"
            ) from None

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        """The kept events of the run, in order. During the run the iterator waits for the next event.

        Raises:
            JobError: the file of an event was removed or damaged; raised when iterating.

        Example:
            >>> for event in runner.events:  # doctest: +SKIP
            ...     print(event["event"])
        """
        return Events(self._read_events(), lambda: quote(self.config.ident))

    def _read_events(self) -> Generator[dict[str, Any], None, None]:
        # The generator references this object, which keeps the artifacts of a run from memory.
        yield from self._log.read(self.artifact_path)

    @property
    def stats(self) -> dict[str, Any] | None:
        """Counts by host, from the run's last event; None if there is no such event or it was not kept.

        The counts are `ok`, `changed`, `failures`, `dark` (unreachable), `skipped`, `rescued`, `ignored` and
        `processed`. Values that are not counts are omitted.

        Raises:
            JobError: the file of an event was removed or damaged.

        Example:
            >>> runner.stats["failures"]  # doctest: +SKIP
            {'node1': 2}
        """
        if self._stats is None and not self._log.begun:
            self._stats = next((data_of(e) for e in self.events if e.get("event") == STATS), None)
        if self._stats is None:
            return None
        tables = {name: mapping_of(self._stats, name) for name in _STATS}
        return {
            name: {host: count for host, count in table.items() if type(count) is int} for name, table in tables.items()
        }

    @property
    def results(self) -> TaskResults:
        """The results of tasks, by host and by task, from the kept events; read again on each access.

        Raises:
            JobError: the file of an event was removed or damaged.

        Example:
            >>> [result.task for result in runner.results.by_host["node1"]]  # doctest: +SKIP
            ['Install nginx', 'Start nginx']
        """
        return TaskResults(self.events)

    def host_events(self, host: str) -> Iterator[dict[str, Any]]:
        """Return the events of one host.

        Args:
            host: its name in the inventory.

        Raises:
            JobError: the file of an event was removed or damaged; raised when iterating.
        """
        return (event for event in self.events if data_of(event).get("host") == host)

    def get_fact_cache(self, host: str) -> dict[str, Any]:
        """Return the known facts of a host, which may be empty.

        Args:
            host: its name in the inventory.

        Raises:
            ConfigurationError: facts are not kept as files.
            JobError: the file cannot be read, or is damaged.
        """
        directory, name = self._fact_cache_dir, check_name("host", host)
        try:
            return read_facts(directory, name)
        except OSError as error:
            raise JobError(f"the facts of {host!r} in {str(directory)!r} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise JobError(f"the facts of {host!r} in {str(directory)!r} are damaged: {error}") from None

    def set_fact_cache(self, host: str, data: dict[str, Any]) -> None:
        """Set facts of a host for the next run.

        Args:
            host: its name in the inventory.
            data: the facts, which can be converted to JSON.

        Raises:
            ConfigurationError: facts are not kept as files, or cannot be converted to JSON.
            UnsafePath: the path of the facts contains a link, which the worker may have sent.
            JobError: the file cannot be written.
        """
        directory = self._fact_cache_dir
        if passes_link_in(self.artifact_path, directory):
            raise UnsafePath(
                f"facts of {host!r}: expected a directory at {str(directory)!r}, got a symbolic link in its path. A "
                "worker may have sent the link, so nothing is written there: remove the link"
            )
        try:
            text = json.dumps(data, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"facts of {host!r}: a value cannot be converted to JSON: {error}") from None
        if not is_json(data):
            raise ConfigurationError(f"facts of {host!r}: a string contains a lone surrogate, which is not a character")
        name = check_name("host", host)
        try:
            make_private(directory)
            write_facts(directory / name, text)
        except OSError as error:
            raise JobError(
                f"the facts of {host!r} cannot be written to {str(directory)!r}: {error.strerror}. Check what "
                "is there, its owner and its mode"
            ) from None

    @property
    def _fact_cache_dir(self) -> Path:
        """The directory of the facts.

        Raises:
            ConfigurationError: facts are not kept as files.
        """
        if self.config.fact_cache is None:
            raise ConfigurationError(
                f"expected fact_cache_type 'jsonfile' to read and write facts, got {self.config.fact_cache_type!r}"
            )
        return Path(self.config.fact_cache)
