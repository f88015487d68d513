"""The host that a worker is sent to, as the programs that run there describe it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playstream.pipeline.errors import BootstrapError

_SUFFIX = re.compile(r"\.cpython-(\d{2,4}[a-z]{0,4})-", re.ASCII)
_WORD = re.compile(r"\w{1,32}\Z", re.ASCII)
_LONGEST = 4096
"""Characters of a path there, as on Linux."""
_MOST = 200
"""The largest number in a version. A tag is made for each version of the C library that fits."""
_MOST_FREE = 1 << 63
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_OLDEST_MINOR = {"x86_64": 5, "i686": 5}
_LAST_MINOR = 17
"""The oldest glibc that wheels for other machines name."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and its Python."""

    version: tuple[int, int, int]
    abi: str
    """The tag of its binary interface, such as `cp311`."""
    machine: str
    libc: tuple[str, int, int]
    """Name and version of the C library."""
    python: str
    """The path of the Python that was found."""
    base: str
    """The path of the Python that it is a virtual environment of, or its own."""
    place: str
    """The directory for everything that is sent."""
    free: int

    @property
    def name(self) -> str:
        """Python and platform, for messages."""
        libc = "{} {}.{}".format(*self.libc)
        return f"Python {'.'.join(map(str, self.version))} ({self.abi}) on {self.machine} with {libc}"

    def platforms(self) -> Iterator[str]:
        """Yield the platform tags of the wheels that fit, from the best one."""
        name, major, minor = self.libc
        yield f"linux_{self.machine}"
        if name == "musl":
            yield from (f"musllinux_{major}_{number}_{self.machine}" for number in range(minor, -1, -1))
        else:
            for number in range(minor, _OLDEST_MINOR.get(self.machine, _LAST_MINOR) - 1, -1):
                yield f"manylinux_{major}_{number}_{self.machine}"
                if (major, number) in _LEGACY:
                    yield f"{_LEGACY[major, number]}_{self.machine}"


def read_target(name: str, facts: Mapping[str, Any]) -> Target:
    """Return the host that a program has described.

    Args:
        name: the name of the link, for errors.
        facts: what it has said; the host is not trusted.

    Raises:
        BootstrapError: no worker can be sent there.
    """
    try:
        suffix, python, place = (_read_text(facts[key]) for key in ("suffix", "python", "place"))
        abi = _SUFFIX.match(suffix)
        first, second, third = map(_read_number, facts["version"])
        if abi is None or not facts["libc"][0] or len(facts["libc"]) < 3:
            raise BootstrapError(
                f"{name}: the Python there ({python}, {suffix}) is of a kind that wheels do not name. Install CPython "
                "3.11 or later there, or playstream itself"
            )
        libc, major, minor = facts["libc"]
        if facts["noexec"] or facts["readonly"]:
            how = "nothing can be written" if facts["readonly"] else "no program can be loaded"
            raise BootstrapError(
                f"{name}: {how} in {place}, because of how its file system is mounted there. Set "
                "XDG_CACHE_HOME there to another directory"
            )
        return Target(
            (first, second, third),
            f"cp{abi[1]}",
            _read_word(facts["machine"]),
            (_read_word(libc), _read_number(major), _read_number(minor)),
            python,
            _read_text(facts["base"]),
            place,
            _read_number(facts["free"], _MOST_FREE),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        raise BootstrapError(f"{name}: the program that looks around there has answered something else") from None


def _read_text(value: object) -> str:
    """Return a text that can be shown.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST:
        raise ValueError
    return value


def _read_word(value: object) -> str:
    """Return a text that can be a part of a tag.

    Raises:
        ValueError: it is something else.
    """
    text = _read_text(value)
    if not _WORD.match(text):
        raise ValueError
    return text


def _read_number(value: object, most: int = _MOST) -> int:
    """Return a number of a version, or another one.

    Raises:
        ValueError: it is something else, or too large.
    """
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError
    return value
