"""The corpus of hostile records, as data: jobs for the worker, results for process, in either dialect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from playstream.pipeline.errors import (
    ConfigurationError,
    IncompleteStream,
    PlaystreamError,
    RemoteProtocolError,
)
from playstream.pipeline.protocol import Job, Want
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.wire import RawStream, record_bytes
from tests.pipeline.runner_dialect.wire import END, carry, line
from tests.stress.hostile.streams import (
    JOB,
    KWARGS,
    event_json,
    native,
    native_event,
    recorded,
    runner_event,
)

Refusal = type[PlaystreamError]
DEPTH = 100_000
"""Levels of JSON that no version of Python reads."""
DEEP = "[" * DEPTH + "]" * DEPTH
HIGH = "\\ud800"
"""In JSON text: a lone surrogate, which no encoding can say."""


def _job(**changes: Any) -> bytes:
    return native([replace(JOB, **changes)], Direction.JOB)


def _kwargs(**changes: Any) -> bytes:
    return line(kwargs={**KWARGS, **changes}) + END


def _job_text(text: str) -> bytes:
    return RawStream().content(record_bytes(1, text.encode())).end(records=1).data


def _both(**changes: Any) -> dict[str, bytes]:
    return {"native": _job(**changes), "runner": _kwargs(**changes)}


_SECOND_OF_TWO = '{{"{key}": {first}, "{key}": {second}}}'

JOBS: dict[str, tuple[Refusal, dict[str, bytes]]] = {
    "an ident that leads up": (ConfigurationError, _both(ident="../../../guarded")),
    "an ident that is absolute": (ConfigurationError, _both(ident="/nowhere/x")),
    "an ident with a slash": (ConfigurationError, _both(ident="a/b")),
    "an ident that is ..": (ConfigurationError, _both(ident="..")),
    "an ident that starts with a dot": (ConfigurationError, _both(ident=".running")),
    "an ident that is an artifact's name": (ConfigurationError, _both(ident="job_events")),
    "an ident with a NUL": (ConfigurationError, _both(ident="a\0b")),
    "an ident of 300 bytes": (ConfigurationError, _both(ident="a" * 300)),
    "an ident that no encoding can say": (ConfigurationError, _both(ident="\ud800")),
    "a fact cache elsewhere": (ConfigurationError, _both(settings={"fact_cache": "../../../guarded"})),
    "a fact cache that is absolute": (ConfigurationError, _both(settings={"fact_cache": "/nowhere/x"})),
    "a fact cache that is a list": (ConfigurationError, _both(settings={"fact_cache": [1]})),
    "a time limit that is text": (ConfigurationError, _both(settings={"job_timeout": "soon"})),
    "a time limit of 400 digits": (ConfigurationError, _both(settings={"idle_timeout": 10**400})),
    "isolation that is a number": (ConfigurationError, _both(settings={"process_isolation": 5})),
    "a variable with a NUL": (ConfigurationError, _both(envvars={"A": "a\0b"})),
    "a variable without a name": (ConfigurationError, _both(envvars={"": "a"})),
    "a variable whose name has a =": (ConfigurationError, _both(envvars={"A=B": "a"})),
    "a variable that no encoding can say": (ConfigurationError, _both(envvars={"A": "\ud800"})),
    "a prompt that is no expression": (ConfigurationError, _both(passwords={"(": "x"})),
    "a password that no encoding can say": (ConfigurationError, _both(passwords={"x": "\ud800"})),
    "verbosity of a million": (ConfigurationError, _both(verbosity=1_000_000)),
    "verbosity below nothing": (ConfigurationError, _both(verbosity=-1)),
    "no forks": (ConfigurationError, _both(forks=0)),
    "a limit with a NUL": (ConfigurationError, _both(limit="a\0b")),
    "a word of the command line with a NUL": (
        ConfigurationError,
        {"native": _job(cmdline=("a\0b",)), "runner": _kwargs(cmdline="a\0b")},
    ),
    "a word that no encoding can say": (
        ConfigurationError,
        {"native": _job(cmdline=("\ud800",)), "runner": _kwargs(cmdline="\ud800")},
    ),
    "nothing to run": (
        ConfigurationError,
        {"native": native([Job("a")], Direction.JOB), "runner": line(kwargs={}) + END},
    ),
    "two things to run": (ConfigurationError, _both(playbook="site.yml")),
    "an unknown argument": (
        RemoteProtocolError,
        {"native": _job_text('{"ident": "a", "colour": 1}')},
    ),
    "an unknown keyword": (ConfigurationError, {"runner": _kwargs(colour=1)}),
    "an ident that is a list": (RemoteProtocolError, {"native": _job_text('{"ident": []}')}),
    "extra variables that are NaN": (
        RemoteProtocolError,
        {"native": _job_text('{"ident": "a", "extravars": {"a": NaN}}')},
    ),
    "a key twice": (
        RemoteProtocolError,
        {"native": _job_text(_SECOND_OF_TWO.format(key="ident", first='"a"', second='"b"'))},
    ),
    "kwargs twice, the second wrong": (
        ConfigurationError,
        {
            "runner": _SECOND_OF_TWO.format(key="kwargs", first=json.dumps(KWARGS), second='{"colour": 1}').encode()
            + b"\n"
            + END
        },
    ),
    "JSON of 100,000 levels": (
        RemoteProtocolError,
        {
            "native": _job_text(f'{{"ident": "a", "extravars": {{"a": {DEEP}}}}}'),
            "runner": f'{{"kwargs": {{"extravars": {{"a": {DEEP}}}}}}}\n'.encode() + END,
        },
    ),
    "a number of 5,000 digits": (
        RemoteProtocolError,
        {"native": _job_text('{"ident": "a", "forks": ' + "9" * 5000 + "}")},
    ),
    "kwargs that are a list": (RemoteProtocolError, {"runner": line(kwargs=[1]) + END}),
    "an archive of -1 bytes": (RemoteProtocolError, {"runner": line(kwargs=KWARGS) + line(zipfile=-1) + END}),
    "an archive of true bytes": (RemoteProtocolError, {"runner": line(kwargs=KWARGS) + line(zipfile=True) + END}),
    "two archives": (
        RemoteProtocolError,
        {"runner": line(kwargs=KWARGS) + 2 * carry(b"PK\5\6" + bytes(18)) + END},
    ),
    "a private data directory": (ConfigurationError, {"runner": _kwargs(private_data_dir="/tmp")}),
}
"""What the worker refuses, and as what. Where a job may name paths of the worker's host, see test_records.py."""


def _event(**changes: Any) -> dict[str, bytes]:
    text = event_json(**changes)
    return {"native": native_event(text), "runner": runner_event(text), "recording": recorded(text)}


def _text(text: bytes) -> dict[str, bytes]:
    return {"native": native_event(text), "runner": runner_event(text), "recording": recorded(text)}


def _status(**values: Any) -> dict[str, bytes]:
    payload = json.dumps({"created": "x", **values}).encode()
    return {
        "native": RawStream().content(record_bytes(2, payload)).data,
        "runner": line(**values) + END,
    }


RESULTS: dict[str, tuple[Refusal, dict[str, bytes]]] = {
    "a uuid that leads up": (RemoteProtocolError, _event(uuid="../../../guarded/x")),
    "a uuid that is absolute": (RemoteProtocolError, _event(uuid="/nowhere/x")),
    "a uuid with a line end": (RemoteProtocolError, _event(uuid="a\n")),
    "a uuid with orders to a terminal": (RemoteProtocolError, _event(uuid="a\x1b[2J")),
    "a uuid that no encoding can say": (RemoteProtocolError, _event(uuid="\ud800")),
    "a uuid of 300 letters": (RemoteProtocolError, _event(uuid="a" * 300)),
    "a uuid that is a list": (RemoteProtocolError, _event(uuid=[])),
    "a counter of 71 bits": (RemoteProtocolError, _event(counter=2**70)),
    "a counter of 4,000 digits": (RemoteProtocolError, _event(counter=10**3999)),
    "a counter below nothing": (RemoteProtocolError, _event(counter=-1)),
    "a counter that is true": (RemoteProtocolError, _event(counter=True)),
    "a counter with a point": (RemoteProtocolError, _event(counter=1.0)),
    "a counter that is text": (RemoteProtocolError, _event(counter="1")),
    "no counter": (RemoteProtocolError, _event(counter=None)),
    "text that is a number": (RemoteProtocolError, _event(stdout=5)),
    "a line that is NaN": (RemoteProtocolError, _event(end_line=float("nan"))),
    "JSON of 100,000 levels": (RemoteProtocolError, _text(event_json()[:-1] + f', "a": {DEEP}}}'.encode())),
    "a number of 5,000 digits": (RemoteProtocolError, _text(event_json()[:-1] + b', "a": ' + b"9" * 5000 + b"}")),
    "an event of two values": (RemoteProtocolError, _text(event_json() + b" {}")),
    "a uuid twice, the second wrong": (RemoteProtocolError, _text(event_json()[:-1] + b', "uuid": "../x"}')),
    "an event twice": (RemoteProtocolError, {"runner": line(status="starting") + 2 * (event_json() + b"\n") + END}),
    "events with one missing": (RemoteProtocolError, {"native": native_event(event_json(2), 1)}),
    "an unknown status": (RemoteProtocolError, _status(status="splendid")),
    "a status that is a list": (RemoteProtocolError, _status(status=[1])),
    "a status that is deep": (RemoteProtocolError, _status(status=json.loads("[" * 400 + "]" * 400))),
    "a command of lists": (RemoteProtocolError, _status(status="starting", command=[["a"]])),
    "an environment of lists": (RemoteProtocolError, _status(status="starting", env={"A": ["b"]})),
    "an archive of 2**61 bytes": (
        RemoteProtocolError,
        {"runner": line(status="starting") + line(zipfile=1 << 61) + b"A" * 1000},
    ),
    "an archive that is cut": (IncompleteStream, {"runner": line(status="starting") + line(zipfile=1 << 20) + b"AAAA"}),
    "two archives": (RemoteProtocolError, {"runner": line(status="starting") + 2 * carry(b"PK\5\6" + bytes(18)) + END}),
    "questions without end": (RemoteProtocolError, {"native": RawStream().records(*[Want(False)] * 3).data}),
    "a job": (RemoteProtocolError, {"native": _job(), "runner": _kwargs()}),
}
"""What process refuses, and as what; a subclass counts too."""
