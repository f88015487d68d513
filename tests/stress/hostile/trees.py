"""The corpus of hostile trees, as data: how each is built in either dialect, and what every side makes of it."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field

from playstream.pipeline.errors import (
    ConfigurationError,
    LimitExceeded,
    PlaystreamError,
    RemoteProtocolError,
    UnsafePath,
)
from playstream.pipeline.protocol import FileData, Record, TreeEnd
from tests.stress.hostile.streams import Zipped, directory, file, hard_link, linked, symlink, zipped

Refusal = type[PlaystreamError]
Kept = frozenset[str]
"""Paths that the tree leaves in its target; nothing is refused."""

UP = tuple(b"../" * depth + b"guarded/secret" for depth in range(1, 7))
"""From the root of a tree to what is guarded, whichever stage unpacks it and wherever it does."""
_DEEP = [b"/".join([b"d"] * depth) for depth in range(1, 258)]


@dataclass(frozen=True)
class Tree:
    """One hostile tree."""

    native: Sequence[Record]
    """Below the root."""
    expected: Refusal | Kept
    """On every side, but for those of `differs`."""
    zipped: Sequence[Zipped] = ()
    """The same tree as an archive; empty where an archive cannot say it."""
    differs: dict[str, Refusal | Kept] = field(default_factory=dict)
    """Side, or side and dialect, to what is expected there."""

    def expect(self, side: str, dialect: str) -> Refusal | Kept:
        """What is expected on one side in one dialect."""
        for key in (f"{side}, {dialect}", side, dialect):
            if key in self.differs:
                return self.differs[key]
        return self.expected


def _kept(*paths: str) -> Kept:
    return frozenset(paths)


def _bzip2(name: str) -> Zipped:
    info = zipped(name)[0]
    info.compress_type = zipfile.ZIP_BZIP2
    return info, b"x"


TREES: dict[str, Tree] = {
    **{f"up {number}": Tree([file(path)], UnsafePath, [zipped(path.decode())]) for number, path in enumerate(UP, 1)},
    "absolute": Tree([file(b"/nowhere/x")], UnsafePath, [zipped("/tmp/x")]),
    "up in the middle": Tree(
        [directory(b"d"), file(b"d/../../guarded/secret")], UnsafePath, [zipped("d/../../guarded/secret")]
    ),
    "up as a directory": Tree([directory(b"..")], UnsafePath, [zipped("../", b"", 0o755, stat.S_IFDIR)]),
    "dot": Tree([directory(b".")], UnsafePath, [zipped("d/./x")]),
    "empty component": Tree([directory(b"d"), file(b"d//x")], UnsafePath, [zipped("d//x")]),
    "NUL in a name": Tree([file(b"a\0b")], UnsafePath),
    "a line end in a name": Tree([file(b"a\nb")], _kept("a\nb"), [zipped("a\nb")]),
    "orders to a terminal in a name": Tree(
        [file(b"a\x1b[2J\x9b")],
        _kept("a\x1b[2J\udc9b"),
        [zipped("a\x1b[2J\x9b")],
        differs={"runner": _kept("a\x1b[2J\x9b")},
    ),
    "a name that is not UTF-8": Tree([file(b"\xff\xfe")], _kept("\udcff\udcfe")),
    "a name of 256 bytes": Tree([file(b"n" * 256)], UnsafePath, [zipped("n" * 256)]),
    "a path of 4,097 bytes": Tree([file(b"n/" * 2048 + b"x")], UnsafePath, [zipped("n/" * 2048 + "x")]),
    "4,096 deep": Tree([file(b"d/" * 4095 + b"x")], UnsafePath, [zipped("d/" * 4095 + "x")]),
    "256 deep, one by one": Tree(
        [directory(path) for path in _DEEP], UnsafePath, [zipped("d/" * 256, b"", 0o755, stat.S_IFDIR)]
    ),
    "a symlink to an absolute path": Tree(
        [symlink(b"l", b"/etc/passwd")],
        UnsafePath,
        [linked("l", "/etc/passwd")],
        differs={"worker": _kept("l"), "worker in a directory": _kept("l")},
    ),
    **{
        f"a symlink up {number}": Tree(
            [symlink(b"l", path)],
            UnsafePath,
            [linked("l", path.decode())],
            differs={"worker": _kept("l"), "worker in a directory": _kept("l")},
        )
        for number, path in enumerate(UP, 1)
    },
    **{
        f"through a symlink up {number}": Tree(
            [symlink(b"l", path.removesuffix(b"/secret")), file(b"l/secret", 1), FileData(b"x")],
            RemoteProtocolError,
            [linked("l", path.decode().removesuffix("/secret")), zipped("l/secret")],
            differs={
                "process": UnsafePath,
                "worker, runner": RemoteProtocolError,
                "worker in a directory, runner": UnsafePath,
            },
        )
        for number, path in enumerate(UP, 1)
    },
    **{
        f"onto a symlink up {number}": Tree(
            [symlink(b"l", path), file(b"l", 1), FileData(b"x")],
            RemoteProtocolError,
            [linked("l", path.decode()), zipped("l")],
            differs={"process": UnsafePath, "worker in a directory": _kept("l")},
        )
        for number, path in enumerate(UP, 1)
    },
    "through a symlink that stays": Tree(
        [directory(b"d"), symlink(b"l", b"d"), file(b"l/x")],
        RemoteProtocolError,
        [linked("l", "d"), zipped("l/x")],
        differs={"worker in a directory, runner": UnsafePath},
    ),
    "a symlink that leaves by another": Tree(
        [directory(b"d"), symlink(b"d/up", b".."), symlink(b"l", b"d/up/../../guarded")],
        UnsafePath,
        [linked("d/up", ".."), linked("l", "d/up/../../guarded")],
        differs={"worker": _kept("d", "d/up", "l"), "worker in a directory": _kept("d", "d/up", "l")},
    ),
    "a symlink without a target": Tree([symlink(b"l", b"")], UnsafePath, [linked("l", "")]),
    "NUL in a symlink's target": Tree([symlink(b"l", b"a\0b")], UnsafePath, [linked("l", "a\0b")]),
    "a directory's parent replaced by a symlink": Tree(
        [directory(b"d"), directory(b"d/e"), symlink(b"d", b"../guarded"), file(b"d/e/secret")],
        RemoteProtocolError,
        differs={"worker in a directory": UnsafePath, "process": UnsafePath},
    ),
    "a directory in place of a file": Tree(
        [file(b"a"), directory(b"a")],
        RemoteProtocolError,
        [zipped("a"), zipped("a/b")],
        differs={"worker in a directory": UnsafePath},
    ),
    "a file as a directory": Tree([file(b"f"), file(b"f/x")], RemoteProtocolError),
    "a file twice": Tree(
        [file(b"f"), file(b"f")],
        RemoteProtocolError,
        [zipped("f"), zipped("f")],
        differs={"worker in a directory": _kept("f")},
    ),
    "a directory that was left": Tree([directory(b"d"), directory(b"e"), file(b"d/f")], RemoteProtocolError),
    "a hard link to a file that never came": Tree([hard_link(b"h", 7)], RemoteProtocolError),
    "a hard link out": Tree([file(b"f", link=1), hard_link(b"../guarded/new", 1)], UnsafePath),
    "a hard link to a symlink": Tree(
        [file(b"f", link=1), symlink(b"f", b"../guarded/secret"), hard_link(b"h", 1)],
        RemoteProtocolError,
        differs={"process": UnsafePath},
    ),
    "setuid": Tree([file(b"s", mode=0o6755)], _kept("s"), [zipped("s", b"", 0o6755)]),
    "a directory nobody may enter": Tree(
        [directory(b"d", 0), file(b"d/x")], _kept("d", "d/x"), [zipped("d/", b"", 0, stat.S_IFDIR), zipped("d/x")]
    ),
    "a character device": Tree([], RemoteProtocolError, [zipped("c", b"", 0o600, stat.S_IFCHR)]),
    "a block device": Tree([], RemoteProtocolError, [zipped("b", b"", 0o600, stat.S_IFBLK)]),
    "a FIFO": Tree([], RemoteProtocolError, [zipped("p", b"", 0o600, stat.S_IFIFO)]),
    "a socket": Tree([], RemoteProtocolError, [zipped("s", b"", 0o600, stat.S_IFSOCK)]),
    "names that differ in case": Tree([file(b"A"), file(b"a")], _kept("A", "a"), [zipped("A"), zipped("a")]),
    "names that differ in Unicode form": Tree(
        [file("é".encode()), file("e\u0301".encode())], _kept("é", "e\u0301"), [zipped("é"), zipped("e\u0301")]
    ),
    "more data than its size": Tree([file(b"f", 1), FileData(b"xy"), TreeEnd(2, 1)], RemoteProtocolError),
    "less data than its size": Tree([file(b"f", 3), FileData(b"xy"), file(b"g")], RemoteProtocolError),
    "data of no file": Tree([FileData(b"x"), TreeEnd(1, 0)], RemoteProtocolError),
    "a wrong number of entries": Tree([file(b"f"), TreeEnd(7, 0)], RemoteProtocolError),
    "a wrong size in all": Tree([TreeEnd(1, 1 << 62)], RemoteProtocolError),
    "a size that no disk has": Tree([file(b"f", (1 << 64) - 1), TreeEnd(2, 0)], LimitExceeded),
    "packed otherwise": Tree([], RemoteProtocolError, [_bzip2("f")]),
    "env/settings is a directory": Tree(
        [],
        ConfigurationError,
        [zipped("env/settings/x")],
        differs={"process": _kept("env", "env/settings", "env/settings/x")},
    ),
    "a fact cache elsewhere": Tree(
        [],
        ConfigurationError,
        [zipped("env/settings", b"fact_cache: ../../../guarded\n")],
        differs={"process": _kept("env", "env/settings")},
    ),
    "settings of 3,000 levels": Tree(
        [],
        ConfigurationError,
        [zipped("env/settings", b"{a: " * 3000 + b"1" + b"}" * 3000)],
        differs={"process": _kept("env", "env/settings")},
    ),
    "a fact cache that is a symlink": Tree(
        [symlink(b"fact_cache", b".")],
        _kept("fact_cache"),
        [linked("fact_cache", ".")],
        differs={"process": RemoteProtocolError},
    ),
    "facts for a host whose name leads out": Tree(
        [directory(b"fact_cache"), file(b"fact_cache/s1_..", 23), FileData(b'{"__payload__": "{}"}  ')],
        _kept("fact_cache", "fact_cache/s1_.."),
        [zipped("fact_cache/s1_..", b'{"__payload__": "{}"}')],
    ),
}
