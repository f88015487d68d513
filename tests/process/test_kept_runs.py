"""The runs of a directory are listed as far as their files tell, whatever is in there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from playstream.process.kept_runs import KeptRun, find_runs, list_runs, read_run
from playstream.process.latest import link_latest
from tests.process.test_among_runs import rebuild, tree
from tests.stages import Stages

FAILURE = {"host": "a", "task": "It", "play": "P", "playbook": "site.yml", "res": {"msg": "no"}}
STATS = {"ok": {"a": 2, "b": 3}, "failures": {"a": 1}, "changed": {"b": 1}, "processed": {"a": 1, "b": 1}}


def event(number: int, name: str, seconds: int, **data: Any) -> dict[str, Any]:
    created = f"2026-11-20T10:00:{seconds:02}+00:00"
    return {
        "counter": number,
        "uuid": f"u{number}",
        "event": name,
        "created": created,
        "stdout": "",
        "event_data": data,
    }


EVENTS = [
    event(1, "playbook_on_start", 1, playbook="site.yml"),
    event(2, "runner_on_failed", 5, **FAILURE),
    event(10, "playbook_on_stats", 9, **STATS),
]


def keep(path: Path, events: list[dict[str, Any]] = EVENTS, **files: str) -> Path:
    """Artifacts with these events and files."""
    (path / "job_events").mkdir(parents=True)
    for item in events:
        (path / "job_events" / f"{item['counter']}-{item['uuid']}.json").write_text(json.dumps(item))
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def listed(base: Path) -> dict[str, KeptRun]:
    return {run.ident: run for run in list_runs(base)}


def test_a_whole_run(tmp_path: Path) -> None:
    keep(tmp_path / "x", status="failed", rc="2")
    [run] = list_runs(tmp_path)
    assert (run.ident, run.status, run.rc, run.playbook, run.events, run.hosts) == ("x", "failed", 2, "site.yml", 3, 2)
    assert run.explanation == "a failed at task 'It': no"
    assert run.counts is not None
    assert (run.counts.ok, run.counts.changed, run.counts.failures) == (5, 1, 1)
    assert run.started is not None
    assert (run.started.isoformat(), run.duration) == ("2026-11-20T10:00:01+00:00", 8)


def test_the_newest_is_first(tmp_path: Path) -> None:
    for number, name in ((3, "third"), (1, "first"), (2, "second")):
        keep(tmp_path / name, [event(1, "playbook_on_start", number)], status="successful")
    (tmp_path / "empty" / "job_events").mkdir(parents=True)
    os.utime(tmp_path / "empty", (1, 1))
    assert [run.ident for run in list_runs(tmp_path)] == ["third", "second", "first", "empty"]


def test_what_is_no_run(tmp_path: Path) -> None:
    keep(tmp_path / "x", status="successful")
    link_latest(tmp_path / "x")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "elsewhere").symlink_to("x")
    assert list(listed(tmp_path)) == ["x"]


def test_a_run_without_an_ident_and_what_it_made(tmp_path: Path) -> None:
    base = tmp_path / "artifacts"
    rebuild(base, tree("native", "stderr"), "nightly")
    rebuild(base, tree("native", "report/status"))
    assert sorted(listed(base)) == ["", "nightly"]
    keep(tmp_path / "other", [event(1, "verbose", 1) | {"runner_ident": "theirs"}], status="successful")
    assert [run.ident for run in list_runs(tmp_path / "other")] == ["theirs"]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ({"status": "nonsense", "rc": "-x"}, (None, None)),
        ({"status": "", "rc": "9" * 5000}, (None, None)),
        ({"status": "x" * 5000, "rc": "\udcff"}, (None, None)),
        ({"status": "canceled", "rc": "254\n"}, ("canceled", 254)),
        ({}, (None, None)),
    ],
)
def test_files_that_are_damaged(tmp_path: Path, damage: dict[str, str], expected: tuple[Any, Any]) -> None:
    path = keep(tmp_path / "x", [])
    for name, text in damage.items():
        (path / name).write_bytes(os.fsencode(text))
    (path / "job_events" / "1-u1.json").write_text('{"counter": 1, "event_da')
    (path / "job_events" / "2-u2.json").write_text("[" * 100_000)
    (path / "job_events" / "3-u3.json").write_text('"text"')
    (path / "job_events" / "4-u4.json").mkdir()
    os.mkfifo(path / "job_events" / "5-u5.json")
    (path / "job_events" / "6-u6.json").symlink_to(tmp_path)
    (path / "job_events" / "rubbish").touch()
    [run] = list_runs(tmp_path)
    assert (run.status, run.rc) == expected
    assert (run.events, run.hosts, run.counts, run.playbook) == (6, None, None, None)


def test_nothing_is_read_through_a_link(tmp_path: Path) -> None:
    """A worker may have sent one."""
    whole = keep(tmp_path / "elsewhere", status="failed", rc="2")
    path = tmp_path / "artifacts" / "x"
    path.mkdir(parents=True)
    for name in ("status", "rc", "job_events"):
        (path / name).symlink_to(whole / name)
    [run] = list_runs(path.parent)
    assert (run.status, run.rc, run.events, run.playbook) == (None, None, 0, None)


def test_of_many_events_a_few_are_read(tmp_path: Path) -> None:
    many = [EVENTS[0], *(event(number, "verbose", 2) for number in range(2, 2000))]
    path = keep(tmp_path / "x", [*many, {**EVENTS[2], "counter": 2001}], status="failed", rc="2")
    (path / "job_events" / "1000-u1000.json").unlink()
    (path / "job_events" / "1000-u1000.json").symlink_to("/dev/full")
    run = read_run(path, "x")
    assert (run.events, run.hosts, run.explanation) == (2000, 2, "a failed")


def test_names_and_their_beginnings(tmp_path: Path) -> None:
    for name in ("abc", "abd", "ab"):
        keep(tmp_path / name)
    link_latest(tmp_path / "abd")
    found = {name: sorted(find_runs(tmp_path, name)) for name in ("ab", "abc", "a", "latest", "x")}
    assert found == {"ab": ["ab"], "abc": ["abc"], "a": ["ab", "abc", "abd"], "latest": ["abd"], "x": []}


WITHOUT = "import sys; sys.modules['sqlalchemy'] = None; from playstream.cli.entry import main; sys.exit(main())"


def test_the_command(stages: Stages, tmp_path: Path) -> None:
    """It needs no database, and finds the artifacts also where --artifact-dir has put them."""
    base = tmp_path / "demo" / "artifacts"
    keep(base / "one", status="failed", rc="2")
    keep(base / "two", [event(1, "playbook_on_start", 30)], status="successful", rc="0")
    for place in (tmp_path / "demo", base):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, "runs", place], env=stages.env, capture_output=True, text=True, check=True
        )
        lines = done.stdout.splitlines()
        assert [line.split()[4:6] for line in lines[1:]] == [["two", "successful"], ["one", "failed"]]
        assert lines[0].split()[1:4] == ["DURATION", "IDENT", "STATUS"]
        assert lines[2].endswith("a failed at task 'It': no")
    found = [json.loads(line) for line in stages.call("runs", base, "--json").stdout.splitlines()]
    assert [(item["ident"], item["duration"]) for item in found] == [("two", 0), ("one", 8)]
    for flags, expected in (
        (["--status", "failed"], 1),
        (["--limit", "1"], 1),
        (["--limit", str(10**20)], 2),
        (["--since", "2026-11-20T10:00:20Z"], 1),
    ):
        assert len(stages.call("runs", base, *flags, "--json").stdout.splitlines()) == expected


def test_an_active_run(stages: Stages, tmp_path: Path) -> None:
    from playstream.cli.active_runs import note_directories, noted  # noqa: PLC0415

    keep(tmp_path / "artifacts" / "x", [EVENTS[0]])
    with noted(note_directories(tmp_path, None), "x"):
        [found] = map(json.loads, stages.call("runs", tmp_path, "--json").stdout.splitlines())
    assert (found["status"], found["ended"]) == ("running", None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere"], "there is no directory 'nowhere'"),
        (["runs.db"], "'runs.db' is a file: for a store, pass --store runs.db"),
        ([".", "--store", "x"], "expected either a directory or --store, got both"),
        ([".", "--host", "a"], "--host is for a store"),
        ([".", "--task", "a"], "--task is for a store"),
        ([".", "--status", "sucessful"], "'sucessful' is not a valid status: expected one of "),
        ([".", "--limit", "-1"], "--limit: expected 0 or more, got -1"),
        (["--store", "x.db", "--limit", "-1"], "--limit: expected 0 or more, got -1"),
    ],
)
def test_refusals(stages: Stages, tmp_path: Path, words: list[str], expected: str) -> None:
    (tmp_path / "runs.db").touch()
    done = stages.call("runs", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(f"playstream runs: {expected}")


def test_show(stages: Stages, tmp_path: Path) -> None:
    base = tmp_path / "demo" / "artifacts"
    keep(base / "nightly-1", status="failed", rc="2")
    keep(base / "nightly-2", [event(1, "playbook_on_start", 30)])
    link_latest(base / "nightly-1")
    for ident in ("latest", "nightly-1"):
        shown = stages.call("show", tmp_path / "demo", ident).stdout.decode()
        for text in ("nightly-1", "a failed at task 'It': no", "site.yml", "FAILED", "2026-11-20"):
            assert text in shown
    whole = json.loads(stages.call("show", base, "nightly-1", "--json").stdout)
    assert [result["res"] for result in whole["results"]] == [{"msg": "no"}]
    assert [host["name"] for host in whole["hosts"]] == ["a", "b"]
    assert stages.call("show", base, "nightly-2").returncode == 0
    only = stages.call("show", base)
    assert only.stderr.decode() == (
        f"playstream show: expected DIR and the name of a run, got only the directory {str(base)!r}: add latest, or a "
        f"name that playstream runs {base} lists\n"
    )
    for ident, expected in (
        ("night", "several runs whose names start with 'night': nightly-1, nightly-2"),
        ("x", "no"),
    ):
        done = stages.call("show", base, ident)
        assert (done.returncode, done.stdout) == (1, b"")
        assert f"{str(base)!r} has {expected}" in done.stderr.decode()
    assert stages.leftovers() == []
