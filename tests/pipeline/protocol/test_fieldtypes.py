"""The JSON records: each field's type, and JSON that bites."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from playstream.pipeline.errors import RemoteProtocolError
from playstream.pipeline.protocol import (
    Cancel,
    End,
    Failure,
    Heartbeat,
    Hello,
    Job,
    Log,
    LogLevel,
    Offer,
    Pong,
    Prompt,
    Resize,
    Status,
    StatusName,
    TreeEnd,
    codec,
)

KINDS: dict[type[Any], codec.Kind] = {
    Job: codec.Kind.JOB,
    Status: codec.Kind.STATUS,
    TreeEnd: codec.Kind.TREE_END,
    Log: codec.Kind.LOG,
    Heartbeat: codec.Kind.HEARTBEAT,
    Cancel: codec.Kind.CANCEL,
    Failure: codec.Kind.FAILURE,
    End: codec.Kind.END,
    Hello: codec.Kind.HELLO,
    Pong: codec.Kind.PONG,
    Resize: codec.Kind.RESIZE,
    Prompt: codec.Kind.PROMPT,
    Offer: codec.Kind.OFFER,
}
MINIMAL: dict[type[Any], dict[str, Any]] = {
    Job: {"ident": "a"},
    Status: {"status": "running", "created": ""},
    TreeEnd: {"entries": 1, "size": 2},
    Log: {"level": "info", "message": ""},
    Heartbeat: {},
    Cancel: {"reason": ""},
    Failure: {"error": "", "message": ""},
    End: {"records": 0, "events": 0, "digest": "00" * 32},
    Hello: {"minor": 1, "version": ""},
    Pong: {"number": 1},
    Resize: {},
    Prompt: {"number": 1, "mode": "none"},
    Offer: {"root": "00" * 32, "algorithm": "", "entries": 1, "size": 0},
}
WRONG: dict[str, list[Any]] = {
    "str": [1, None, True, [], {}],
    "float": ["1", True, [], 2**63, -(2**63), 10**400],
    "int": ["1", 1.0, True, None, [], 2**63, -(2**63) - 1],
    "CellCount": ["1", 1.0, True, None, [], -1, 2**16, 2**63],
    "bool": [0, 1, "true", None],
    "bytes": ["", "00" * 31, "zz" * 32, "0x" + "0" * 62, 7, None, [], " " * 64],
    "Mapping[str, Any]": [[], "", None, 1],
    "Mapping[str, str]": [[], "", None, {"a": 1}, {"a": None}, {"a": {}}],
    "tuple[str, ...]": ["a", {}, None, [1], [None], [["a"]]],
    "tuple[Mapping[str, Any], ...]": ["a", {}, None, [1], [[]], [{}, None]],
    "StatusName": ["runing", "", 1, None, [], {}, ["running"]],
    "LogLevel": ["debug", 1, None, [], {}],
    "KeyMode": ["line", 1, None, [], {}],
}
CASES = [
    (cls, item.name, value)
    for cls in KINDS
    for item in dataclasses.fields(cls)
    for value in WRONG[str(item.type).removesuffix(" | None")]
    if not (value is None and str(item.type).endswith(" | None"))
]


def decode(cls: type[Any], payload: bytes | str) -> object:
    return codec.decode(KINDS[cls], 0, payload.encode() if isinstance(payload, str) else payload)


@pytest.mark.parametrize(("cls", "name", "value"), CASES, ids=repr)
def test_a_value_of_another_type_is_refused_by_name(cls: type[Any], name: str, value: Any) -> None:
    payload = json.dumps({**MINIMAL[cls], name: value})
    with pytest.raises(RemoteProtocolError, match=f"field '{name}' of a {cls.__name__} record: expected .*, got "):
        decode(cls, payload)


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: str(cls.__name__))
def test_fields_with_defaults_may_be_left_out_and_no_others(cls: type[Any]) -> None:
    assert isinstance(decode(cls, json.dumps(MINIMAL[cls])), cls)
    for name in MINIMAL[cls]:
        rest = {key: value for key, value in MINIMAL[cls].items() if key != name}
        with pytest.raises(RemoteProtocolError, match=f"{cls.__name__} record lacks its field '{name}'"):
            decode(cls, json.dumps(rest))


@pytest.mark.parametrize("cls", [cls for cls in KINDS if cls is not Job], ids=lambda cls: str(cls.__name__))
def test_an_unknown_field_is_ignored(cls: type[Any]) -> None:
    known = decode(cls, json.dumps(MINIMAL[cls]))
    assert decode(cls, json.dumps({**MINIMAL[cls], "newer": {"a": [1]}})) == known


def test_an_unknown_argument_of_a_job_is_an_error_that_names_it() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(Job, '{"ident":"a","strategy":"free","become_method":"su"}')
    assert "arguments that this side does not know: become_method, strategy." in str(caught.value)
    assert "update playstream here, or omit the arguments" in str(caught.value)


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "x" * 5000, "", "a b", "\u202e"])
def test_an_unknown_argument_that_is_no_name_is_not_shown(name: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(Job, json.dumps({"ident": "a", name: 1}))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_many_unknown_arguments_make_no_long_message() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(Job, json.dumps({"ident": "a", **{f"name_{number}": 1 for number in range(10_000)}}))
    assert len(str(caught.value)) < 1000


def test_defaults_are_not_sent_so_that_an_older_receiver_need_not_know_them() -> None:
    assert codec.encode(Job("a"))[codec.RECORD.size :] == b'{"ident":"a"}'
    assert codec.encode(Job("a", verbosity=0, forks=0))[codec.RECORD.size :] == b'{"ident":"a","forks":0}'
    status = Status(StatusName.FAILED, "now", rc=0)
    assert codec.encode(status)[codec.RECORD.size :] == b'{"status":"failed","created":"now","rc":0}'
    assert codec.encode(Log(LogLevel.INFO, ""))[codec.RECORD.size :] == b'{"level":"info","message":""}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "null",
        '"a"',
        "{",
        "{}}",
        '{"ident":"a"',
        '{"ident":"a"} {}',
        "{'ident':'a'}",
        '{"ident":"a","ident":"b"}',
        '{"ident":"a","extravars":{"a":1,"a":1}}',
        '{"ident":"a","extravars":{"a":NaN}}',
        '{"ident":"a","extravars":{"a":Infinity}}',
        '{"ident":"a","extravars":{"a":-Infinity}}',
        '{"ident":"a","extravars":{"a":1e999}}',
        '{"ident":"a","extravars":{"a":-1e999}}',
        '{"ident":"\n"}',
        '\ufeff{"ident":"a"}',
        '{"ident":"a","extravars":{"a":' + "[" * 100_000,
    ],
    ids=lambda text: text[:45],
)
def test_what_is_not_the_json_of_an_object(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=r"is not valid JSON|must be a JSON object"):
        decode(Job, text)


@pytest.mark.parametrize(
    "payload", [b'{"ident":"\xff"}', b'{"ident":"\xed\xa0\x80"}', '{"ident":"a"}'.encode("utf-16")]
)
def test_what_is_not_utf_8(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="is not valid JSON"):
        decode(Job, payload)


def test_text_may_hold_anything() -> None:
    for text in ("\x00\x1b\u2028", "\udcff", "\U0001f600", "\\", '"'):
        job = Job(text, cmdline=(text,), extravars={text: [text]})
        assert decode(Job, codec.encode(job)[codec.RECORD.size :]) == job


def test_every_receiver_takes_500_levels_of_nesting() -> None:
    value: Any = 1
    for _ in range(500):
        value = [value]
    job = Job("a", extravars={"a": value})
    assert decode(Job, codec.encode(job)[codec.RECORD.size :]) == job
