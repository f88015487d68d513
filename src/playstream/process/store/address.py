"""The address of a store: its URL, parsed and checked, and shown without its password."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import category
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from playstream.pipeline.errors import ConfigurationError
from playstream.process.store.own import OWN, own_store

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_SQLITE = ("sqlite", "sqlite+pysqlite")
_EXPECTED = "expected sqlite:///FILE, the path of a file, user, or postgresql://USER:PASSWORD@HOST/DATABASE"
_SECRET_OPTIONS = ("password", "sslpassword")
"""Options of a PostgreSQL URL that contain a password."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a store."""

    shown: str
    """The address for messages, without passwords and options."""
    path: Path | None
    """The file of a SQLite store; None for a server."""
    url: URL = field(repr=False)
    """The complete URL, for SQLAlchemy."""
    own: bool = False
    """True for the user's own store, whose directory is created with it."""

    def scrub(self, text: str) -> str:
        """Remove the passwords from a text of the database."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> Iterator[str]:
        password = self.url.password
        if password:
            yield password
            yield (
                self.url.render_as_string(hide_password=False).partition("://")[2].rpartition("@")[0].partition(":")[2]
            )
        for name in _SECRET_OPTIONS:
            found = self.url.query.get(name, ())
            yield from filter(None, (found,) if isinstance(found, str) else found)


def read_address(text: str) -> Address:
    """Parse a URL, or the path of a file for a SQLite store.

    Args:
        text: such as `sqlite:///runs.db`, `runs.db` or `postgresql://me:secret@db.example.org/runs`; `user` for the
            user's own store.

    Raises:
        ConfigurationError: it is neither. The message contains no part of the URL that may have a password.
    """
    _refuse_controls(text)
    if text == OWN:
        return replace(_file(str(own_store())), own=True)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _file(text)
    if scheme in _SQLITE:
        return _sqlite(rest)
    if scheme not in _POSTGRESQL:
        shown = scheme if scheme.replace("+", "").isalnum() else "something else"
        raise ConfigurationError(f"a store cannot have a URL of the scheme {shown!r}: {_EXPECTED}")
    return _postgresql(text, rest)


def hide_password(text: str) -> str:
    """Return a store's URL without its password, such as `postgresql://me:***@db.example.org/runs`.

    Raises:
        ConfigurationError: it is not the URL of a store.
    """
    return read_address(text).shown


def _refuse_controls(text: str) -> None:
    """Reject control characters, which could end a text early or begin another line where it is passed on.

    libpq reads its parameters up to a NUL: one in the password would drop the host and port after it.
    """
    found = next((character for character in text if category(character) == "Cc"), None)
    if found is not None:
        raise ConfigurationError(
            f"the store's URL contains the control character U+{ord(found):04X}, which is not allowed: {_EXPECTED}. A "
            "file or a variable may have added a line end"
        )


def _file(text: str) -> Address:
    if not text:
        raise ConfigurationError(f"the store's URL is empty: {_EXPECTED}")
    before, at, _ = text.partition("@")
    if at and ":" in before:
        raise ConfigurationError(f"the store's URL has no scheme: {_EXPECTED}")
    return Address(f"sqlite:///{text}", Path(text), URL.create("sqlite", database=text))


def _sqlite(rest: str) -> Address:
    # The meaning of % here depends on the version of SQLAlchemy. In playstream it is an ordinary character.
    host, slash, path = rest.partition("/")
    if host or "?" in path:
        raise ConfigurationError("a SQLite store is a file on this host and takes no options: expected sqlite:///FILE")
    if not slash or not path or path == ":memory:" or path.startswith("file:"):
        raise ConfigurationError("a store in memory would be lost with this process: expected sqlite:///FILE")
    return _file(path)


def _postgresql(text: str, rest: str) -> Address:
    if rest.count("@") > 1:
        # SQLAlchemy would use a part of the password as the host, and show it.
        raise ConfigurationError("the store's URL has more than one @; write %40 for those in its password")
    # Not every part is decoded, but every parser must read each part in the same way.
    decoded = unquote(text)
    _refuse_controls(decoded)
    if any(category(character) == "Cs" for character in decoded):
        raise ConfigurationError(
            "the store's URL contains bytes that are not UTF-8; expected %XX for each byte of UTF-8"
        )
    url = _make(text).set(drivername="postgresql+psycopg")
    shown = URL.create("postgresql", url.username, url.password, url.host, url.port, url.database)
    return Address(shown.render_as_string(hide_password=True), None, url)


def _make(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # The original messages contain parts of the text.
        raise ConfigurationError(
            f"the store's URL cannot be read: {_EXPECTED}; write %3A, %2F and %40 for : / and @ in the password"
        ) from None
