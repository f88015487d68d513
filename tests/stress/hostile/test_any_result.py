"""Any stream of results: fields of any type, records in any order, any names, in both dialects.

Whatever comes, exit status 0 means success, nothing but the target is changed, and the next good stream is taken.
`make fuzz` runs these too; see fuzz.py.
"""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from playstream.pipeline.io.stdio import Connection
from playstream.pipeline.protocol import (
    Cancel,
    End,
    Failure,
    FileEntry,
    FileType,
    Heartbeat,
    Job,
    Log,
    Status,
    StatusName,
    TreeEnd,
    codec,
)
from playstream.process import Observer, Result
from playstream.process.receiving import process
from tests.pipeline.protocol.wire import RawStream, record_bytes
from tests.pipeline.runner_dialect.wire import END, archive, carry, entry, line
from tests.stress.hostile.place import open_place
from tests.stress.hostile.streams import ENDED, NOW, ROOT, STARTING, event_json, native_event, write_archive
from tests.stress.hostile.test_any_input import HOSTILE_EVENTS, HOSTILE_TEXTS, LINE_KEYS, with_values

GOOD = native_event(event_json())
NAMES = st.sampled_from(
    [
        "status",
        "rc",
        "stdout",
        "stderr",
        "command",
        "job_events",
        "fact_cache",
        ".incoming",
        "nightly",
        ".running",
        "d",
        "d/e",
        "d/e/f",
        "fact_cache/s1_host",
        "job_events/1-u-1.json",
        "status/x",
        "rc/x",
        "..",
        "a\0b",
        "x" * 300,
        "/abs",
        "",
        ".",
        "d//e",
        "\udc80",
        "line\nend",
        "ü",
    ]
)
TARGETS = st.sampled_from(["", ".", "..", "/etc", "d", "../../../guarded", "status", "x" * 5000, "a\0b"])
KINDS = st.sampled_from(["file", "directory", "symlink", "hard link"])
_TYPES = {
    "file": FileType.FILE,
    "directory": FileType.DIRECTORY,
    "symlink": FileType.SYMLINK,
    "hard link": FileType.HARDLINK,
}
_MODES = {"file": 0o100644, "directory": 0o040755, "symlink": 0o120777, "hard link": 0o010644}
ENDS: tuple[dict[str, Any], ...] = (
    {"status": "successful", "rc": 0},
    {"status": "failed", "rc": 2},
    {"status": "error"},
    {"status": "canceled"},
    {"status": "running"},
    {"status": "starting"},
)


def message(cls: type, likely: st.SearchStrategy[dict[str, Any]] | None = None) -> st.SearchStrategy[bytes]:
    """A record of a class whose fields travel as JSON, each of any type or missing."""
    names = [item.name for item in fields(cls)]
    values = with_values([*names, "x"])
    if likely is not None:
        values = likely | st.builds(lambda one, other: {**one, **other}, likely, values)
    kind = next(kind for kind, known in codec._JSON_KINDS.items() if known is cls)
    return values.map(lambda found: record_bytes(kind, json.dumps(found).encode()))


STATUSES = message(Status, st.sampled_from(ENDS).map(lambda values: {"created": NOW, **values}))
TREE = st.builds(
    lambda kind, name, target, link, size: codec.encode(
        FileEntry(
            name.encode("utf-8", "surrogateescape"),
            _TYPES[kind],
            0o644,
            0,
            size if kind == "file" else 0,
            link,
            target.encode() if kind == "symlink" else b"",
        )
    ),
    KINDS,
    NAMES,
    TARGETS,
    st.integers(0, 2),
    st.sampled_from([0, 0, 0, 1]),
)
RECORDS = st.one_of(
    STATUSES,
    TREE,
    message(Log),
    message(Heartbeat),
    message(Failure),
    message(Cancel),
    message(TreeEnd),
    message(Job),
    message(End),
    HOSTILE_EVENTS.map(lambda text: record_bytes(codec.Kind.EVENT, (1).to_bytes(8, "little") + text)),
)


@st.composite
def native_results(draw: st.DrawFn) -> bytes:
    """A stream whose frames and end are good, so that what is in between is looked at."""
    stream = RawStream().content(b"".join(draw(st.lists(RECORDS, max_size=4))))
    if draw(st.booleans()):
        stream = RawStream().records(STARTING).content(b"".join(draw(st.lists(STATUSES, max_size=2))))
        stream.records(ENDED, ROOT).content(b"".join(draw(st.lists(TREE, max_size=4))))
    return stream.end().data


@st.composite
def runner_results(draw: st.DrawFn) -> bytes:
    """Lines of any fields around an archive of any names."""
    some_lines = st.lists(
        (with_values(LINE_KEYS) | st.sampled_from(ENDS)).map(lambda values: json.dumps(values).encode() + b"\n"),
        max_size=3,
    )
    before, after = (b"".join(draw(some_lines)) for _ in range(2))
    rc = draw(st.sampled_from([b"0", b"0", b"2", b"None", b"x", b"", b"9" * 30]))
    packed = io.BytesIO()
    write_archive(
        packed,
        [
            (b"rc", _MODES["file"], rc),
            *(
                (name.encode("utf-8", "surrogateescape"), _MODES[kind], target.encode())
                for kind, name, target in draw(st.lists(st.tuples(KINDS, NAMES, TARGETS), max_size=4))
            ),
        ],
    )
    return before + carry(packed.getvalue()) + after + END


def rebuild(stream: bytes, target: Path) -> Result:
    with tempfile.TemporaryFile() as incoming:
        incoming.write(stream)
        incoming.seek(0)
        return process(Connection(incoming.fileno()), target, Observer())


@given(native_results() | runner_results())
@example(line(status="successful") + line(status="failed") + carry(archive((entry("rc"), b"0"))) + END)
@example(RawStream().records(STARTING, ENDED).records(ENDED).end().data)
def test_any_results(stream: bytes) -> None:
    with open_place() as place:
        result = rebuild(stream, place.target)
        assert 0 <= result.exit_status < 256
        assert (result.exit_status == 0) is (result.status is StatusName.SUCCESSFUL and result.rc == 0)
        is_ansibles = result.status is StatusName.FAILED and result.exit_status == result.rc
        assert result.exit_status == 0 or is_ansibles or result.explanation
        status = place.target / "status"
        assert not status.is_symlink()
        assert status.read_text() == result.status.value
        after = rebuild(GOOD, place.target)
        assert (after.status, after.rc, after.exit_status) == (StatusName.SUCCESSFUL, 0, 0), after.explanation
        assert status.read_text() == "successful"


@given(st.lists(st.sampled_from(ENDS), min_size=2, max_size=5), st.sampled_from(["native", "runner"]))
def test_any_order_of_statuses(told: list[dict[str, Any]], dialect: str) -> None:
    """A status after the last one is refused; only that the worker failed may be said in the runner dialect."""
    if dialect == "native":
        stream = RawStream()
        for values in told:
            stream.records(Status(StatusName(values["status"]), NOW, rc=values.get("rc")))
        stream.end()
        data = stream.data
    else:
        data = b"".join(line(status=values["status"]) for values in told) + carry(archive((entry("rc"), b"0"))) + END
    terminal = [StatusName(values["status"]).terminal for values in told]
    late = True in terminal[:-1]
    with open_place() as place:
        result = rebuild(data, place.target)
    if late or not terminal[-1]:
        assert (result.status, result.exit_status != 0) == (StatusName.ERROR, True)


@given(HOSTILE_TEXTS)
def test_any_status_name(name: str) -> None:
    """Of no known name, in both dialects."""
    payload = json.dumps({"status": name, "created": NOW, "rc": 0}).encode()
    native = RawStream().content(record_bytes(codec.Kind.STATUS, payload)).end(records=1).data
    with open_place() as place:
        for stream in (native, line(status=name) + carry(archive((entry("rc"), b"0"))) + END):
            assert (rebuild(stream, place.target).exit_status == 0) is (name == "successful")
