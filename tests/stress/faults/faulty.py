"""A program between a link and its worker, or below ssh, which passes bytes on with a fault.

faulty.py FAULT NOTES COMMAND…        starts the command, and passes its streams on
faulty.py FAULT NOTES tcp:HOST:PORT   connects, as a ProxyCommand of ssh

FAULT is KIND,DIRECTION,OFFSET,SEED; the direction is `up`, to the worker, or `down`. Into the directory NOTES go: `up`
and `down`, the bytes that were passed on before the fault; `up-rest` and `down-rest`, those that came after it; `met`,
if there was a fault; and `worker`, the number of the process.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.stress.faults.link import Fault, Kind
from tests.stress.faults.passage import Passage

UP, DOWN = "up", "down"
CUT_STATUS = 9
_SIZE = 1 << 16


class Way:
    """One direction, in a thread of its own.

    Args:
        source: what it reads.
        target: what it writes.
        shut: ends the target.
        notes: the directory for notes.
        name: the name of the direction.
        fault: its fault; None for none.
    """

    def __init__(
        self, source: int, target: int, shut: Callable[[], None], notes: Path, name: str, fault: Fault | None
    ) -> None:
        self._source = source
        self._target = target
        self._shut = shut
        self._notes = notes
        self._fault = fault
        self._passage = Passage(fault)
        self._passed, self._rest = (
            os.open(notes / file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for file in (name, f"{name}-rest")
        )
        self._seen = 0
        self.stalled = False
        """Whether bytes are held back, and nobody says so."""
        self.ended = threading.Event()
        """Set when nothing more comes, or is passed on."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._pass_on()
        except OSError:  # one side has gone, and the other has to learn it
            for end in (self._shut, partial(os.close, self._source)):
                with suppress(OSError):
                    end()
        finally:
            self.ended.set()

    def _pass_on(self) -> None:
        while data := os.read(self._source, _SIZE):
            room = len(data) if self._fault is None else max(0, self._fault.offset - self._seen)
            os.write(self._passed, data[:room])
            os.write(self._rest, data[room:])
            self._seen += len(data)
            self._write(self._passage.take(data))
            if self._passage.over:
                break
        self._write(self._passage.end())
        if self._passage.over and self._fault is not None:
            if self._fault.kind is Kind.CUT:
                os._exit(CUT_STATUS)
            self.stalled = self._fault.kind is Kind.STALL
        if not self.stalled:
            self._shut()
            os.close(self._source)

    def _write(self, pieces: list[bytes]) -> None:
        if self._passage.met:
            (self._notes / "met").touch()
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(self._target, view) :]
            while len(piece) == 1 and _is_unread(self._target):
                os.sched_yield()


def _is_unread(fd: int) -> bool:
    """Whether what was written to a pipe has not been read yet, or to a socket has not arrived yet."""
    size = bytearray(4)
    fcntl.ioctl(fd, termios.TIOCOUTQ if stat.S_ISSOCK(os.fstat(fd).st_mode) else termios.FIONREAD, size)
    return any(size)


def main() -> None:
    """Pass bytes on until the worker has ended."""
    spec, folder, *words = sys.argv[1:]
    kind, direction, offset, seed = spec.split(",")
    faults = {direction: Fault(Kind(kind), int(offset), int(seed))}
    notes = Path(folder)
    if words[0].startswith("tcp:"):
        _, host, port = words[0].split(":")
        sock = socket.create_connection((host, int(port)))
        process = None
        up = Way(0, sock.fileno(), lambda: sock.shutdown(socket.SHUT_WR), notes, UP, faults.get(UP))
        down = Way(os.dup(sock.fileno()), 1, lambda: os.close(1), notes, DOWN, faults.get(DOWN))
    else:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        (notes / "worker").write_text(str(process.pid))
        assert process.stdin is not None
        assert process.stdout is not None
        target, source = process.stdin.fileno(), process.stdout.fileno()
        up = Way(0, target, lambda: os.close(target), notes, UP, faults.get(UP))
        down = Way(source, 1, lambda: os.close(1), notes, DOWN, faults.get(DOWN))
    down.ended.wait()
    if process is not None:
        os._exit(process.wait() % 256)
    if down.stalled:
        up.ended.wait()
    os._exit(0)


if __name__ == "__main__":
    main()
