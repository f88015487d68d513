"""A sender that offers a tree and never answers, and a worker that never asks: each ends with an error that says so."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from playstream.pipeline.errors import SilentPeer
from playstream.pipeline.protocol import Content, Failure, Heartbeat, Record, Sender, Want
from playstream.pipeline.protocol.order import Direction
from playstream.transmit.snapshot import NOTHING
from tests.conftest import MakeDir
from tests.links.test_cache import SILENT
from tests.links.workers import link_to
from tests.stages import LIMIT_SECONDS, Stages, read_records
from tests.stress.faults.stores import Stored, check_next_job, check_nothing_left, make_tree, names_in
from tests.stress.hostile.streams import JOB

SECONDS = "0.3"


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return make_tree(tmp_path / "source")


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("when", ["after the offer", "among listings", "before contents", "among contents"])
def test_a_sender_that_never_answers(when: str, asks: bool, stored: Stored, stages: Stages, tmp_path: Path) -> None:
    """What has come is kept, and the worker ends by itself."""
    snapshot = stored.snapshot
    contents = [each for each in snapshot.contents_without(NOTHING) if isinstance(each, Content)]
    listings = list(snapshot.listings())
    answers: dict[str, list[Record]] = {
        "after the offer": [],
        "among listings": [*listings[:2]],
        "before contents": [*listings],
        "among contents": [*listings, *contents[:5]],
    }
    sender = Sender(Direction.JOB)
    records = [replace(JOB, tree=True), snapshot.offer(asks=asks), *answers[when], Heartbeat()]
    cache = tmp_path / "cache"
    worker = stages.start("worker", f"--cache={cache}", "--liveness-seconds", SECONDS, "--keepalive-seconds", "0.1")
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(b"".join(sender.send(record) for record in records))
    worker.stdin.flush()
    assert worker.wait(LIMIT_SECONDS) == SilentPeer.exit_status
    said = read_records(worker.stdout.read())
    worker.communicate()
    assert sum(isinstance(record, Want) for record in said) == asks * (
        1 if when in {"after the offer", "among listings"} else 2
    )
    (failure,) = (record for record in said if isinstance(record, Failure))
    assert "has been silent for" in failure.message
    assert stages.leftovers() == []
    assert len(names_in(cache)) == len(answers[when])
    check_nothing_left(cache)
    assert check_next_job(stored, cache, tmp_path / "target") == len(contents) - 5 * (when == "among contents")


def test_a_worker_that_never_asks(
    stages: Stages, private_data_dir: MakeDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "remembered"))
    demo = private_data_dir({"site.yml": "- hosts: all\n"})
    (demo / "project" / "large").write_bytes(bytes(100_000))
    link = link_to(tmp_path / "worker.py", SILENT, "cat")
    words = ("-p", "site.yml", "-i", "run", "--on", link, "--liveness-seconds", SECONDS, "--keepalive-seconds", "0.1")
    command = stages.start("run", demo, *words, stdin=subprocess.DEVNULL)
    _, said = command.communicate(timeout=LIMIT_SECONDS)
    assert command.returncode == SilentPeer.exit_status, said
    assert b"has been silent for" in said
    assert (demo / "artifacts" / "run" / "status").read_text() == "error"
