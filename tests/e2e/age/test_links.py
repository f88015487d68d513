"""One age file between a file and a stage: what goes in comes out, and each end hears of the other's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from playstream.pipeline.errors import IncompleteStream, LinkError, PlaystreamError, RemoteProtocolError, SilentPeer
from playstream.pipeline.io import age
from playstream.pipeline.io.age import decrypting, encrypting
from playstream.pipeline.io.liveness import Liveness
from playstream.pipeline.io.stdio import has_input, write_all
from playstream.pipeline.protocol import Heartbeat, Sender
from playstream.pipeline.protocol.order import Direction
from tests.processes import wait_until

_CHUNK = 1 << 16
_TAG = 16
_NONCE = 16
MINE = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No test leaves a thread or a descriptor."""
    before = threading.active_count(), set(os.listdir("/proc/self/fd"))
    yield
    assert (threading.active_count(), set(os.listdir("/proc/self/fd"))) == before


def encrypt(content: bytes) -> bytes:
    return pyrage.encrypt(content, [MINE.to_public()])


def header_size(size: int, encrypted: bytes) -> int:
    """Bytes before the first piece."""
    return len(encrypted) - size - -(-size // _CHUNK) * _TAG


class Given:
    """A file with a stream, and what a stage reads of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.warnings: list[str] = []
        self.content = b""
        """What the last stream contained, up to its end or to an error."""

    def read(self, stream: bytes, *identities: pyrage.x25519.Identity) -> bytes:
        """Read it to the end, with MINE by default."""
        self._path.write_bytes(stream)
        self.content = b""
        with (
            self._path.open("rb", buffering=0) as file,
            decrypting(file.fileno(), identities or [MINE], self.warnings.append) as source,
        ):
            while data := source.read():
                self.content += data
        return self.content


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path / "stream")


@pytest.mark.parametrize("size", [1, 100, _CHUNK - 1, _CHUNK, _CHUNK + 1, 3 * _CHUNK, 5_000_000])
def test_what_is_encrypted_is_what_is_decrypted(given: Given, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    with (
        (tmp_path / "encrypted").open("wb", buffering=0) as file,
        encrypting(file.fileno(), [OTHER.to_public(), MINE.to_public()]) as fd,
    ):
        write_all(fd, content)
    encrypted = (tmp_path / "encrypted").read_bytes()
    assert encrypted.startswith(b"age-encryption.org/v1\n")
    assert content[:16] not in encrypted or size < 16
    assert given.read(encrypted) == content
    assert given.read(encrypted, OTHER) == content


def test_nothing_is_written_when_nothing_was(given: Given, tmp_path: Path) -> None:
    with (tmp_path / "encrypted").open("wb", buffering=0) as file:
        with pytest.raises(ValueError, match="changed my mind"), encrypting(file.fileno(), [MINE.to_public()]):
            raise ValueError("changed my mind")
        assert os.fstat(file.fileno()).st_size == 0
    assert given.read(b"") == b""


@pytest.mark.parametrize("armored", [False, True])
def test_other_output_before_the_stream_is_skipped_and_told(given: Given, armored: bool) -> None:
    stream = pyrage.encrypt(b"hello", [MINE.to_public()], armored=armored)
    assert given.read(b"Welcome to host\r\n\r\n" + stream) == b"hello"
    assert given.warnings == [
        "skipped 19 bytes of other output before the encrypted stream: b'Welcome to host\\r\\n\\r\\n'"
    ]


def test_a_stream_may_come_byte_by_byte() -> None:
    reading_end, writing_end = os.pipe()
    warnings: list[str] = []
    with decrypting(reading_end, [MINE], warnings.append) as source:
        for byte in b"Hi!\n" + encrypt(b"hello"):
            os.write(writing_end, bytes([byte]))
        os.close(writing_end)
        assert source.read() == b"hello"
        assert source.read() == b""
    os.close(reading_end)
    assert len(warnings) == 1


def test_the_silence_of_its_sender_means_nothing_once_it_has_begun() -> None:
    """Heartbeats wait until a chunk is full."""
    reading_end, writing_end = os.pipe()
    with decrypting(reading_end, [MINE], lambda _message: None) as source:
        os.write(writing_end, b"Welcome\n")
        wait_until(lambda: not has_input(reading_end))
        assert source.heard_at is not None
        os.write(writing_end, encrypt(b"hello")[:30])
        wait_until(lambda: source.heard_at is None)
        Liveness("the worker", 1e-9, source).check()
    os.close(writing_end)
    os.close(reading_end)


def test_a_full_piece_is_decrypted_before_the_next_one_comes() -> None:
    content = os.urandom(2 * _CHUNK)
    stream = encrypt(content)
    first = header_size(len(content), stream) + _CHUNK + _TAG
    reading_end, writing_end = os.pipe()
    with decrypting(reading_end, [MINE], pytest.fail) as source:
        thread = threading.Thread(target=write_all, args=(writing_end, stream[:first]))
        thread.start()
        got = b""
        while len(got) < _CHUNK:
            got += source.read()
        thread.join()
    os.close(writing_end)
    os.close(reading_end)
    assert got == content[:_CHUNK]


def test_a_wrong_key(given: Given) -> None:
    with pytest.raises(RemoteProtocolError, match="none of the keys in the identity files"):
        given.read(encrypt(b"hello" * 100_000), OTHER)


def test_a_stream_for_a_passphrase(given: Given) -> None:
    with pytest.raises(RemoteProtocolError, match="Streams encrypted with a passphrase are not supported"):
        given.read(pyrage.passphrase.encrypt(b"hello", "secret"))


@pytest.mark.parametrize(
    "plain",
    [
        Sender(Direction.JOB).send(Heartbeat()),
        b'{"kwargs": {"playbook": "site.yml"}}\n{"zipfile": 0}\n{"eof": true}\n',
        b"Welcome\n" + Sender(Direction.JOB).send(Heartbeat()) + encrypt(b"hello"),
    ],
)
def test_a_plain_stream_is_refused(given: Given, plain: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="expected an encrypted stream, got an unencrypted one"):
        given.read(plain)


def test_something_else_is_refused(given: Given) -> None:
    with pytest.raises(IncompleteStream, match=r"expected an encrypted stream, got 8 bytes of other output.*no such"):
        given.read(b"no such\n")
    with pytest.raises(RemoteProtocolError, match=r"expected an encrypted stream, got 1.* bytes of other output"):
        given.read(b"chatter\n" * 200_000)


def test_a_stream_that_is_cut_off_anywhere(given: Given) -> None:
    size = 3 * _CHUNK
    stream = encrypt(bytes(size))
    header = header_size(size, stream)
    for cut in (
        30,
        header - _NONCE - 4,
        header - 1,
        header,
        header + 1,
        header + _CHUNK + _TAG,
        header + 2 * _CHUNK,
        len(stream) - 1,
    ):
        with pytest.raises(IncompleteStream, match="the encrypted stream ended"):
            given.read(stream[:cut])


def test_a_stream_that_was_changed(given: Given) -> None:
    """What comes before that is kept."""
    size = 40 * _CHUNK
    content = os.urandom(size)
    stream = bytearray(encrypt(content))
    header = header_size(size, bytes(stream))
    stream[header + 2 * (_CHUNK + _TAG) + 100] ^= 1
    with pytest.raises(RemoteProtocolError, match="was altered in transit") as caught:
        given.read(bytes(stream))
    assert not isinstance(caught.value, IncompleteStream)
    assert given.content == content[: 2 * _CHUNK]


@pytest.mark.parametrize(
    ("find", "put"),
    [
        (b"\n--- ", b"\n--- A"),
        (b"org/v1", b"org/v9"),
        (b"-> X25519", b"-> X2551"),
    ],
)
def test_a_header_that_was_changed(given: Given, find: bytes, put: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"cannot be read|none of the keys"):
        given.read(encrypt(b"hello" * 10_000).replace(find, put, 1))


def test_what_follows_the_stream_is_an_error(given: Given) -> None:
    with pytest.raises(PlaystreamError, match="encrypted stream"):
        given.read(encrypt(b"hello") + b"bye\n")


def test_a_stage_that_stops_reading_ends_the_thread() -> None:
    """The link stays open and silent, full or not."""
    reading_end, writing_end = os.pipe()
    with decrypting(reading_end, [MINE], pytest.fail):
        os.write(writing_end, encrypt(bytes(100))[:50])
    os.close(writing_end)
    os.close(reading_end)


def test_a_stage_that_stops_in_the_middle_ends_the_thread(tmp_path: Path) -> None:
    (tmp_path / "stream").write_bytes(encrypt(bytes(5_000_000)))
    with (
        (tmp_path / "stream").open("rb", buffering=0) as file,
        decrypting(file.fileno(), [MINE], pytest.fail) as source,
    ):
        assert source.read()


def use(link: int, act: Callable[[int], object]) -> None:
    """Give `act` what leads to an encrypted file."""
    with encrypting(link, [MINE.to_public()]) as fd:
        act(fd)


@pytest.mark.parametrize("size", [5, 5_000_000])
def test_a_full_disk_is_named(size: int) -> None:
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(LinkError, match="No space left"),
    ):
        use(full.fileno(), lambda fd: write_all(fd, bytes(size)))


def test_a_file_that_takes_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reading_end, writing_end = os.pipe()
    given = []

    def fill(fd: int) -> None:
        given.append(fd)
        os.set_blocking(fd, False)
        try:
            while True:
                os.write(fd, bytes(_CHUNK))
        except BlockingIOError:
            raise SilentPeer("it has read nothing") from None

    monkeypatch.setattr(age, "_STUCK_SECONDS", 0.0)
    with pytest.raises(SilentPeer):
        use(writing_end, fill)
    os.close(reading_end)  # as the end of the process does
    for thread in threading.enumerate():
        if thread.name == "playstream-age":
            thread.join()
    for left in (writing_end, *given):
        os.close(left)


def test_what_was_written_arrives_when_the_other_side_is_the_silent_one(given: Given, tmp_path: Path) -> None:
    def fail(fd: int) -> None:
        write_all(fd, b"a last word")
        raise SilentPeer("transmit has said nothing")

    with (tmp_path / "encrypted").open("wb", buffering=0) as file, pytest.raises(SilentPeer):
        use(file.fileno(), fail)
    assert given.read((tmp_path / "encrypted").read_bytes()) == b"a last word"
