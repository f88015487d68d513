"""Any input at all: what comes out is what was asked for, or one of our errors, and nothing outside is touched.

`make fuzz` runs these, and the property tests of the other rooms, for ten minutes; see fuzz.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.dialect import Dialect, PieceReader
from playstream.pipeline.errors import ConfigurationError, PlaystreamError, RemoteProtocolError
from playstream.pipeline.protocol import NEED_DATA, Event, FileData, FileEntry, FrameReader, Status, StatusName, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.kwargs import read_kwargs
from playstream.pipeline.runner_dialect.lines import LineReader
from playstream.pipeline.tree.unpack import Unpacker
from playstream.process import Observer, Processor
from playstream.process.events import parse_event
from playstream.process.receiving import is_recording
from playstream.process.recording import RecordingReceiver
from tests.pipeline.protocol.strategies import CHUNK_SIZES, mutations
from tests.pipeline.runner_dialect import wire
from tests.pipeline.tree.conftest import open_arena
from tests.pipeline.tree.test_tree_hostile import links_out
from tests.stress.hostile.place import call_process, open_place
from tests.stress.hostile.streams import (
    ENDED,
    KWARGS,
    NOW,
    STARTING,
    event_json,
    file,
    linked,
    native,
    native_tree,
    recorded,
    runner_event,
    runner_tree,
    zipped,
)

HOSTILE_TEXTS = st.sampled_from(
    [
        "",
        "..",
        "/",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        "\x1b[2J",
        "%s{0}",
        "successful",
        "keepalive",
        "x" * 300,
        "playbook_on_stats",
        "verbose",
        "u-1",
        "ü\u2028",
        "localhost,",
        "site.yml",
        "-i",
        "true",
    ]
)
HOSTILE_NUMBERS = st.sampled_from(
    [
        0,
        1,
        -1,
        2,
        255,
        256,
        2**31,
        2**62,
        2**63,
        2**64,
        2**70,
        10**400,
        True,
        False,
        1.0,
        1e308,
        float("nan"),
        float("inf"),
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | HOSTILE_TEXTS | HOSTILE_NUMBERS | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE_TEXTS, inner, max_size=3),
    max_leaves=6,
)
DEEP = st.integers(1, 2000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth)


def with_values(keys: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the keys, with values that may be anything."""
    return st.dictionaries(st.sampled_from(keys), VALUES, max_size=6)


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a few things wrong with them."""
    return mutations(whole)


EVENT_KEYS = ("uuid", "counter", "stdout", "start_line", "end_line", "event", "event_data", "x")
LINE_KEYS = (
    "status",
    "kwargs",
    "zipfile",
    "eof",
    "event",
    "counter",
    "uuid",
    "command",
    "env",
    "cwd",
    "job_explanation",
    "result_traceback",
)
HOSTILE_EVENTS = st.one_of(
    with_values(EVENT_KEYS).map(lambda changes: event_json(**{"counter": 1, **changes})),
    mutated(event_json()),
    DEEP,
    st.binary(max_size=40),
)
LINES = st.one_of(with_values(LINE_KEYS).map(lambda values: json.dumps(values).encode()), HOSTILE_EVENTS)

PACKED = wire.archive(
    zipped("rc", b"0"),
    zipped("d/e/f", b"content " * 50),
    linked("l", "d/e"),
    zipped("d/e/", b"", 0o755, 0o040000),
    zipped("fact_cache/s1_host", b'{"__payload__": "{}"}'),
)
STREAMS = (
    runner_event(event_json()),
    runner_tree(PACKED, Direction.RESULT),
    native([STARTING, Event(1, event_json()), ENDED], Direction.RESULT),
    native_tree([file(b"f", 3), FileData(b"abc")], Direction.RESULT),
    recorded(event_json()) + recorded(event_json(2, event="playbook_on_stats", event_data={"failures": {"a": 0}})),
)
FIRST_BYTES = st.lists(
    st.sampled_from(
        [
            b"\xf5\x00playstream\r\n\x1a\n",
            b"\x01\x00\x00\x00",
            b"\xf5\x00PS",
            b"\xf5",
            b'{"kwargs":',
            b'\n \t{"status": ',
            b'{"eof": true}\n',
            b"age-encryption.org/v1\n",
            b"-----BEGIN AGE ENCRYPTED FILE-----\n",
            b"Welcome!\r\n",
            b"\n",
            b"{",
            b'{"zipfile": 3}\n',
            b"QUJD",
        ]
    )
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


@given(FIRST_BYTES, CHUNK_SIZES, st.sampled_from([100, 1 << 20]))
def test_any_first_bytes(data: bytes, sizes: list[int], limit: int) -> None:
    def choose(dialect: Dialect) -> FrameReader | LineReader:
        if dialect is Dialect.PLAYSTREAM:
            return FrameReader(show=True)
        return LineReader(show=True, max_line=limit, max_archive=limit)

    reader, position, size = PieceReader(choose), 0, cycle(sizes)
    try:
        while position < len(data):
            step = next(size)
            reader.receive_data(data[position : position + step])
            position += step
            while reader.next() is not None:
                pass
        reader.receive_data(b"")
        while reader.next() is not None:
            pass
    except RemoteProtocolError:
        pass


@given(st.lists(LINES, max_size=5), st.sampled_from(Direction), CHUNK_SIZES)
def test_any_lines(lines: list[bytes], direction: Direction, sizes: list[int]) -> None:
    data = b"\n".join([*lines, wire.END])
    taken = wire.take(data, direction, sizes if len(data) < 3000 else (4096,))
    assert taken.error is not None or taken.receiver.closed


@given(mutated(PACKED), st.booleans(), st.booleans())
def test_any_archive(packed: bytes, trusted: bool, replace: bool) -> None:
    direction = Direction.JOB if trusted else Direction.RESULT
    taken = wire.take(runner_tree(packed, direction) if packed else wire.END, direction)
    with open_arena() as target:
        with Unpacker(target, trusted=trusted, replace=replace) as unpacker:
            try:
                for record in taken.records:
                    if isinstance(record, (FileEntry, FileData, TreeEnd)):
                        unpacker.receive(record)
            except PlaystreamError:
                pass
        assert trusted or not links_out(target)


@given(HOSTILE_EVENTS, st.integers(1, 3))
def test_any_event(text: bytes, counter: int) -> None:
    try:
        event, _ = parse_event(Event(counter, text))
    except RemoteProtocolError as error:
        assert str(error).isprintable()
        return
    assert type(event["counter"]) is int
    assert event["counter"] == counter


@given(st.lists(HOSTILE_EVENTS, max_size=4), st.sampled_from(StatusName), VALUES)
def test_any_run(texts: list[bytes], name: StatusName, rc: Any) -> None:
    """Records that no decoder would let through, too: the stage stands alone."""
    with open_place() as place:
        processor = Processor(place.target, Observer())
        error: PlaystreamError | None = None
        try:
            processor.receive(STARTING)
            for number, text in enumerate(texts, 1):
                processor.receive(Event(number, text))
            processor.receive(Status(name, NOW, rc=rc if type(rc) is int and abs(rc) < 1 << 63 else None))
        except PlaystreamError as caught:
            error = caught
        result = processor.finish(error)
        assert 0 <= result.exit_status < 256
        assert {path.split("/")[0] for path in place.kept()} <= {"stdout", "status", "rc", "command", "job_events"}


@given(st.lists(HOSTILE_EVENTS.map(recorded) | mutated(recorded(event_json())), max_size=4), CHUNK_SIZES)
def test_any_recording(lines: list[bytes], sizes: list[int]) -> None:
    data = b"".join(lines)
    is_recording(data)
    receiver, position, size = RecordingReceiver(max_record=3000), 0, cycle(sizes if len(data) < 3000 else (4096,))
    try:
        while position < len(data):
            step = next(size)
            receiver.receive_data(data[position : position + step])
            position += step
            while receiver.next_record() is not NEED_DATA:
                pass
        receiver.receive_eof()
        while receiver.next_record() is not NEED_DATA:
            pass
    except RemoteProtocolError:
        pass


KWARG_NAMES = (
    "ident",
    "playbook",
    "module",
    "module_args",
    "host_pattern",
    "role",
    "role_vars",
    "roles_path",
    "inventory",
    "limit",
    "tags",
    "start_at_task",
    "user",
    "become",
    "list_hosts",
    "forks",
    "verbosity",
    "cmdline",
    "extravars",
    "envvars",
    "passwords",
    "settings",
    "ssh_key",
    "project_dir",
    "artifact_dir",
    "private_data_dir",
    "fact_cache",
    "fact_cache_type",
    "timeout",
    "binary",
    "hosts",
    "tasks",
    "container_volume_mounts",
    "process_isolation",
    "directory_isolation_base_path",
    "rotate_artifacts",
    "unknown",
)
SETTINGS = with_values(
    (
        "fact_cache",
        "fact_cache_type",
        "job_timeout",
        "idle_timeout",
        "process_isolation",
        "container_image",
        "suppress_output_file",
    )
)


@pytest.fixture(scope="session")
def job_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private data directory that kwargs may name things of."""
    return make_job_directory(tmp_path_factory.mktemp("data"))


def make_job_directory(directory: Path) -> Path:
    """A project with a playbook."""
    (directory / "project").mkdir()
    (directory / "project" / "site.yml").write_text("[]")
    return directory


@given(kwargs=with_values(KWARG_NAMES), settings=SETTINGS, base=st.sampled_from([{}, KWARGS]))
def test_any_kwargs(
    job_directory: Path, kwargs: dict[str, Any], settings: dict[str, Any], base: dict[str, Any]
) -> None:
    given_ = json.loads(json.dumps({"settings": settings, **base, **kwargs}))
    try:
        job = read_kwargs(given_, job_directory)
    except ConfigurationError:
        return
    assert "/" not in job.ident


@given(st.data(), st.sampled_from(STREAMS))
def test_any_stream_through_process(data: st.DataObject, whole: bytes) -> None:
    with open_place() as place:
        call_process(place, data.draw(mutations(whole)))


@given(st.data())
def test_any_tree_archive_through_process(data: st.DataObject) -> None:
    with open_place() as place:
        call_process(place, runner_tree(data.draw(mutations(PACKED)) or b"x", Direction.RESULT))
