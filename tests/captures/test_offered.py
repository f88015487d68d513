"""Unpacking the tree of a job that was offered: all of it, or what the stream has, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from playstream.pipeline.dialect import Dialect
from playstream.pipeline.errors import (
    ConfigurationError,
    IncompleteStream,
    IncompleteTree,
    PlaystreamError,
    RemoteProtocolError,
    UnsafePath,
)
from playstream.pipeline.limits import Limits
from playstream.pipeline.protocol import Content, Job, Listing, Noise, Offer, Record, Sender, TreeEnd
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.tree.digests import digest
from playstream.transmit import Transmitter
from playstream.transmit.since import with_since
from playstream.transmit.snapshot import NOTHING
from tests.captures.test_extraction import unpack
from tests.pipeline.protocol.strategies import mutations
from tests.pipeline.protocol.wire import encode
from tests.pipeline.tree.conftest import Snapshot, open_arena, take_snapshot
from tests.pipeline.tree.test_tree_round_trip import TREES, Node, grow, private
from tests.stages import Stages, read_records
from tests.stress.hostile.offers import (
    disturbed,
    hostile_objects,
    offer_streams,
    offered,
    order_of,
    shortened,
    source,
)
from tests.worker.cache.offered import ALGORITHM

FEW = Limits(max_tree_entries=60, max_tree_bytes=4 << 20)
JOB = Job("x", tree=True)


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with patch.dict(os.environ, XDG_CACHE_HOME=str(tmp_path_factory.mktemp("cache"))):
        yield


@contextmanager
def forgotten() -> Iterator[None]:
    """Another host, which has not sent the job."""
    with patch.dict(os.environ, XDG_CACHE_HOME="/nowhere"):
        yield


def send(directory: Path, since: str) -> list[Record]:
    """The records of a real transmit."""
    job = Transmitter({"private_data_dir": directory, "module": "ping", "host_pattern": "all", "ident": "x"})
    return list(with_since(job, since, Dialect.PLAYSTREAM).records())


def capture(records: Sequence[Record]) -> bytes:
    """A file with these records. Without the end of the tree it is cut."""
    if isinstance(records[-1], TreeEnd):
        return encode(records, Direction.JOB)
    sender = Sender(Direction.JOB)
    return b"".join(sender.send(record) for record in records)


def tree_of(records: Sequence[Record | Noise]) -> str:
    """The name of the tree that was offered."""
    (offer,) = (record for record in records if isinstance(record, Offer))
    return f"{offer.algorithm}:{offer.root.hex()}"


def as_unpacked(directory: Path) -> Snapshot:
    return private(take_snapshot(directory))  # type: ignore[arg-type,return-value]


def without_times(found: Snapshot) -> Snapshot:
    return {path: (kind, mode, None, *rest) for path, (kind, mode, _time, *rest) in found.items()}


@given(tree=TREES, large=st.integers(0, 3), linked=st.booleans())
def test_any_tree_through_a_real_transmit(tree: dict[bytes, Node], large: int, linked: bool) -> None:
    with open_arena() as directory, open_arena() as target:
        grow(os.fsencode(directory), tree)
        if large:
            name = directory / "a large file"
            name.write_bytes(bytes(range(256)) * 256 * 16 * large + b"end")
            if linked:
                os.link(name, directory / "its second name")
        unpack(capture(send(directory, "none")), target)
        assert take_snapshot(target) == as_unpacked(directory)


def change(directory: Path) -> None:
    """Change some of a tree."""
    (directory / "added").write_bytes(b"added")
    (directory / "deep" / "changed").write_bytes(b"changed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    for name in ("deep/changed", "deep/same", "deep/er/same", "other/same", "other/copy"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(f"content of {name.removesuffix('copy')}")
    os.link(directory / "other/same", directory / "other/second")
    return directory


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def test_what_has_changed(project: Path, target: Path) -> None:
    """On the host that has sent the job, what the stream has gets its place."""
    first = tree_of(send(project, "none"))
    change(project)
    with pytest.raises(IncompleteTree) as caught:
        unpack(capture(send(project, first)), target)
    message = str(caught.value)
    assert "does not have 1 file and what is in 2 directories of the job's tree: " in message
    assert all(f"'{name}'" in message for name in ("deep/same", "deep/er", "other"))
    assert f"what has changed since the tree {first}. What it has was unpacked" in message
    found = {path: entry[3] for path, entry in take_snapshot(target).items()}
    assert found == {
        b"added": b"added",
        b"deep": b"",
        b"deep/changed": b"changed",
        b"deep/er": b"",
        b"other": b"",
    }


def test_what_has_changed_on_another_host(project: Path, target: Path) -> None:
    """There the listings that build on the earlier tree cannot be read."""
    first = tree_of(send(project, "none"))
    change(project)
    data = capture(send(project, first))
    with forgotten(), pytest.raises(IncompleteTree, match="1 listing of it can only be read by the user"):
        unpack(data, target)
    assert sorted(os.listdir(target)) == ["added", "deep", "other"]
    assert os.listdir(target / "deep") == []


def test_nothing_has_changed(project: Path, target: Path) -> None:
    first = tree_of(send(project, "none"))
    with pytest.raises(IncompleteTree, match="does not have anything of the job's tree"):
        unpack(capture(send(project, first)), target)
    assert os.listdir(target) == []


def test_what_a_worker_has_asked_for(target: Path) -> None:
    """The questions are not in the stream; with or without them contents are known by their hashes."""
    snapshot = offered()
    listings = list(snapshot.listings())
    contents = [each for each in snapshot.contents_without(NOTHING) if isinstance(each, Content)]
    whole: list[Record] = [JOB, snapshot.offer(), *listings, *contents, snapshot.end()]
    unpack(capture(whole), target)
    assert take_snapshot(target) == as_unpacked(source())
    shutil.rmtree(target)
    with pytest.raises(IncompleteTree, match="Its worker had these in its cache, and asked only for the others"):
        unpack(capture([JOB, snapshot.offer(), *listings, *contents[1:], snapshot.end()]), target)
    lacking = {path for path, entry in as_unpacked(source()).items() if entry[3] == contents[0].data}
    found = take_snapshot(target)
    assert set(as_unpacked(source())) - set(found) == lacking != set()


@pytest.mark.parametrize("since", [False, True])
def test_a_file_that_has_changed_while_it_was_sent(project: Path, target: Path, since: bool) -> None:
    first = tree_of(send(project, "none")) if since else "none"
    change(project)
    records = send(project, first)
    place = next(number for number, each in enumerate(records) if each == Content(b"changed"))
    records[place] = Content(b"changeD", changed=True)
    try:
        unpack(capture(records), target)
        assert not since
    except IncompleteTree:
        assert since
    assert (target / "deep" / "changed").read_bytes() == b"changeD"
    assert (target / "added").read_bytes() == b"added"


def test_a_stream_that_is_cut(project: Path, target: Path) -> None:
    data = capture(send(project, "none"))
    with pytest.raises(IncompleteStream):
        unpack(data[:-20], target)
    assert without_times(take_snapshot(target)) == without_times(as_unpacked(project))


def test_a_link_that_leads_out(tmp_path: Path, target: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link").symlink_to("../../etc")
    with pytest.raises(UnsafePath):
        unpack(capture(send(tmp_path / "project", "none")), target)


def test_what_no_sender_writes(project: Path, target: Path) -> None:
    records = send(project, "none")
    end = records[-1]
    assert isinstance(end, TreeEnd)
    with pytest.raises(RemoteProtocolError, match=f"expected {end.entries + 1} entries"):
        unpack(capture([*records[:-1], TreeEnd(end.entries + 1, end.size)]), target)
    shutil.rmtree(target)
    with pytest.raises(RemoteProtocolError, match="a listing that no other one names"):
        unpack(capture([*records[:2], Listing(b"D"), *records[2:]]), target)
    shutil.rmtree(target)
    with pytest.raises(PlaystreamError, match="--max-tree-bytes"):
        unpack(capture(records), target, Limits(max_tree_bytes=10))
    shutil.rmtree(target)
    (offer,) = (record for record in records if isinstance(record, Offer))
    with pytest.raises(ConfigurationError, match="hashes of 'md5'"):
        unpack(capture([records[0], replace(offer, algorithm="md5"), *records[2:]]), target)
    assert not target.exists()


def unpack_any(data: bytes, target: Path) -> PlaystreamError | None:
    """Unpack, and check that what is there is private and belongs to this user."""
    error = None
    try:
        unpack(data, target, FEW)
    except PlaystreamError as caught:
        error = caught
        assert str(error).isprintable()
    for path in target.rglob("*"):
        assert path.is_symlink() or not path.stat().st_mode & 0o7077, path
    return error


@given(st.data(), st.booleans())
def test_any_tree_with_parts_lost(data: DataObject, asks: bool) -> None:
    """What is unpacked is what was sent, whatever was lost, doubled or changed on the way."""
    snapshot = offered()
    contents = [each for each in snapshot.contents_without(NOTHING) if isinstance(each, Content)]
    records = data.draw(disturbed([*snapshot.listings(), *contents, snapshot.end()]))
    expected = as_unpacked(source())
    ends = [number for number, each in enumerate(records) if isinstance(each, TreeEnd)]
    with open_arena() as target:
        stream = [JOB, snapshot.offer(asks=asks), *records[: ends[0] + 1 if ends else None]]
        error = unpack_any(capture(stream), target)
        found = without_times(take_snapshot(target))
        if not any(isinstance(each, Content) and each.changed for each in records):
            assert {path: entry[3] for path, entry in found.items()}.items() <= {
                path: entry[3] for path, entry in expected.items()
            }.items()
        if error is None and ends:
            assert set(found) == set(expected)


@given(hostile_objects(), st.booleans(), st.booleans(), st.booleans())
def test_any_tree_of_hostile_listings(made: list[bytes], asks: bool, short: bool, whole: bool) -> None:
    found = {digest(data, ALGORITHM): data for data in made}
    root = digest(made[-1], ALGORITHM)
    listings, contents, count, size = order_of(root, found, FEW)
    sent: list[Record] = [Listing(shortened(data) if short else data) for data in listings]
    sent += [Content(found.get(name, b"hello")) for name in contents]
    with open_arena() as target:
        end = [TreeEnd(count, size)] if whole else []
        unpack_any(capture([JOB, Offer(root, ALGORITHM, count, size, (), asks), *sent, *end]), target)


@given(st.integers(0, 2), st.data())
def test_any_stream_with_an_offer(number: int, data: DataObject) -> None:
    with open_arena() as target:
        unpack_any(data.draw(mutations(offer_streams()[number])), target)


def test_the_command(stages: Stages, project: Path, tmp_path: Path) -> None:
    stages.variables["XDG_CACHE_HOME"] = str(tmp_path / "cache of the user")
    words = (project, "-m", "ping", "--hosts", "all", "--since")
    data = stages.transmit(*words, "none")
    (tmp_path / "whole").write_bytes(data)
    done = stages.call("extract", tmp_path / "whole", tmp_path / "unpacked")
    assert (done.returncode, done.stderr) == (0, b"")
    assert take_snapshot(tmp_path / "unpacked") == as_unpacked(project)
    first = tree_of(read_records(data, Direction.JOB))
    change(project)
    (tmp_path / "part").write_bytes(stages.transmit(*words, first))
    done = stages.call("extract", tmp_path / "part", tmp_path / "what there is")
    assert done.returncode == 96
    assert b"playstream extract: the capture does not have " in done.stderr
    assert (tmp_path / "what there is" / "deep" / "changed").read_bytes() == b"changed"
