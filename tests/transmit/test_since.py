"""Only what has changed travels in a pipe in which nobody answers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.protocol import Content, FileEntry, Listing, Log, Offer, Record
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import read_tree_name
from playstream.transmit import Transmitter, since
from playstream.transmit.sending import JobSource
from tests.conftest import MakeDir
from tests.stages import Stages, read_records

PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - command: cat data/1
      args: {chdir: "{{ playbook_dir }}"}
"""
UNKNOWN = "blake2b:" + "12" * 32


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user cache"))


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    job = private_data_dir({"site.yml": PLAYBOOK})
    (job / "project" / "data").mkdir()
    for number in range(20):
        (job / "project" / "data" / str(number)).write_text(f"{number} {os.urandom(2000).hex()}")
    return job


@pytest.fixture
def send(demo: Path, stages: Stages) -> Callable[..., bytes]:
    """Returns the stream of the job."""

    def start(tree: str, *words: str) -> bytes:
        return stages.transmit(demo, "-p", "site.yml", "--since", tree, *words)

    return start


@pytest.fixture
def serve(demo: Path, stages: Stages) -> Callable[..., str]:
    """Runs a job; returns what process says. Its results are in the directory of the job."""

    def start(stream: bytes, *, status: int = 0, worker: tuple[str, ...] = ("--cache",), ident: str = "") -> str:
        results = stages.call("worker", *worker, stdin=stream).stdout
        done = stages.call("process", demo, *(["-i", ident] if ident else []), stdin=results)
        assert done.returncode == status, done.stdout.decode() + done.stderr.decode()
        return done.stdout.decode() + done.stderr.decode()

    return start


def whole(demo: Path) -> JobSource:
    """Return the job, which is sent to a worker that keeps it."""
    job = Transmitter({"private_data_dir": demo, "playbook": "site.yml"})
    return since.with_since(job, since.NONE, Dialect.PLAYSTREAM)


def tree_of(demo: Path, ident: str = "") -> str | None:
    """Return the name of the tree in the results."""
    name: str | None = json.loads((demo / "artifacts" / ident / "command").read_text()).get("tree")
    return name


def of_tree(stream: bytes) -> list[Record]:
    """Return the records of the tree in a stream."""
    kinds = (Offer, Listing, Content, FileEntry)
    return [record for record in read_records(stream, Direction.JOB) if isinstance(record, kinds)]


def test_the_results_name_the_tree_and_the_next_job_builds_on_it(
    send: Callable[..., bytes], serve: Callable[..., str], demo: Path
) -> None:
    serve(send("none"))
    tree = tree_of(demo)
    assert tree is not None
    assert read_tree_name(tree) is not None
    (demo / "project" / "data" / "1").write_text("changed\n")
    stream = send(tree)
    (offer, *rest) = of_tree(stream)
    assert isinstance(offer, Offer)
    assert (offer.since, offer.asks) == ((tree.partition(":")[2],), False)
    assert [type(record) for record in rest] == [Listing, Listing, Listing, Content]
    assert rest[-1] == Content(b"changed\n")
    serve(stream)
    assert tree_of(demo) not in {tree, None}
    events = [json.loads(path.read_text()) for path in (demo / "artifacts" / "job_events").iterdir()]
    assert [event["event_data"]["res"]["stdout"] for event in events if event["event"] == "runner_on_ok"] == ["changed"]


@pytest.mark.parametrize("ident", ["", "first"])
def test_last_is_the_tree_of_the_last_run(
    send: Callable[..., bytes], serve: Callable[..., str], demo: Path, ident: str
) -> None:
    first = send("last")
    assert len([record for record in of_tree(first) if isinstance(record, Content)]) > 20
    serve(first, ident=ident)
    again = send("last")
    assert [type(record) for record in of_tree(again)] == [Offer]
    serve(again, ident=ident)
    assert json.loads((demo / "artifacts" / ident / "rc").read_text()) == 0


@pytest.mark.parametrize("damage", ["removed", "forgotten"])
def test_last_sends_everything_if_nothing_is_known(
    send: Callable[..., bytes], serve: Callable[..., str], demo: Path, tmp_path: Path, damage: str
) -> None:
    serve(send("none"))
    if damage == "removed":
        (demo / "artifacts" / "command").write_text('{"tree": "../../etc"}')
    else:
        shutil.rmtree(tmp_path / "user cache" / "playstream" / "hashes")
    assert len([record for record in of_tree(send("last")) if isinstance(record, Content)]) > 20


def test_a_worker_that_lacks_the_tree_runs_nothing(
    send: Callable[..., bytes], serve: Callable[..., str], demo: Path, tmp_path: Path
) -> None:
    serve(send("none"))
    tree = tree_of(demo)
    shutil.rmtree(tmp_path / "user cache" / "playstream" / "trees")
    said = serve(send("last"), status=71)
    assert f"builds on the tree {tree}" in said
    assert "--since none" in said
    serve(send("none"))
    assert tree_of(demo) == tree


def test_a_worker_that_has_lost_one_content_runs_nothing(
    send: Callable[..., bytes], serve: Callable[..., str], demo: Path, tmp_path: Path
) -> None:
    stream = send("none")
    serve(stream)
    lost = next(path for path in (tmp_path / "user cache" / "playstream" / "trees").rglob("*") if _is_content(path))
    lost.unlink()
    assert "--since none" in serve(send("last"), status=71)


def _is_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 4000


def test_a_worker_without_a_cache_runs_nothing(send: Callable[..., bytes], serve: Callable[..., str]) -> None:
    assert "start the worker with --cache" in serve(send("none"), worker=(), status=76)


def test_a_worker_that_keeps_nothing_names_no_tree(
    send: Callable[..., bytes], serve: Callable[..., str], demo: Path
) -> None:
    serve(send("none"), worker=("--cache", "--cache-size", "4K"))
    assert tree_of(demo) is None


def test_a_file_that_changes_while_it_is_sent_leaves_no_name(demo: Path) -> None:
    source = since.with_since(
        Transmitter({"private_data_dir": demo, "playbook": "site.yml"}), "none", Dialect.PLAYSTREAM
    )
    contents = []
    for record in source.records():
        if isinstance(record, Offer):
            (demo / "project" / "data" / "1").write_text("1 " + "x" * 4000)
        contents.append(record)
    assert [record.changed for record in contents if isinstance(record, Content)].count(True) == 1


def test_a_listing_that_no_record_holds_sends_the_job_whole(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(since, "MAX_RECORD", 100)
    source = since.with_since(
        Transmitter({"private_data_dir": demo, "playbook": "site.yml"}), "none", Dialect.PLAYSTREAM
    )
    records = list(source.records())
    assert any(isinstance(record, Log) and "sent whole" in record.message for record in records)
    assert sum(isinstance(record, FileEntry) for record in records) > 20


@pytest.mark.parametrize(
    ("tree", "words", "message"),
    [
        ("blake2b:12", [], "expected the name of a tree"),
        ("yesterday", [], "expected the name of a tree"),
        ("md5:" + "12" * 32, [], "this host has"),
        (UNKNOWN, [], "does not remember the tree"),
        ("none", ["--dialect", "runner"], "always sends the whole job"),
        ("none", ["--only-transmit-kwargs"], "expected a directory that is sent"),
    ],
)
def test_what_cannot_be_sent_so_is_refused_before_a_byte(
    demo: Path, stages: Stages, tree: str, words: list[str], message: str
) -> None:
    done = stages.call("transmit", demo, "-p", "site.yml", "--since", tree, *words)
    assert done.stdout == b""
    assert message in done.stderr.decode()
    assert done.returncode == 1


def test_in_python(demo: Path, tmp_path: Path, stages: Stages) -> None:
    def send(tree: str) -> bytes:
        with (tmp_path / "stream").open("wb") as file:
            playstream.run(private_data_dir=demo, playbook="site.yml", streamer="transmit", since=tree, _output=file)
        return (tmp_path / "stream").read_bytes()

    results = stages.call("worker", "--cache", stdin=send("none")).stdout
    names: list[str | None] = []

    def note(data: dict[str, Any], *, runner_config: object) -> None:
        names.append(data.get("tree"))

    with (tmp_path / "results").open("wb+") as file:
        file.write(results)
        file.seek(0)
        playstream.run(
            private_data_dir=demo,
            streamer="process",
            _input=file,
            quiet=True,
            status_handler=note,
        )
    (tree,) = (name for name in names if name is not None)
    assert [type(record) for record in of_tree(send(tree))] == [Offer]
    with pytest.raises(ConfigurationError, match="since: cannot be combined with on"):
        playstream.run(private_data_dir=demo, playbook="site.yml", on="exec:true", since=tree)
    with pytest.raises(ConfigurationError, match=r"since: .* does not remember .* since none"):
        playstream.run(private_data_dir=demo, playbook="site.yml", streamer="transmit", since=UNKNOWN)
