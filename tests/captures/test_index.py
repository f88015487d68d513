"""The index of a capture: what it saves, when it is used, and that nothing depends on it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures import index as format_
from playstream.captures import index_cache
from playstream.captures.index import Index
from playstream.captures.index_cache import evict
from playstream.captures.player import Command, Player, Screen, Selection
from playstream.captures.runs import open_run
from playstream.captures.stream import open_stream
from playstream.pipeline.errors import PlaystreamError
from playstream.pipeline.io import stdio, system
from playstream.pipeline.io.locks import try_lock
from playstream.pipeline.protocol import Event, Job, Log, LogLevel, Status, StatusName
from playstream.pipeline.protocol.order import Direction
from playstream.process import record_blocks
from tests.captures.reading import NOW, a_run, an_event
from tests.captures.test_other_formats import WORKER
from tests.pipeline.protocol.wire import encode
from tests.vectors.generate_encrypted import recipient

BEGIN = datetime(2026, 11, 30, 10, tzinfo=UTC)
BLOCK = 4_000
EVENTS = 400
READ = 256 << 10
"""What is read of a capture at once."""
IDENTITY = Path(__file__).parents[1] / "vectors" / "encrypted-1" / "identity"


@contextmanager
def small_cache(directory: Path) -> Iterator[Path]:
    """The user's cache; blocks are small, and a capture that was just written counts as settled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(directory))
        patch.setattr(record_blocks, "BLOCK_BYTES", BLOCK)
        patch.setattr(format_, "_MARGIN_NS", -(10**12))
        yield directory / "playstream" / "captures"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """That cache."""
    with small_cache(tmp_path_factory.mktemp("cache")) as directory:
        yield directory


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def empty(cache: Path) -> Path:
    """The cache, in which nothing is."""
    shutil.rmtree(cache, ignore_errors=True)
    return cache


def events(number: int = EVENTS) -> list[Event]:
    """A task begins at every tenth event, and each event is a second later."""
    return [
        an_event(
            counter,
            "verbose" if counter % 10 else "playbook_on_task_start",
            created=(BEGIN + timedelta(seconds=counter)).isoformat(),
            stdout=os.urandom(60).hex(),
            event_data={"task": f"t{counter // 10}"},
        )
        for counter in range(1, number + 1)
    ]


@pytest.fixture
def capture(tmp_path: Path, empty: Path) -> Path:
    """A capture of many blocks; its file is larger than what is read to recognize it."""
    path = tmp_path / "capture"
    path.write_bytes(a_run(*events(6000)))
    assert path.stat().st_size > 2 * READ
    return path


class Shown(Screen):
    """Notes what is shown."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def show(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def wait(self, seconds: float | None) -> Command | None:
        assert seconds == 0
        return None


def show(path: Path, start: float | None = None, *, indexed: bool = True) -> list[dict[str, Any]]:
    """The events that are shown from a time on."""
    screen = Shown()
    selection = Selection(start=None if start is None else timedelta(seconds=start))
    assert Player(lambda: open_run(path, {}, pytest.fail, indexed=indexed), screen, selection, None, lambda: 0.0).play()
    return screen.events


def indexes(cache: Path) -> list[Path]:
    return sorted(cache.iterdir()) if cache.exists() else []


class Counted:
    """Counts the bytes that are read of indexes, and of captures for recognizing them and for their records."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.places: dict[int, int] = {}
        self.streamed = 0
        real, real_stream = system.pread, stdio.read_some

        def pread(fd: int, size: int, place: int) -> bytes:
            data = real(fd, size, place)
            inode = os.fstat(fd).st_ino
            self.places[inode] = self.places.get(inode, 0) + len(data)
            return data

        def read(source: Any) -> bytes:
            data: bytes = real_stream(source)
            self.streamed += len(data)
            return data

        patch.setattr(system, "pread", pread)
        patch.setattr("playstream.captures.stream.read_some", read)

    def of(self, path: Path) -> int:
        return self.places.get(path.stat().st_ino, 0)


def test_what_is_read_from_near_the_end(capture: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = show(capture)
    (path,) = indexes(empty)
    with path.open("rb") as file:
        found = Index(os.dup(file.fileno()))
    blocks = found.sizes
    found.close()
    assert len(blocks) > 200
    counted = Counted(monkeypatch)
    assert show(capture, 5990) == everything[-10:]
    table = path.stat().st_size - sum(blocks)
    assert counted.of(path) <= table + sum(blocks[-2:])
    assert counted.of(path) > table
    assert counted.of(capture) <= 2 * (64 << 10)
    assert counted.streamed <= READ
    monkeypatch.undo()
    counted = Counted(monkeypatch)
    assert show(capture, 5990, indexed=False) == everything[-10:]
    assert counted.streamed == capture.stat().st_size


@pytest.mark.parametrize("start", [None, 0.0, 1.0, 137.0, 399.0, 5000.0])
def test_the_same_is_shown(tmp_path: Path, empty: Path, start: float | None) -> None:
    path = tmp_path / "capture"
    path.write_bytes(a_run(*events()))
    without = show(path, start, indexed=False)
    assert indexes(empty) == []
    assert [show(path, start) for _ in range(3)] == [without] * 3
    assert len(indexes(empty)) == 1


def test_a_message_of_the_worker_is_in_the_index_too(tmp_path: Path, empty: Path) -> None:
    path = tmp_path / "capture"
    first, last = (Status(name, NOW, rc=rc) for name, rc in ((StatusName.RUNNING, None), (StatusName.SUCCESSFUL, 0)))
    stream = encode([first, *events(), Log(LogLevel.INFO, "hello"), last], Direction.RESULT)
    path.write_bytes(stream)
    with open_stream(path, {}, pytest.fail, indexed=True) as opened:
        kept = [piece.item for piece in opened.pieces() if record_blocks.is_kept(piece.item)]
    with open_run(path, {}, pytest.fail, indexed=True) as run:
        blocks = run.blocks()
        assert blocks is not None
        assert list(blocks.read(0)) == kept


def test_other_formats_have_one_too(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stats = an_event(EVENTS + 1, "playbook_on_stats", event_data={"ok": {"a": 1}})
    recording = b"".join(event.json + b"\n" for event in (*events(), stats))
    monkeypatch.setattr(record_blocks, "BLOCK_BYTES", 500)
    for number, data in enumerate((recording, WORKER)):
        path = tmp_path / str(number)
        path.write_bytes(data)
        without = show(path, 1.0, indexed=False)
        assert [show(path, 1.0) for _ in range(2)] == [without] * 2
        assert len(indexes(empty)) == number + 1


def test_it_is_private(capture: Path, empty: Path) -> None:
    before = os.umask(0)
    try:
        show(capture)
    finally:
        os.umask(before)
    (path,) = indexes(empty)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(empty.stat().st_mode) == 0o700


def test_a_cache_that_others_can_enter_is_not_used(capture: Path, empty: Path) -> None:
    empty.mkdir(parents=True)
    empty.chmod(0o755)
    show(capture)
    assert indexes(empty) == []


def is_found(path: Path) -> bool:
    with open_run(path, {}, pytest.fail, indexed=True) as run:
        return run.blocks() is not None


def test_a_copy_has_the_same_index(capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(capture)
    copy = tmp_path / "copy"
    shutil.copy(capture, copy)
    counted = Counted(monkeypatch)
    assert is_found(copy)
    assert counted.of(copy) > copy.stat().st_size  # all of it was compared
    assert is_found(capture)


def test_another_content_has_none(capture: Path, empty: Path) -> None:
    """Also if its size, its times, its beginning and its end are the same."""
    show(capture)
    before = capture.stat()
    data = bytearray(capture.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 1
    with capture.open("r+b") as file:
        file.write(data)
    os.utime(capture, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert capture.stat().st_mtime_ns == before.st_mtime_ns
    assert not is_found(capture)
    with pytest.raises(PlaystreamError):
        show(capture, 5990)
    data[middle] ^= 1
    with capture.open("r+b") as file:
        file.write(data)
    assert is_found(capture)


def test_a_capture_that_may_change_without_a_new_time_is_compared(
    capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(format_, "_MARGIN_NS", 10**15)
    show(capture)
    counted = Counted(monkeypatch)
    assert is_found(capture)
    assert counted.of(capture) > capture.stat().st_size


def test_what_has_no_index(tmp_path: Path, empty: Path) -> None:
    whole = a_run(*events())
    for number, data in enumerate(
        (
            a_run(*events(5)),
            whole[:-30],
            whole[:-30] + bytes(30),
            a_run(*events(), Event(EVENTS + 1, b"nonsense")),
            encode([Job("x"), *()], Direction.JOB),
        )
    ):
        path = tmp_path / str(number)
        path.write_bytes(data)
        try:
            show(path)
        except PlaystreamError:
            assert number
        else:
            assert not number
        assert indexes(empty) == [], number


def test_an_encrypted_capture_has_none(tmp_path: Path, empty: Path) -> None:
    path = tmp_path / "capture.age"
    path.write_bytes(pyrage.encrypt(a_run(*events()), [recipient()]))
    with open_run(path, {"identity": [str(IDENTITY)]}, pytest.fail, indexed=True) as run:
        assert sum(isinstance(record, Event) for record in run.records()) == EVENTS
        assert run.blocks() is None
    assert indexes(empty) == []


def test_who_stops_before_the_end_leaves_nothing(capture: Path, empty: Path) -> None:
    with open_run(capture, {}, pytest.fail, indexed=True) as run:
        reading = run.records()
        for _ in range(3000):
            next(reading)
        (begun,) = indexes(empty)
        assert begun.name.startswith(".")
    del reading, run
    assert indexes(empty) == []


def test_two_at_once(capture: Path, empty: Path) -> None:
    everything = show(capture, indexed=False)
    with (
        open_run(capture, {}, pytest.fail, indexed=True) as first,
        open_run(capture, {}, pytest.fail, indexed=True) as second,
    ):
        pairs = zip(first.records(), second.records(), strict=True)
        assert all(one == other for one, other in pairs)
    assert len(indexes(empty)) == 1
    assert show(capture, 5990) == everything[-10:]


def test_a_capture_that_changes_while_it_is_read_gets_none(capture: Path, empty: Path) -> None:
    with open_run(capture, {}, pytest.fail, indexed=True) as run:
        reading = run.records()
        next(reading)
        os.utime(capture, ns=(1, 1))
        list(reading)
    assert indexes(empty) == []


def test_a_full_disk(capture: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        assert len(show(capture)) == 6000
    assert indexes(empty) == []


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_damaged_block_is_read_from_the_capture(capture: Path, empty: Path, number: int) -> None:
    everything = show(capture)
    (path,) = indexes(empty)
    with path.open("rb") as file:
        found = Index(os.dup(file.fileno()))
        sizes = found.sizes
        found.close()
    place = sum(sizes[: number % len(sizes)]) + 20
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(8))
    assert show(capture, 0) == everything
    assert indexes(empty) == []
    assert show(capture, 0) == everything
    assert is_found(capture)


@given(st.data())
def test_any_byte_of_an_index_may_be_another(place: Path, data: st.DataObject) -> None:
    path = place / "any"
    if not path.exists():
        path.write_bytes(a_run(*events(60)))
    with small_cache(place) as cache:
        shutil.rmtree(cache, ignore_errors=True)
        everything = show(path)
        (index,) = indexes(cache)
        content = bytearray(index.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        index.write_bytes(content[: data.draw(st.none() | st.integers(0, len(content)))])
        start = data.draw(st.integers(0, 60))
        assert show(path, start) == everything[start:]


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=8),
    max_leaves=12,
)


@given(st.binary(max_size=80), st.none() | VALUES)
def test_any_bytes_as_an_index(place: Path, content: bytes, values: object) -> None:
    """Also with a table and a trailer that fit: nothing but an index is taken."""
    if values is not None:
        table = {"version": 1, "capture": [1, 2, 3, 4, 5], "settled": True, "digest": "00", "blocks": values}
        content += format_.pack_values(table, len(content))
    path = place / "index"
    path.write_bytes(content)
    fd = os.open(path, os.O_RDONLY)
    try:
        found = Index(fd)
    except ValueError:
        return
    finally:
        os.close(fd)
    assert found.infos


def test_eviction(empty: Path) -> None:
    empty.mkdir(parents=True, mode=0o700)
    for age in range(6):
        path = empty / f"{age}.index"
        path.write_bytes(bytes(1000))
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    old = empty / "old.index"
    old.write_bytes(b"")
    os.utime(old, (1, 1))
    (empty / ".begun-killed").write_bytes(bytes(1000))
    active = empty / ".begun-active"
    active.write_bytes(bytes(1000))
    with active.open("rb") as file:
        assert try_lock(file.fileno())
        evict(empty, 3500)
        assert [path.name for path in indexes(empty)] == [".begun-active", "0.index", "1.index", "2.index"]
    evict(empty, 3500)
    assert [path.name for path in indexes(empty)] == ["0.index", "1.index", "2.index"]


def test_the_cache_has_a_size(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used longest ago goes first; an index that is too large by itself is not kept."""
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.write_bytes(a_run(*events()))
    show(paths[0])
    size = indexes(empty)[0].stat().st_size
    monkeypatch.setattr(index_cache, "MAX_BYTES", int(size * 2.5))
    show(paths[1])
    for number, path in enumerate(indexes(empty)):
        os.utime(path, (path.stat().st_mtime - 100 + number,) * 2)
    assert is_found(paths[0])
    show(paths[2])
    assert [is_found(path) for path in paths] == [True, False, True]
    monkeypatch.setattr(index_cache, "MAX_BYTES", size // 2)
    show(paths[1])
    assert not is_found(paths[1])
    assert all(path.suffix == ".index" for path in indexes(empty))
