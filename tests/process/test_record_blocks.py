"""Blocks of records: the same records come out, a reader knows which blocks it needs, and any bytes are survived."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.protocol import End, Event, Heartbeat, Log, LogLevel, Status, StatusName, codec
from playstream.process.record_blocks import BLOCK_BYTES, Block, BlockMaker, BlockRecord, is_kept, read_block
from tests.captures.reading import NOW, an_event

BEGIN = datetime(2026, 11, 30, 10, tzinfo=UTC)

moments = st.none() | st.integers(-100, 100).map(lambda seconds: (BEGIN + timedelta(seconds=seconds)).isoformat())
events = st.builds(
    lambda counter, name, created, text: an_event(counter, name, created=created, stdout=text),
    st.integers(0, 2**63),
    st.sampled_from(["verbose", "playbook_on_task_start", "runner_on_ok"]),
    moments | st.just("soon"),
    st.text(max_size=5),
)
records = st.lists(
    events
    | st.builds(Event, st.integers(0, 2**64 - 1), st.binary(max_size=10))
    | st.builds(Log, st.sampled_from(LogLevel), st.text(max_size=5))
    | st.builds(lambda status, rc: Status(status, NOW, rc=rc), st.sampled_from(StatusName), st.none() | st.just(2)),
    max_size=12,
)


def make(given_records: list[BlockRecord], of_each: int) -> list[Block]:
    """Blocks of at most so many records."""
    blocks = []
    for start in range(0, len(given_records), of_each):
        maker = BlockMaker()
        assert [maker.add(record) for record in given_records[start : start + of_each]] == [None] * len(
            given_records[start : start + of_each]
        )
        block = maker.finish()
        assert block is not None
        assert maker.finish() is None
        blocks.append(block)
    return blocks


@given(records, st.integers(1, 5))
def test_the_same_records_come_out(kept: list[BlockRecord], of_each: int) -> None:
    blocks = make(kept, of_each)
    assert [record for block in blocks for record in read_block(block.data)] == kept
    for block in blocks:
        inside = list(read_block(block.data))
        assert block.info.events == sum(isinstance(record, Event) for record in inside)
        assert block.info.size == sum(len(codec.encode(record)) for record in inside)


@given(records, st.integers(1, 5), st.integers(0, 2**63), moments)
def test_a_block_that_is_left_out_has_nothing_that_is_wanted(
    kept: list[BlockRecord], of_each: int, counter: int, moment: str | None
) -> None:
    since = None if moment is None else datetime.fromisoformat(moment).timestamp()
    for block in make(kept, of_each):
        if not block.info.is_before(counter, since):
            continue
        for record in read_block(block.data):
            assert not (isinstance(record, Status) and record.status.terminal)
            if isinstance(record, Event):
                created = datetime.fromisoformat(json.loads(record.json)["created"]).timestamp()
                assert record.counter < counter or (since is not None and created < since)


def test_a_block_is_complete_at_its_size() -> None:
    maker = BlockMaker()
    made = [maker.add(an_event(number, stdout="x" * 1000)) for number in range(1, 3 * BLOCK_BYTES // 2000)]
    (block,) = filter(None, made)
    assert BLOCK_BYTES <= block.info.size < BLOCK_BYTES + 2000
    assert len(block.data) < BLOCK_BYTES // 20
    last = maker.finish()
    assert last is not None
    assert next(record.counter for record in read_block(last.data) if isinstance(record, Event)) == block.info.last + 1


def test_what_a_block_may_have() -> None:
    assert is_kept(an_event(1))
    assert not is_kept(Heartbeat())
    for record in (Heartbeat(), End(1, 1, b"x" * 32)):
        with pytest.raises(ValueError, match="does not belong there"):
            list(read_block(compress(codec.encode(record))))


def compress(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


def test_what_is_too_large_is_refused() -> None:
    event = codec.encode(an_event(1, stdout="x" * 5000))
    assert list(read_block(compress(event), 6000))
    with pytest.raises(ValueError, match="does not belong"):
        list(read_block(compress(event), 4000))
    bomb = compress(bytes(BLOCK_BYTES + 5000))
    assert len(bomb) < 1000
    with pytest.raises(ValueError, match="at most"):
        list(read_block(bomb, 4000))
    endless = zstandard.ZstdCompressor().compressobj()
    unknown = endless.compress(bytes(BLOCK_BYTES)) + endless.flush()
    with pytest.raises(ValueError, match="at most"):  # it does not say how much it is
        list(read_block(unknown))


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_at_all(data: bytes, packed: bool) -> None:
    try:
        found = list(read_block(compress(data) if packed else data))
    except ValueError:
        return
    assert all(map(is_kept, found))


@given(records.filter(bool), st.data())
def test_any_byte_may_be_another(kept: list[BlockRecord], data: st.DataObject) -> None:
    """The frame has a checksum: another byte is noticed, or it is one that does not matter."""
    (block,) = make(kept, 12)
    place = data.draw(st.integers(0, len(block.data) - 1))
    changed = bytearray(block.data)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        assert list(read_block(bytes(changed))) == kept
    except ValueError:
        pass
