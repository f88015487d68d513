"""What `inspect` says of a stream, and what it does not say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playstream.captures.inspection import SECRETS
from playstream.pipeline.protocol import (
    Cancel,
    End,
    FileData,
    FileEntry,
    FileType,
    Input,
    Job,
    Record,
    Resize,
    Status,
    StatusName,
    TreeEnd,
)
from playstream.pipeline.protocol.order import Direction
from tests.captures.reading import NOW, a_run, an_event, inspect
from tests.pipeline.protocol.wire import RawStream, encode
from tests.pipeline.runner_dialect.wire import line
from tests.stages import Stages

VECTORS = Path(__file__).parents[1] / "vectors"
VALUE = "s3cr3t-value"


def everything_told(data: bytes) -> str:
    described, inspection = inspect(data)
    texts = [f"{each.kind} {each.time} {each.text} {json.dumps(each.details)}" for _piece, each in described]
    return "\n".join([*texts, json.dumps(inspection.as_dict())])


def secret_job() -> Job:
    return Job(
        VALUE,
        tree=True,
        playbook=VALUE,
        extravars={"version": VALUE, "nested": {"deep": VALUE}},
        envvars={"TOKEN": VALUE},
        passwords={"ssh": VALUE},
        ssh_key=VALUE,
        extravars_texts=(VALUE,),
        cmdline=(VALUE,),
    )


def test_of_a_job_only_names_are_told() -> None:
    entry = FileEntry(b"env", FileType.FILE, 0o600, 0, len(VALUE))
    link = FileEntry(b"link", FileType.SYMLINK, 0o777, 0, target=VALUE.encode())
    tree: list[Record] = [entry, FileData(VALUE.encode()), link, TreeEnd(2, len(VALUE))]
    records: list[Record] = [Resize(keyboard=True), secret_job(), *tree, Input(1, VALUE.encode()), Cancel("Ctrl-C")]
    told = everything_told(encode(records, Direction.JOB))
    assert VALUE not in told
    for name in ("extravars.version", "extravars.nested", "envvars.TOKEN", "passwords.ssh", "ssh_key", "'link'"):
        assert name in told
    assert SECRETS in told


def test_of_a_job_in_the_other_protocol_too() -> None:
    kwargs = {"ident": VALUE, "envvars": {"TOKEN": VALUE}, "passwords": {"ssh": VALUE}, "extravars": VALUE}
    told = everything_told(line(kwargs=kwargs) + line(eof=True))
    assert VALUE not in told
    assert "envvars.TOKEN" in told
    assert SECRETS in told


def test_damage_to_a_job_shows_none_of_it() -> None:
    whole = RawStream().records(secret_job()).data
    for at in range(20, len(whole), 7):
        damaged = whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :]
        assert VALUE not in everything_told(damaged)


def test_of_events_results_are_not_told() -> None:
    data = {"host": "web1", "task": "Install nginx", "res": {"msg": VALUE}}
    event = an_event(1, "runner_on_ok", created=NOW, event_data=data)
    start = Status(StatusName.STARTING, NOW, command=(VALUE,), env={"TOKEN": VALUE}, cwd=VALUE)
    end = Status(StatusName.SUCCESSFUL, NOW, rc=0)
    told = everything_told(encode([start, event, end], Direction.RESULT))
    assert VALUE not in told
    assert "runner_on_ok web1: Install nginx" in told


def test_totals() -> None:
    events = [an_event(number, created=f"2026-11-30T10:00:{number:02}+00:00") for number in range(1, 41)]
    data = a_run(*events)
    described, inspection = inspect(data)
    assert len(described) == 43
    totals = inspection.as_dict()
    assert totals.pop("compression_ratio") > 1
    content = sum(piece.size or 0 for piece, _ in described)
    assert totals == {
        "format": "playstream",
        "direction": "result",
        "bytes": len(data),
        "content_bytes": content,
        "records": {"Status": 2, "Event": 40, "End": 1},
        "events": 40,
        "invalid_events": 0,
        "first": NOW,
        "last": NOW,
        "complete": True,
        "digest": "holds",
        "bytes_behind_end": 0,
        "damage": None,
        "lacks": [],
        "note": None,
    }


def test_events_that_are_not_valid_are_counted() -> None:
    events = [an_event(1), an_event(2, uuid=7), an_event(3, stdout=None)]
    described, inspection = inspect(a_run(*events))
    texts = [each.text for _, each in described if each.kind == "Event"]
    assert texts == ["verbose", "not a valid event", "not a valid event"]
    totals = inspection.as_dict()
    assert (totals["invalid_events"], totals["complete"], totals["digest"]) == (2, True, "holds")
    assert totals["damage"]["message"].startswith("2 events of the stream cannot be read, the first at byte ")


@pytest.mark.parametrize(
    ("change", "digest"),
    [
        (lambda data: data[:-1], "unknown"),
        (lambda data: data[:100] + b"?" + data[101:], "unknown"),
        (lambda _: RawStream().records(Status(StatusName.SUCCESSFUL, NOW, rc=0)).end(digest=bytes(32)).data, "differs"),
    ],
)
def test_the_digest_of_a_damaged_stream(change: object, digest: str) -> None:
    assert callable(change)
    _, inspection = inspect(change(a_run(an_event(1))))
    totals = inspection.as_dict()
    assert (totals["digest"], totals["complete"]) == (digest, False)
    assert totals["damage"]["offset"] <= totals["bytes"]


@pytest.mark.parametrize("path", sorted((VECTORS / "native-1").glob("*.bin")), ids=lambda path: path.stem)
def test_captures_of_every_version_stay_readable(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    described, inspection = inspect(path.read_bytes())
    kinds = [each.kind for _, each in described if each.kind != "Skipped"]
    assert kinds == [item["record"] for item in expected["items"]]
    damage = inspection.as_dict()["damage"]
    if expected["error"] is not None:
        assert damage["error"] == expected["error"]
    elif not inspection.totals.invalid_events:
        assert damage is None


def test_the_command(stages: Stages, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_bytes(a_run(an_event(1)))
    done = stages.call("inspect", file)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"DIGEST       holds" in done.stdout
    whole = stages.call("inspect", "--json", file)
    *records, totals = map(json.loads, whole.stdout.splitlines())
    assert [record["record"] for record in records] == ["Status", "Event", "Status", End.__name__]
    assert totals["complete"] is True

    file.write_bytes(a_run(an_event(1))[:-40])
    done = stages.call("inspect", file)
    assert done.returncode == 75
    assert b"DAMAGE       at byte " in done.stdout
    assert done.stderr.startswith(b"playstream inspect: the stream ends at byte ")
    assert stages.call("process", tmp_path / "demo", stdin=file.read_bytes()).returncode == 75


def test_an_encrypted_file(stages: Stages) -> None:
    file = VECTORS / "encrypted-1" / "live.bin"
    done = stages.call("inspect", file)
    assert done.returncode == 76
    assert b"--identity FILE" in done.stderr
    done = stages.call("inspect", file, "--identity", VECTORS / "encrypted-1" / "identity")
    assert b"DIGEST       holds" in done.stdout


@pytest.mark.parametrize(("name", "expected"), [("", b"is a directory"), ("none", b"No such file")])
def test_what_is_no_file(stages: Stages, tmp_path: Path, name: str, expected: bytes) -> None:
    done = stages.call("inspect", tmp_path / name)
    assert done.returncode == 1
    assert expected in done.stderr
