"""Bytes between two ends that never block: in order, with bounded memory, and to the end of each."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from playstream.pipeline.io.channels import Flow, PipeReader, PipeWriter, SocketChannel
from playstream.pipeline.io.stdio import READ_SIZE


@pytest.fixture
def ends() -> Iterator[tuple[int, PipeReader, SocketChannel, socket.socket]]:
    """A pipe, and a pair of sockets: what flows goes from the first to the last."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    source, sink = PipeReader(reading), SocketChannel(ours)
    yield writing, source, sink, theirs
    source.close()
    sink.close()
    theirs.close()
    try:
        os.close(writing)
    except OSError:
        pass  # the test has closed it


def fill(fd: int, data: bytes) -> int:
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def drain(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_a_reader_that_takes_nothing_stops_the_writer(
    ends: tuple[int, PipeReader, SocketChannel, socket.socket],
) -> None:
    """No more is held than the buffer, the pipe and the socket; what was taken arrives in order."""
    writing, source, sink, theirs = ends
    flow = Flow(source, sink, b"first ")
    sent, data = b"first ", os.urandom(1 << 16)
    while taken := fill(writing, data):
        sent += data[:taken]
        flow.pump()
        assert len(sent) < 8 * READ_SIZE
    assert not flow.reading
    assert flow.writing
    os.close(writing)
    found = b""
    while not flow.done:
        found += drain(theirs)
        flow.pump()
    while part := drain(theirs):
        found += part
    assert found == sent
    assert flow.passed == len(sent)
    assert theirs.recv(1) == b""  # the end is passed on


def test_what_has_arrived_is_passed_on_before_the_end(
    ends: tuple[int, PipeReader, SocketChannel, socket.socket],
) -> None:
    writing, source, sink, theirs = ends
    os.write(writing, b"last words")
    os.close(writing)
    flow = Flow(source, sink)
    flow.pump()
    assert (flow.ended, flow.done) == (True, True)
    assert theirs.recv(100) == b"last words"


def test_a_reader_that_has_gone(ends: tuple[int, PipeReader, SocketChannel, socket.socket]) -> None:
    writing, source, sink, theirs = ends
    theirs.close()
    os.write(writing, b"x")
    flow = Flow(source, sink)
    assert not flow.pump()
    assert isinstance(flow.refused, OSError)
    assert not flow.writing
    assert not flow.reading


def test_a_writer_that_has_gone() -> None:
    """A connection that was reset has an error, and not an end."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        reading, writing = os.pipe()
        source, sink = SocketChannel(accepted), PipeWriter(writing)
        flow = Flow(source, sink)
        while flow.lost is None:
            flow.pump()
        assert isinstance(flow.lost, ConnectionResetError)
        source.close()
        sink.close()
        os.close(reading)


def test_the_writer_of_a_pipe_is_closed_once() -> None:
    reading, writing = os.pipe()
    writer = PipeWriter(writing)
    writer.shut()
    writer.close()
    assert writer.fd == -1
    os.close(reading)
