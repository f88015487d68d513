"""docs/protocol.md says what the code does."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
import subprocess
import sys
from typing import Any

import pytest

from playstream.pipeline.protocol import (
    Content,
    End,
    Event,
    FileData,
    FileEntry,
    FileType,
    Input,
    Job,
    KeyMode,
    Listing,
    LogLevel,
    Ping,
    StatusName,
    Want,
    codec,
    compression,
    frames,
)
from playstream.pipeline.protocol.order import ALWAYS, TABLE, Direction, Order, State
from playstream.pipeline.protocol.record_reader import MAX_IDLE
from tests.pipeline.protocol import page
from tests.pipeline.protocol.strategies import RECORDS
from tests.pipeline.protocol.test_order import SAMPLES, path_to
from tests.pipeline.protocol.wire import encode, take

TYPES = {
    "str": "string",
    "int": "integer",
    "CellCount": "integer",
    "float": "number",
    "bool": "boolean",
    "bytes": "64 hexadecimal digits",
    "Mapping[str, Any]": "object",
    "Mapping[str, str]": "object of strings",
    "tuple[str, ...]": "list of strings",
    "tuple[Mapping[str, Any], ...]": "list of objects",
    "StatusName": "status name",
    "LogLevel": "level",
    "KeyMode": "key mode",
}
NUMBERS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i64": "q"}
BINARY: tuple[type[Any], ...] = (Event, FileEntry, FileData, Ping, Input, Listing, Want, Content)
NUMBER_OF = {cls: codec.Kind[re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).upper()] for cls in RECORDS}


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return json.dumps(field.default_factory())
    return "required" if field.default is dataclasses.MISSING else json.dumps(field.default)


@pytest.mark.parametrize("cls", [cls for cls in RECORDS if cls not in BINARY], ids=lambda cls: str(cls.__name__))
def test_fields_of_json_records(cls: type[Any]) -> None:
    expected = [
        [
            field.name,
            TYPES[str(field.type).removesuffix(" | None")] + (" or null" if str(field.type).endswith("None") else ""),
            _default(field),
        ]
        for field in dataclasses.fields(cls)
    ]
    assert [row[:3] for row in page.table(f"{cls.__name__} ({NUMBER_OF[cls]})")] == expected


@pytest.mark.parametrize(
    ("cls", "layout"),
    [
        (FileEntry, codec._ENTRY),
        (Event, codec._EVENT),
        (FileData, struct.Struct("<")),
        (Input, codec._NUMBER),
        (Listing, struct.Struct("<")),
        (Want, codec._WANT),
        (Content, struct.Struct("<B")),
    ],
)
def test_layouts_of_binary_records(cls: type[Any], layout: struct.Struct) -> None:
    rows = page.table(f"{cls.__name__} ({NUMBER_OF[cls]})")
    fixed = [row for row in rows if row[3] in NUMBERS]
    assert layout.format == "<" + "".join(NUMBERS[row[3]] for row in fixed)
    offset = 0
    for row in fixed:
        size = struct.calcsize("<" + NUMBERS[row[3]])
        assert row[:2] == [str(offset), str(size)]
        offset += size
    assert rows[len(fixed)][0] == str(offset)
    names = {row[2] for row in rows}
    assert names - {"path_size", "target_size", "since_size"} == {field.name for field in dataclasses.fields(cls)}


def test_kinds() -> None:
    expected = []
    for cls in sorted(RECORDS, key=NUMBER_OF.__getitem__):
        ignorable = NUMBER_OF[cls] in codec._IGNORABLE_KINDS
        tables = {name: (*TABLE[name].values(), ALWAYS[name]) for name in Direction}
        places = [name.value for name in Direction if any(cls in allowed for allowed in tables[name])]
        where = "both" if len(places) != 1 else places[0]
        encoding = "binary" if cls in BINARY else "JSON"
        expected.append([str(int(NUMBER_OF[cls])), cls.__name__, encoding, "yes" if ignorable else "no", where])
    assert page.table("Records", 1) == expected


@pytest.mark.parametrize(
    ("heading", "size", "layout"),
    [
        ("Preamble", frames.PREAMBLE_SIZE, frames.PREAMBLE.format),
        ("Frames", frames.HEADER_SIZE, frames.HEADER.format + frames.CHECKSUM.format[1:]),
        ("Records", codec.RECORD.size, codec.RECORD.format),
    ],
)
def test_headers(heading: str, size: int, layout: str) -> None:
    rows = page.table(heading)
    sizes = [struct.calcsize(f"<{part}") for part in re.findall(r"\d*[a-zA-Z]", layout)]
    assert [int(row[1]) for row in rows] == sizes
    assert [int(row[0]) for row in rows] == [sum(sizes[:place]) for place in range(len(sizes))]
    assert sum(sizes) == size


def test_magic_and_marker() -> None:
    assert bytes.fromhex(page.table("Preamble")[0][3].split(",")[0]) == frames.MAGIC
    assert bytes.fromhex(page.table("Frames")[0][3].split(",")[0]) == frames.MARKER
    assert page.table("Preamble")[1][3] == f"major version: {frames.MAJOR}"
    assert page.table("Preamble")[2][3] == f"minor version: {frames.MINOR}"


def test_limits() -> None:
    limits = {row[0]: int(row[1]) for row in page.table("Limits")}
    assert limits == {
        "MAX_CONTENT": frames.MAX_CONTENT,
        "MAX_PAYLOAD": frames.MAX_PAYLOAD,
        "MAX_WINDOW": compression.MAX_WINDOW,
        "MAX_RECORD": codec.MAX_RECORD,
        "MAX_MESSAGE": codec.MAX_MESSAGE,
        "MAX_INPUT": codec.MAX_INPUT,
        "MAX_PROMPT": codec.MAX_PROMPT,
        "MAX_NOISE": frames.MAX_NOISE,
        "MAX_IDLE": MAX_IDLE,
    }


def test_words_of_status_level_and_type() -> None:
    status = next(row for row in page.table("Status (2)") if row[0] == "status")[3]
    assert status == ", ".join(name.value for name in StatusName if not name.terminal) + ", or the terminal " + (
        ", ".join(name.value for name in StatusName if name.terminal)
    )
    level = next(row for row in page.table("Log (7)") if row[0] == "level")[3]
    assert re.findall("info|warning|error", level) == [name.value for name in LogLevel]
    assert [row[0] for row in page.table("Prompt (17)", 1)] == [name.value for name in KeyMode]
    types = page.table("FileEntry (4)")[0][4]
    assert re.findall(r"(\d) ([a-z ]+)", types) == [
        (str(int(item)), item.name.lower().replace("hardlink", "hard link")) for item in FileType
    ]


@pytest.mark.parametrize("direction", Direction)
def test_states(direction: Direction) -> None:
    rows = page.table(f"States of the {direction.value} direction")
    assert {(row[0], row[1].split(",")[0]) for row in rows} == {
        (state.value, cls.__name__) for state, allowed in TABLE[direction].items() for cls in allowed
    }
    for state_name, what, following in rows:
        name, _, condition = what.partition(", ")
        if name == "End":
            assert following == State.CLOSED.value
            continue
        for record in SAMPLES[next(cls for cls in SAMPLES if cls.__name__ == name)]:
            if condition and condition != _condition(record):
                continue
            order = Order(direction, receiving=True)
            for step in path_to(direction, State(state_name)):
                order.follow(step)
            order.follow(record)
            assert order.state.value == following, (state_name, what)


def _condition(record: Any) -> str:
    if isinstance(record, Job):
        return f"its tree {'true' if record.tree else 'false'}"
    return "terminal" if record.status.terminal else "not terminal"


def test_the_example_byte_by_byte() -> None:
    data = b""
    for line in page.block("hex").splitlines():
        found = re.match(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)(?:  |$)", line)
        assert found is not None, line
        assert int(found[1], 16) == len(data), line
        data += bytes.fromhex(found[2])
    job = Job("a", playbook="b.yml")
    for sizes in ((1 << 20,), (1,)):
        taken = take(data, Direction.JOB, sizes)
        assert taken.error is None
        assert taken.items[0] == job
        end = taken.items[1]
        assert isinstance(end, End)
        assert codec.encode(end)[codec.RECORD.size :].decode() == page.block("json").strip()
        assert codec.encode(end)[: codec.RECORD.size].hex(" ") in page.section("Example, byte by byte")
    assert take(encode([job], Direction.JOB), Direction.JOB).items == taken.items


def test_the_program_that_reads_a_capture() -> None:
    capture = page.ROOT / "tests" / "vectors" / "native-1" / "result.bin"
    done = subprocess.run(
        [sys.executable, "-c", page.block("python"), str(capture)], check=True, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert lines[0:4] == ["starting None", "running None", '1 {"counter":1,"event":"playbook_on_start"}', "Heartbeat()"]
    assert "successful 0" in lines
    assert lines[-1].startswith("End(records=11, events=2")
