"""Wheels as items to send: their files and launchers, checked against the digests that each wheel has of its own."""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from playstream.links.bootstrap.parcel import LIBRARY, Item, is_safe, make_item, make_link
from playstream.links.bootstrap.target import Target
from playstream.links.bootstrap.wheel_file import WheelFile

_ENVIRONMENT = "venv"
_LONGEST_FIRST_LINE = 127
"""Bytes of a script's first line that every Linux reads."""
_LAUNCHER = """\
import sys
from {module} import {function}
sys.exit({function}())
"""
_NAME = re.compile(r"[A-Za-z_][\w.]*\Z", re.ASCII)
_PROGRAM = re.compile(r"[\w.-]+\Z", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,12}\Z")
_ALGORITHMS = {"sha256", "sha384", "sha512"}


def library_items(wheels: list[Path], opened: ExitStack) -> Iterator[Item]:
    """Yield the files of wheels that the worker itself needs.

    Args:
        wheels: the wheels.
        opened: closes them, when the items are not needed any more.

    Raises:
        BootstrapError: a wheel is damaged.
    """
    for path in wheels:
        yield from _Wheel(path, opened).items(LIBRARY, None)


def environment_items(wheels: list[Path], opened: ExitStack, target: Target, place: str) -> Iterator[Item]:
    """Yield a virtual environment with wheels.

    Args:
        wheels: the wheels.
        opened: closes them, as above.
        target: the host.
        place: the directory there that it will be in.

    Raises:
        BootstrapError: a wheel is damaged.
    """
    version = ".".join(map(str, target.version))
    short = ".".join(map(str, target.version[:2]))
    home = target.base.rpartition("/")[0]
    about = f"home = {home}\ninclude-system-site-packages = false\nversion = {version}\nexecutable = {target.base}\n"
    yield make_item(f"{_ENVIRONMENT}/pyvenv.cfg", about.encode())
    yield make_link(f"{_ENVIRONMENT}/bin/python3", target.base)
    for name in ("python", f"python{short}"):
        yield make_link(f"{_ENVIRONMENT}/bin/{name}", "python3")
    interpreter = f"{place}/{_ENVIRONMENT}/bin/python3"
    for path in wheels:
        yield from _Wheel(path, opened).items(f"{_ENVIRONMENT}/lib/python{short}/site-packages", interpreter)


class _EntryPoints(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        """Return the name unchanged; the base class makes it lower case."""
        return optionstr


class _Wheel:
    """One wheel.

    Raises:
        BootstrapError: it is not a wheel.
    """

    def __init__(self, path: Path, opened: ExitStack) -> None:
        self._file = WheelFile(path, opened)
        records = [name for name in self._file.names if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)]
        if len(records) != 1:
            raise self._file.damaged(f"it has {len(records)} files *.dist-info/RECORD instead of one")
        self._record = records[0]
        self._info = self._record.rpartition("/")[0]
        try:
            self._rows = list(csv.reader(io.StringIO(self._file.read(self._record).decode())))
        except (ValueError, csv.Error) as error:
            raise self._file.damaged(f"its RECORD cannot be read: {error}") from None

    def items(self, root: str, interpreter: str | None) -> Iterator[Item]:
        """Yield what is installed from it.

        Args:
            root: the directory for its packages.
            interpreter: the path of the Python for its programs; None for no programs.
        """
        listed = set()
        for row in self._rows:
            if len(row) < 2:
                continue
            listed.add(row[0])
            if not is_safe(row[0]):
                raise self._file.damaged(f"it has the path {row[0]!r}")
            place = self._place(row[0], root)
            if place is not None:
                yield self._item(row, place)
            elif interpreter is not None and f"{self._data}/scripts/" in row[0]:
                yield self._script(row[0], interpreter)
        unlisted = [name for name in self._file.names if name not in listed and not name.endswith("/")]
        if unlisted:
            raise self._file.damaged(f"its RECORD does not list {unlisted[0]!r}")
        if interpreter is not None:
            yield from self._launchers(interpreter)

    @property
    def _data(self) -> str:
        return f"{self._info.removesuffix('.dist-info')}.data"

    def _place(self, name: str, root: str) -> str | None:
        """Return where a file of the wheel goes; None if it is not a file of a package."""
        if not name.startswith(f"{self._data}/"):
            return f"{root}/{name}"
        for kind in ("purelib", "platlib"):
            if name.startswith(start := f"{self._data}/{kind}/"):
                return f"{root}/{name.removeprefix(start)}"
        return None

    def _item(self, row: list[str], place: str) -> Item:
        name = row[0]
        algorithm, _, value = row[1].partition("=")
        if algorithm == "sha256" and len(row) > 2 and row[2]:
            digest, size = self._recorded(name, value, row[2])
            return Item(place, "file", size, digest, lambda: self._read(name, algorithm, value, size))
        return make_item(place, self._read(name, algorithm, value))

    def _recorded(self, name: str, value: str, size: str) -> tuple[str, int]:
        """Return the digest and the size that the RECORD names."""
        try:
            digest = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha256().digest_size or not _SIZE.match(size):
            raise self._file.damaged(f"its RECORD has no valid digest or size of {name!r}")
        return digest.hex(), int(size)

    def _read(self, name: str, algorithm: str = "", value: str = "", size: int | None = None) -> bytes:
        """Return the content of a file, checked."""
        content = self._file.read(name, size)
        if not value:
            if name != self._record and not name.startswith(f"{self._info}/RECORD."):
                raise self._file.damaged(f"its RECORD has no digest of {name!r}")
        elif algorithm not in _ALGORITHMS or _encoded(hashlib.new(algorithm, content).digest()) != value.rstrip("="):
            raise self._file.damaged(f"{name!r} does not have the digest that its RECORD names")
        return content

    def _script(self, name: str, interpreter: str) -> Item:
        algorithm, _, value = next(row[1] for row in self._rows if row[0] == name).partition("=")
        content = self._read(name, algorithm, value)
        if content.startswith(b"#!python"):
            content = _first_line(interpreter) + content.partition(b"\n")[2]
        return make_item(f"{_ENVIRONMENT}/bin/{name.rpartition('/')[2]}", content, "program")

    def _launchers(self, interpreter: str) -> Iterator[Item]:
        """Yield a program for each entry point of the wheel."""
        name = f"{self._info}/entry_points.txt"
        if name not in self._file.names:
            return
        points = _EntryPoints(delimiters=("=",), interpolation=None)
        try:
            points.read_string(self._file.read(name).decode())
        except (configparser.Error, ValueError) as error:
            raise self._file.damaged(f"its entry points cannot be read: {error}") from None
        for program, point in points.items("console_scripts") if points.has_section("console_scripts") else ():
            module, _, function = point.partition("[")[0].strip().partition(":")
            if not (_PROGRAM.match(program) and _NAME.match(module) and _NAME.match(function)) or "." in function:
                raise self._file.damaged(f"its entry point {program!r} is not valid")
            text = _LAUNCHER.format(module=module, function=function)
            yield make_item(f"{_ENVIRONMENT}/bin/{program}", _first_line(interpreter) + text.encode(), "program")


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _first_line(interpreter: str) -> bytes:
    """Return the beginning of a script, as pip writes it: a long path, or one with spaces, needs the shell."""
    line = f"#!{interpreter}\n".encode()
    if len(line) <= _LONGEST_FIRST_LINE and " " not in interpreter:
        return line
    return f"#!/bin/sh\n'''exec' \"{interpreter}\" \"$0\" \"$@\"\n' '''\n".encode()
