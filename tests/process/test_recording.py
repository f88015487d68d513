"""A recording that the plugin made on its own is rebuilt as a run."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import IncompleteStream, RemoteProtocolError
from playstream.pipeline.protocol import NEED_DATA, Event, Record, Status, StatusName
from playstream.process.receiving import is_recording
from playstream.process.recording import RecordingReceiver
from playstream.worker.paths import PLUGIN_DIR
from tests.stages import Stages, read_events

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: hello}
    - fail: {msg: no}
      when: broken | default(false)
"""


def line(counter: int, name: str = "verbose", /, **data: Any) -> bytes:
    event = {"uuid": f"u{counter}", "counter": counter, "stdout": "", "start_line": 0, "end_line": 0, "event": name}
    return json.dumps({**event, "event_data": data}, separators=(",", ":")).encode() + b"\n"


def take(receiver: RecordingReceiver) -> list[Record]:
    records: list[Record] = []
    while (record := receiver.next_record()) is not NEED_DATA:
        records.append(record)
    return records


RECORDING = line(1) + line(2) + line(3, "playbook_on_stats", failures={"a": 1}, dark={"b": 1})


@given(st.lists(st.integers(1, len(RECORDING) - 1), max_size=8))
def test_any_chunking_gives_the_same_records(cuts: list[int]) -> None:
    receiver = RecordingReceiver()
    records: list[Record] = []
    edges = [0, *sorted(cuts), len(RECORDING)]
    for start, end in itertools.pairwise(edges):
        receiver.receive_data(RECORDING[start:end])
        records += take(receiver)
    receiver.receive_eof()
    records += take(receiver)
    assert [type(record) for record in records] == [Event, Event, Event, Status]
    assert isinstance(records[-1], Status)
    assert (records[-1].status, records[-1].rc) == (StatusName.FAILED, 6)
    assert receiver.closed


@given(st.binary(max_size=300))
def test_any_bytes_give_records_or_the_protocols_error(data: bytes) -> None:
    receiver = RecordingReceiver()
    try:
        receiver.receive_data(data)
        take(receiver)
        receiver.receive_eof()
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (line(1) + line(3), "event 1 is followed by event 3"),
        (line(1) + line(1), "contains more than one run"),
        (line(1) + b"rubbish\n", "line 2 of the recording is not an event"),
        (b"[]\n", "line 1 of the recording is not an event"),
    ],
)
def test_what_is_no_recording(data: bytes, expected: str) -> None:
    receiver = RecordingReceiver()
    receiver.receive_data(data)
    with pytest.raises(RemoteProtocolError, match=expected):
        take(receiver)


def test_a_recording_without_its_end() -> None:
    receiver = RecordingReceiver()
    receiver.receive_data(line(1))
    take(receiver)
    with pytest.raises(IncompleteStream, match="ends after 1 events"):
        receiver.receive_eof()


def test_telling_a_recording_from_a_stream() -> None:
    assert [is_recording(head) for head in (b"", b"{", b'{"uuid"', b'{"uuid":', b'{"status":', b"\0")] == [
        None,
        None,
        None,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(("variables", "rc"), [([], 0), (["-e", "{broken: true}"], 2)])
def test_a_run_of_plain_ansible(stages: Stages, tmp_path: Path, variables: list[str], rc: int) -> None:
    """As in docs/results.md: the plugin alone, and what it recorded rebuilt."""
    (tmp_path / "site.yml").write_text(PLAY)
    env = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGIN_DIR),
        "PLAYSTREAM_EVENTS": str(tmp_path / "events.jsonl"),
        "PLAYSTREAM_IDENT": "nightly-7",
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", "a,", "-c", "local", "site.yml", *variables]
    assert subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False).returncode == rc
    recorded = (tmp_path / "events.jsonl").read_bytes()
    done = stages.call("process", tmp_path / "dir", stdin=recorded)
    assert done.returncode == rc
    artifacts = tmp_path / "dir" / "artifacts"
    events = read_events(artifacts)
    assert [json.dumps(event) for event in events] == [json.dumps(json.loads(text)) for text in recorded.splitlines()]
    assert {event["runner_ident"] for event in events} == {"nightly-7"}
    assert (artifacts / "rc").read_text() == str(rc)
    assert b"PLAY RECAP" in done.stdout


@pytest.mark.parametrize(
    ("words", "typed", "exit_status"),
    [
        (("ansible", "all", "-m", "ping"), b"", 0),
        (("ansible-console", "all"), b"ping\nexit\n", 75),
    ],
)
def test_other_programs_need_a_variable(
    stages: Stages, tmp_path: Path, words: tuple[str, ...], typed: bytes, exit_status: int
) -> None:
    """As in docs/results.md."""
    recording = tmp_path / "events.jsonl"
    env = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGIN_DIR),
        "PLAYSTREAM_EVENTS": str(recording),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "HOME": str(tmp_path),
    }
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:], "-i", "a,", "-c", "local"]
    for more in ({}, {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}):
        assert not recording.exists()
        subprocess.run(command, cwd=tmp_path, env=env | more, input=typed, capture_output=True, check=True)
    done = stages.call("process", tmp_path / "dir", stdin=recording.read_bytes())
    assert done.returncode == exit_status
    ok = [event for event in read_events(tmp_path / "dir" / "artifacts") if event["event"] == "runner_on_ok"]
    assert [event["event_data"]["res"]["ping"] for event in ok] == ["pong"]


def test_the_summary_of_a_run(stages: Stages, tmp_path: Path) -> None:
    recorded = line(1, "runner_on_ok", host="a", task="t", task_action="debug", res={"msg": "x"}) + line(
        2, "playbook_on_stats", ok={"a": 1}, processed={"a": 1}
    )
    shown = stages.call("process", tmp_path, "--summary", "-", stdin=recorded)
    assert shown.returncode == 0
    summary = json.loads(shown.stdout)
    assert (summary["status"], summary["rc"], summary["summary"]["a"]["ok"]) == ("successful", 0, 1)
    assert summary["task_summary"]["a"]["ok"][0]["res"] == {"msg": "x"}
    kept = stages.call("process", tmp_path, "-q", "-i", "x", "--summary", tmp_path / "file", stdin=recorded)
    assert (kept.returncode, kept.stdout) == (0, b"")
    assert {**summary, "ident": "x"} == json.loads((tmp_path / "file").read_text())
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    refused = stages.call("process", tmp_path, "-q", "--summary", "/dev/full", stdin=recorded)
    assert refused.returncode == 71
    assert b"the summary cannot be written to '/dev/full'" in refused.stderr
