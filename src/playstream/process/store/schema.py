"""The tables of a store.

All rows of a run refer to its row in `runs`, and runs share no rows, so concurrent writers never wait for each other's
rows. Times are in UTC. Lengths are in characters; an index entry of PostgreSQL has at most 2,704 bytes, which names of
these lengths never reach.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

VERSION = 3
"""Version of the schema. Increment it when a table changes, and add a step in `migrate`."""

IDENT, HOST, ACTION, LABEL, DIRECTORY, NAME, PATH, EXPLANATION = 255, 255, 255, 255, 255, 500, 1000, 10_000
"""Maximum lengths of texts; longer ones are cut."""

RESULT_COUNTS = ("ok", "changed", "failures", "unreachable", "skipped", "ignored")
"""Number of hosts of a task by outcome. Unlike in Ansible, `ok` does not include those that changed something."""
HOST_COUNTS = ("ok", "changed", "failures", "unreachable", "skipped", "rescued", "ignored")
"""Ansible's statistics of a host or a run, in which `ok` includes tasks that changed something."""


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone. SQLite cannot store zones, so all times are in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


metadata = MetaData()


def _counts(names: tuple[str, ...]) -> list[Column[int]]:
    return [Column(name, Integer, nullable=False) for name in names]


def _number() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _run() -> Column[int]:
    return Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


version = Table("playstream_store", metadata, Column("version", Integer, nullable=False))
"""A table with one row, the version of the schema. Its name shows that the other tables are playstream's."""

runs = Table(
    "runs",
    metadata,
    _number(),
    Column("ident", String(IDENT), nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of what tells the run's events from others"),
    Column("status", String(32), nullable=False),
    Column("rc", Integer),
    Column("explanation", Text),
    Column("playbook", String(PATH)),
    Column("label", String(LABEL), comment="what the user calls runs that are compared"),
    Column("directory", String(DIRECTORY), comment="name of the private data directory, without its path"),
    Column("started", UtcTime, nullable=False),
    Column("ended", UtcTime, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("kept_events", BigInteger, comment="how many of them are in event_blocks; null for none"),
    Column("results", BigInteger, nullable=False),
    Column("hosts", Integer, nullable=False),
    *_counts(HOST_COUNTS),
    UniqueConstraint("ident", "digest", name="runs_by_ident"),
    Index("runs_by_name", "ident", "started"),
    Index("runs_by_start", "started"),
    Index("runs_by_status", "status", "started"),
    Index("runs_by_label", "label", "status", "started"),
    Index("runs_by_directory", "directory", "status", "started"),
)

plays = Table(
    "plays",
    metadata,
    _run(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(NAME), nullable=False),
    Column("pattern", String(NAME), nullable=False),
    Column("started", UtcTime),
)

tasks = Table(
    "tasks",
    metadata,
    _run(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("play", Integer, comment="null for a module that was run without a playbook"),
    Column("name", String(NAME), nullable=False),
    Column("role", String(NAME)),
    Column("action", String(ACTION), nullable=False),
    Column("path", String(PATH)),
    Column("started", UtcTime),
    *_counts(RESULT_COUNTS),
    ForeignKeyConstraint(["run_id", "play"], ["plays.run_id", "plays.number"], ondelete="CASCADE"),
    Index("tasks_by_name", "name", "failures", "run_id"),
)

hosts = Table(
    "hosts",
    metadata,
    _run(),
    Column("name", String(HOST), primary_key=True),
    *_counts(HOST_COUNTS),
    Index("hosts_by_name", "name", "run_id"),
)

results = Table(
    "results",
    metadata,
    _run(),
    Column("task", Integer, primary_key=True, autoincrement=False),
    Column("host", String(HOST), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="in the order of the events"),
    Column("counter", BigInteger, comment="number of the event, as in the name of its file in job_events"),
    Column("outcome", String(16), nullable=False, comment="ok, changed, failed, unreachable, skipped or ignored"),
    Column("started", UtcTime),
    Column("ended", UtcTime, nullable=False),
    Column("duration", Float, comment="seconds"),
    Column("res", Text, comment="JSON; null when there is none"),
    Column("truncated", Boolean, nullable=False, comment="res is not the whole result"),
    ForeignKeyConstraint(["run_id", "task"], ["tasks.run_id", "tasks.number"], ondelete="CASCADE"),
    ForeignKeyConstraint(["run_id", "host"], ["hosts.run_id", "hosts.name"], ondelete="CASCADE"),
    Index("results_by_host", "host", "outcome", "ended"),
)

event_sets = Table(
    "event_sets",
    metadata,
    _number(),
    Column(
        "run_id",
        ForeignKey("runs.id", ondelete="CASCADE"),
        unique=True,
        comment="null while the run is active, because it has no row yet",
    ),
    Column("touched", UtcTime, nullable=False, comment="when a block was last added"),
)
"""The events of a run that are kept. The blocks of an active run are written before it has a row in `runs`."""

event_blocks = Table(
    "event_blocks",
    metadata,
    Column("set_id", ForeignKey("event_sets.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 1, in the order of the events"),
    Column("events", Integer, nullable=False),
    Column("last", BigInteger, nullable=False, comment="the highest counter of an event in the block"),
    Column("first_moment", Float, comment="time of the first event, in seconds since 1970"),
    Column("last_moment", Float, comment="latest time of an event; null if every reader needs the block"),
    Column("tasks", Text, nullable=False, comment="counters of the events that begin a task, separated by spaces"),
    Column("size", BigInteger, nullable=False, comment="bytes, decompressed"),
    Column("data", LargeBinary, nullable=False, comment="records as in a stream, in one frame of zstd"),
)
"""Which blocks a reader needs is in the columns before `data`, the last one, which SQLite then does not read."""
