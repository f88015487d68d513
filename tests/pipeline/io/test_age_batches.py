"""The live form of an encrypted stream: what is put into batches comes out, and nothing else ever does."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import (
    ConfigurationError,
    IncompleteStream,
    JobError,
    LinkError,
    RemoteProtocolError,
)
from playstream.pipeline.io import age_batches
from playstream.pipeline.io.age import Decrypted, decrypting
from playstream.pipeline.io.age_batches import (
    CONTENT,
    HEADER,
    LAST,
    LENGTH,
    MAGIC,
    MARKER,
    MAX_AGE_HEADER,
    MAX_BATCH,
    PREAMBLE,
    VERSION,
    BatchReader,
    BatchWriter,
)
from tests.pipeline.io.age_streams import MINE, OTHER, Stream, forge, make, read, with_length

VECTORS = Path(__file__).parents[2] / "vectors"
CONTENTS = st.lists(st.binary(max_size=60), min_size=1, max_size=5)


def check_refused(stream: Stream, damaged: bytes, sizes: Sequence[int] = (1 << 20,)) -> None:
    """What is damaged ends in an error, and what comes before that is as it was sent.

    Raises:
        AssertionError: it is not.
    """
    plain, error = read(damaged, sizes)
    assert isinstance(error, RemoteProtocolError)
    assert stream.plain.startswith(plain)


SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=4)


@given(CONTENTS, SIZES)
def test_a_stream_comes_out_as_it_went_in(contents: list[bytes], sizes: list[int]) -> None:
    stream = make(contents)
    assert read(stream.data, sizes) == (stream.plain, None)


@given(st.data(), CONTENTS)
def test_a_stream_that_is_cut_anywhere(data: st.DataObject, contents: list[bytes]) -> None:
    stream = make(contents)
    cut = stream.draw_place(data)
    plain, error = read(stream.data[:cut])
    assert type(error) is IncompleteStream
    assert stream.plain.startswith(plain)
    whole = sum(end <= cut for end in accumulate(map(len, stream.parts[1:]), initial=len(stream.parts[0]))) - 1
    assert plain == b"".join(stream.contents[: max(0, whole)]), "each batch that has come is read at once"


@given(st.data(), CONTENTS, SIZES)
def test_any_flipped_bit(data: st.DataObject, contents: list[bytes], sizes: list[int]) -> None:
    stream = make(contents)
    damaged = bytearray(stream.data)
    damaged[stream.draw_place(data)] ^= 1 << data.draw(st.integers(0, 7))
    check_refused(stream, bytes(damaged), sizes)


@given(st.data(), CONTENTS, st.binary(min_size=1, max_size=40))
def test_anything_put_in_between(data: st.DataObject, contents: list[bytes], noise: bytes) -> None:
    stream = make(contents)
    place = stream.draw_place(data)
    check_refused(stream, stream.data[:place] + noise + stream.data[place:])
    check_refused(stream, stream.data + noise)


def _removed(parts: list[bytes], first: int, _second: int) -> list[bytes]:
    return parts[:first] + parts[first + 1 :]


def _duplicated(parts: list[bytes], first: int, second: int) -> list[bytes]:
    return [*parts[:second], parts[first], *parts[second:]]


def _swapped(parts: list[bytes], first: int, second: int) -> list[bytes]:
    changed = list(parts)
    changed[first], changed[second] = parts[second], parts[first]
    return changed


@given(st.data(), CONTENTS, st.sampled_from([_removed, _duplicated, _swapped]))
def test_batches_that_are_lost_duplicated_or_reordered(
    data: st.DataObject, contents: list[bytes], change: Callable[[list[bytes], int, int], list[bytes]]
) -> None:
    stream = make(contents)
    places = st.integers(1, len(stream.parts) - 1)
    first, second = data.draw(places), data.draw(places)
    changed = change(stream.parts, first, second)
    if changed != stream.parts:
        check_refused(stream, b"".join(changed))


@given(st.data(), CONTENTS, CONTENTS)
def test_batches_of_another_stream(data: st.DataObject, contents: list[bytes], others: list[bytes]) -> None:
    """Whatever is put where: the first batch decides which stream it is."""
    stream, other = make(contents), make(others)
    parts = list(stream.parts)
    place = data.draw(st.integers(2, len(parts)))
    taken = data.draw(st.integers(1, len(other.parts) - 1))
    replaces = data.draw(st.booleans())
    parts[place : place + replaces] = [other.parts[taken]]
    check_refused(stream, b"".join(parts))


@pytest.mark.parametrize("end", [0, LAST])
def test_a_stream_that_is_continued_by_another(end: int) -> None:
    first, second = make([b"one", b"two"]), make([b"three", b"four"])
    begun = [*first.parts[:2], second.parts[2]] if not end else [*first.parts, *second.parts[1:]]
    check_refused(first, b"".join(begun))


@given(st.binary(max_size=500), st.booleans())
def test_any_bytes_at_all(data: bytes, with_preamble: bool) -> None:
    plain, error = read(PREAMBLE.pack(MAGIC, VERSION) * with_preamble + data)
    assert plain == b""
    assert isinstance(error, RemoteProtocolError)


@given(st.binary(max_size=200), st.booleans())
def test_any_content_of_an_age_file(content: bytes, with_marker: bool) -> None:
    """Whoever has the public key can make one, but not one that belongs to the stream."""
    batch = with_length(pyrage.encrypt(MARKER * with_marker + content, [MINE.to_public()]))
    stream = make([b"hello", b"world"])
    check_refused(stream, b"".join([*stream.parts[:2], batch, *stream.parts[2:]]))


def collect(batches: Iterable[bytes]) -> bytes:
    return b"".join(batches)


def test_what_is_not_flushed_waits() -> None:
    writer = BatchWriter([MINE.to_public()])
    assert collect(writer.wrap([b"one"], flush=False)) == b""
    sent = collect(writer.wrap([], flush=True))
    assert collect(writer.wrap([], flush=True)) == b"", "an empty batch carries nothing"
    assert collect(writer.wrap([b"two"], flush=False)) == b""
    sent += collect(writer.wrap([b"three"], flush=True, last=True))
    assert read(sent) == (b"onetwothree", None)


def test_a_stream_without_data_is_empty() -> None:
    writer = BatchWriter([MINE.to_public()])
    assert collect(writer.wrap([], flush=True, last=True)) == b""


def test_the_end_has_a_batch_of_its_own_if_all_was_sent() -> None:
    writer = BatchWriter([MINE.to_public()])
    sent = collect(writer.wrap([b"all"], flush=True))
    plain, error = read(sent)
    assert (plain, type(error)) == (b"all", IncompleteStream)
    assert read(sent + collect(writer.wrap([], flush=True, last=True))) == (b"all", None)


def test_what_came_before_an_error_is_sent() -> None:
    """As it is without encryption."""

    def fail() -> Iterator[bytes]:
        yield b"a last word"
        raise JobError("there is no room for the archive")

    writer = BatchWriter([MINE.to_public()])
    sent = collect(writer.wrap([b"first, "], flush=False))
    batches = writer.wrap(fail(), flush=True)
    sent += next(batches)
    with pytest.raises(JobError, match="no room"):
        next(batches)
    assert read(sent)[0] == b"first, a last word"


class _Panic(BaseException):
    """As the library raises when it finds itself broken: no Exception."""


def test_a_library_that_fails_is_an_error_of_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the outbox's thread would end without a word."""

    def fail(*_: object) -> bytes:
        raise _Panic("broken")

    writer = BatchWriter([MINE.to_public()])
    monkeypatch.setattr(writer, "_encrypt", fail)
    with pytest.raises(LinkError, match="the encryption of the stream failed: broken"):
        collect(writer.wrap([b"hello"], flush=True))


def test_a_large_batch_is_cut() -> None:
    content = os.urandom(3 * CONTENT + 5)
    writer = BatchWriter([MINE.to_public()])
    batches = list(writer.wrap([content], flush=True, last=True))
    assert len(batches) == 4
    assert all(len(batch) <= MAX_BATCH for batch in batches)
    assert read(collect(batches), [1 << 18]) == (content, None)


def test_the_writer_keeps_no_more_than_a_batch() -> None:
    """However much is not flushed."""
    writer = BatchWriter([MINE.to_public()])
    for _ in range(40):
        list(writer.wrap([bytes(1 << 18)], flush=False))
        assert len(writer._pending) <= CONTENT


def test_each_recipient_can_read_it() -> None:
    stream = make([b"hello", b"world"], OTHER.to_public(), MINE.to_public())
    assert read(stream.data) == (b"helloworld", None)


def test_a_wrong_key() -> None:
    _, error = read(make([b"hello"], OTHER.to_public()).data)
    assert "none of the keys in the identity files can decrypt it" in str(error)


def test_recipients_that_are_too_many() -> None:
    with pytest.raises(ConfigurationError, match="700 recipients are too many"):
        BatchWriter([OTHER.to_public()] * 700)


PREFIX = PREAMBLE.pack(MAGIC, VERSION)
ID = bytes(16)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (MAGIC[:-4].ljust(13, b"\n"), "A terminal in between probably rewrites line endings"),
        (PREAMBLE.pack(MAGIC, 2), "the other side writes version 2 .* Update playstream on this side"),
        (PREAMBLE.pack(MAGIC, 0), "the other side writes version 0 .* Update playstream on the other side"),
        (PREFIX + b"\0" * 8, "the length of batch 0 of the encrypted stream is damaged"),
        (PREFIX + with_length(b"\0" * (MAX_BATCH + 1))[:8], "announces 4325377 bytes; at most 4325376 are allowed"),
        (PREFIX + with_length(b"age-encryption.org/v1\n"), "does not begin with the header of an age file"),
        (
            PREFIX + with_length(pyrage.encrypt(b"", [OTHER.to_public()] * 700)),
            "does not begin with the header of an age file of at most 64 KiB",
        ),
        (PREFIX + with_length(pyrage.encrypt(b"hello", [MINE.to_public()])), "got an age file with other content"),
        (PREFIX + forge(ID, 0, 0, marker=b"\xf5\x00PS"), "got an age file with other content"),
        (PREFIX + forge(ID, 1, 0), "expected batch 0 of the encrypted stream, got batch 1: batches were lost"),
        (PREFIX + forge(ID, 0, 0) + forge(ID[1:] + b"2", 1, 0), "batch 1 belongs to another encrypted stream"),
        (PREFIX + forge(ID, 0, 2), "batch 0 of the encrypted stream has the flags 0x02"),
        (PREFIX + forge(ID, 0, LAST) + b"bye\n", "4 bytes follow the last batch of the encrypted stream"),
        (PREFIX + forge(ID, 0, 0), "ended before batch 1, and none before it is marked as the last"),
        (PREFIX + forge(ID, 0, 0)[:-1], "ended within batch 0"),
        (PREFIX + forge(ID, 0, 0)[:-1] + b"?", "batch 0 of the encrypted stream was altered in transit"),
        (PREFIX + forge(ID, 0, 0).replace(b"\n--- ", b"\n---  "), "the header of the encrypted stream cannot be read"),
    ],
)
def test_the_likely_cause_is_named(data: bytes, expected: str) -> None:
    _, error = read(data)
    with pytest.raises(RemoteProtocolError, match=expected):
        raise error or AssertionError("there is no error")


def test_a_length_is_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bytes are enough."""
    monkeypatch.setattr(age_batches, "MAX_BATCH", 100)
    _, error = read(PREFIX + with_length(bytes(101))[:8])
    assert "announces 101 bytes; at most 100 are allowed" in str(error)


def test_the_reader_keeps_no_more_than_a_batch() -> None:
    stream = make([os.urandom(1 << 19)] * 8)
    reader = BatchReader([MINE])
    for start in range(0, len(stream.data), 1 << 16):
        reader.receive_data(stream.data[start : start + (1 << 16)])
        while reader.next() is not None:
            pass
        assert len(reader._buffer) <= max(map(len, stream.parts))


def test_an_age_header_may_be_as_long_as_the_writer_makes_it() -> None:
    writer = BatchWriter([*[OTHER.to_public()] * 600, MINE.to_public()])
    batch = collect(writer.wrap([b"hello"], flush=True, last=True))
    assert len(batch) < MAX_AGE_HEADER
    assert read(batch) == (b"hello", None)


@contextmanager
def with_stream(data: bytes, tmp_path: Path, identity: pyrage.x25519.Identity = MINE) -> Iterator[Decrypted]:
    """A stream as a stage reads it."""
    (tmp_path / "stream").write_bytes(data)
    with (
        (tmp_path / "stream").open("rb", buffering=0) as file,
        decrypting(file.fileno(), [identity], lambda _message: None) as source,
    ):
        yield source


def decrypt(data: bytes, tmp_path: Path, identity: pyrage.x25519.Identity = MINE) -> bytes:
    """Read a stream as a stage does."""
    plain = b""
    with with_stream(data, tmp_path, identity) as source:
        while content := source.read():
            plain += content
    return plain


def test_a_batch_alone_is_no_stream(tmp_path: Path) -> None:
    """It is an age file, which is the other form of an encrypted stream."""
    stream = make([b'{"status": "successful"}\n'])
    with pytest.raises(RemoteProtocolError, match="expected a whole encrypted stream, got a batch of one"):
        decrypt(stream.parts[1][8:], tmp_path)


def test_what_comes_before_damage_is_kept(tmp_path: Path) -> None:
    """Although it comes with one read."""
    stream = make([b"hello, ", b"world", b"!"])
    plain = b""
    with with_stream(stream.data[:-1] + b"?", tmp_path) as source:
        while plain != b"hello, world":
            plain += source.read()
        with pytest.raises(RemoteProtocolError, match="batch 2 of the encrypted stream was altered in transit"):
            source.read()


def test_any_damage_to_the_beginning(tmp_path: Path) -> None:
    """Where the form of the stream is told."""
    stream = make([b"hello", b"world"])
    for place in range(64):
        damaged = bytearray(stream.data)
        damaged[place] ^= 1
        with pytest.raises(RemoteProtocolError):
            decrypt(bytes(damaged), tmp_path)
        with pytest.raises(RemoteProtocolError):
            decrypt(stream.data[:place] + stream.data[place + 1 :], tmp_path)


def test_the_vectors(tmp_path: Path) -> None:
    """A capture of either form stays readable, and a writer's batches are what is specified."""
    folder = VECTORS / "encrypted-1"
    identity = pyrage.x25519.Identity.from_str((folder / "identity").read_text().split()[-1])
    plain = (VECTORS / "native-1" / "result.bin").read_bytes()
    assert decrypt((folder / "file.age").read_bytes(), tmp_path, identity) == plain
    assert decrypt((folder / "live.bin").read_bytes(), tmp_path, identity) == plain
    assert collect(_plain_by_the_page((folder / "live.bin").read_bytes(), identity)) == plain


def test_the_page_has_the_limits_and_the_layouts() -> None:
    text = (VECTORS.parents[1] / "docs" / "encryption.md").read_text()
    assert int(re.findall(r"\| MAX_BATCH \| (\d+) \|", text)[0]) == MAX_BATCH
    assert int(re.findall(r"\| MAX_AGE_HEADER \| (\d+) \|", text)[0]) == MAX_AGE_HEADER
    rows = [
        (int(offset), int(size)) for offset, size in re.findall(r"^\| (\d+) \| (\d+) \| \w+ \|", text, re.MULTILINE)
    ]
    assert rows == [(0, 12), (12, 1), (0, 4), (4, 4), (0, 4), (4, 16), (20, 8), (28, 1)]
    assert [PREAMBLE.size, LENGTH.size, HEADER.size] == [13, 8, 29]
    for magic in (MAGIC, MARKER):
        assert f"`{magic.hex(' ')}`" in text


def _plain_by_the_page(data: bytes, identity: pyrage.x25519.Identity) -> Iterator[bytes]:
    """Read a stream by docs/encryption.md alone."""
    assert data[:13] == bytes.fromhex("f5 00 70 73 2d 61 67 65 0d 0a 1a 0a 01")
    ends = [13]
    while ends[-1] < len(data):
        length = data[ends[-1] : ends[-1] + 4]
        assert zlib.crc32(length) == int.from_bytes(data[ends[-1] + 4 : ends[-1] + 8], "little")
        ends.append(ends[-1] + 8 + int.from_bytes(length, "little"))
    headers = []
    for start, end in pairwise(ends):
        content = pyrage.decrypt(data[start + 8 : end], [identity])
        headers.append((content[:4], content[4:20], int.from_bytes(content[20:28], "little"), content[28]))
        yield content[29:]
    stream_id = headers[0][1]
    last = len(headers) - 1
    assert headers == [(b"\xf5\x00PB", stream_id, number, int(number == last)) for number in range(last + 1)]
