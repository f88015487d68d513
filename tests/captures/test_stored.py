"""A run in a store that keeps its events is as good as its capture."""

from __future__ import annotations

from pathlib import Path

import pytest

import playstream
from playstream.captures.finding import find_run
from playstream.captures.pieces import Lack
from playstream.pipeline.errors import ConfigurationError, StoreError
from playstream.pipeline.protocol import Event
from playstream.process.store import open_store, prune_runs
from tests.captures.reading import a_run, an_event
from tests.captures.test_replay import PLAY, Calls
from tests.conftest import MakeDir
from tests.process.store.test_kept_events import keep, long_run
from tests.stages import Stages


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": PLAY}, hosts=("node1", "node2"))


def test_handlers_are_called_as_by_the_run(demo: Path, tmp_path: Path) -> None:
    live, again = Calls(), Calls()
    store = str(tmp_path / "runs.db")
    ran = playstream.run(
        private_data_dir=demo, playbook="site.yml", ident="x", store=store, store_events=True, **live.options
    )
    runner = playstream.replay("x", from_store=store, speed="max", **again.options)
    noted = [call for call in live.noted if call[0] != "artifacts"]
    assert [call for call in again.noted if call[0] != "artifacts"] == noted
    assert (runner.status, runner.rc, runner.explanation) == (ran.status, ran.rc, ran.explanation)
    assert runner.summary() == ran.summary()
    assert list(runner.events) == list(ran.events)
    again.noted.clear()
    playstream.replay("last", from_store=store, speed="max", **again.options)
    assert [call for call in again.noted if call[0] != "artifacts"] == noted
    with pytest.raises(ConfigurationError, match="the store has no run 'y'"):
        playstream.replay("y", from_store=store)
    with pytest.raises(ConfigurationError, match="pass from_store too"):
        playstream.replay("x")


def test_the_commands(stages: Stages, tmp_path: Path) -> None:
    capture = a_run(
        *(an_event(n, stdout=f"line {n}", end_line=1, created=f"2026-11-30T10:0{n}:00+00:00") for n in range(1, 5))
    )
    store = ("--store", tmp_path / "runs.db")
    assert stages.call("process", tmp_path, "-i", "kept", *store, "--store-events", stdin=capture).returncode == 0
    assert stages.call("process", tmp_path, "-i", "plain", *store, stdin=capture).returncode == 0
    done = stages.call("replay", "kept", *store, "--speed", "max")
    assert (done.returncode, done.stdout.split()) == (0, b"line 1 line 2 line 3 line 4".split())
    done = stages.call("replay", "ke", *store, "--speed", "max", "--from", "2:00")
    assert done.stdout.split() == b"line 3 line 4".split()
    done = stages.call("replay", "plain", *store, "--speed", "max")
    assert (done.returncode, done.stdout) == (ConfigurationError.exit_status, b"")
    assert b"--store-events" in done.stderr
    assert stages.call("diff", "kept", "plain", *store).returncode == 0
    done = stages.call("replay", "none", *store)
    assert b"there is no file and no directory 'none', and the store has no run 'none'" in done.stderr
    done = stages.call("replay", "none")
    assert b"pass --store URL too" in done.stderr


@pytest.mark.parametrize("word", ["junit", "markdown", "agent", "trace"])
def test_reports_are_those_of_the_capture(stages: Stages, demo: Path, tmp_path: Path, word: str) -> None:
    capture, store = tmp_path / "capture", ("--store", tmp_path / "runs.db")
    stages.call("run", demo, "-p", "site.yml", "-i", "kept", "--capture", capture, *store, "--store-events")
    expected = stages.call("report", capture, "--format", word)
    assert expected.returncode == 0, expected.stderr
    assert stages.call("report", "kept", *store, "--format", word).stdout == expected.stdout


def test_a_place_wins_over_a_name(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(a_run(an_event(1)))
    store = str(tmp_path / "runs.db")
    with open_store(store) as opened:
        keep(opened, long_run("kept"))
    found = find_run(str(tmp_path / "kept"), store)
    assert found.path is not None
    found = find_run("kept", store)
    assert (found.path, found.ident) == (None, "kept")


def test_what_it_has(tmp_path: Path) -> None:
    store = str(tmp_path / "runs.db")
    with open_store(store) as opened:
        records, _ = keep(opened, long_run())
    found = find_run("long", store)
    with found.open({}, pytest.fail) as run:
        assert run.what == "a run in a store"
        assert run.lacks == {Lack.ARTIFACTS}
        assert list(run.records()) == records
        blocks = run.blocks()
        assert blocks is not None
        later = [record.counter for record in blocks.read(2) if isinstance(record, Event)]
        assert later[0] == blocks.infos[1].last + 1
    with open_store(store) as opened:
        prune_runs(opened, keep=0)
    with pytest.raises(StoreError, match="was removed"), found.open({}, pytest.fail):
        pass


def test_limits_apply(tmp_path: Path) -> None:
    store = str(tmp_path / "runs.db")
    with open_store(store) as opened:
        keep(opened, long_run())
    with find_run("long", store).open({"max_record_bytes": 1000}, pytest.fail) as run, pytest.raises(StoreError):
        list(run.records())


def test_a_jump_stays_in_the_run_that_was_named(tmp_path: Path) -> None:
    """`last` is another run meanwhile."""
    store = str(tmp_path / "runs.db")
    with open_store(store) as opened:
        keep(opened, long_run("first"))
        found = find_run("last", store)
        later = long_run("second")
        keep(opened, later)
    with found.open({}, pytest.fail) as run:
        assert any(b'"runner_ident": "first"' in record.json for record in run.records() if isinstance(record, Event))
