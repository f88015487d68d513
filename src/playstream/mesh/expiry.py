"""When certificates expire, for messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from playstream.mesh.authority import expiry_of, start_of
from playstream.pipeline.errors import counted

SOON_DAYS: Final = 30
"""How many days before a certificate expires its operator is told."""
_AUTHORITY_DAYS = 180
_DAY = 86_400.0


def explain_dates(certificate: str, now: float) -> str | None:
    """Return why a certificate is not valid at a time; None if it is, or nothing is known.

    Args:
        certificate: the certificate of an identity, in PEM format.
        now: the time, in seconds since the epoch.
    """
    try:
        start, end = start_of(certificate), expiry_of(certificate)
    except ValueError:
        return None
    if now > end.timestamp():
        return (
            f"its certificate has expired on {_date(end.timestamp())}. Make a new one with playstream mesh renew, and "
            "copy the file of the identity again"
        )
    if now < start.timestamp():
        return (
            f"its certificate is valid from {_date(start.timestamp())} on, and by the clock of this host it is "
            f"{_date(now)}: set the clock"
        )
    return None


def days_left(expiry: float, now: float) -> int:
    """Return in how many whole days a certificate expires; negative if it has."""
    return int((expiry - now) // _DAY)


def explain_expiries(expiries: Mapping[str, float], ca: str, now: float) -> list[str]:
    """Return what to do about certificates that expire soon.

    Args:
        expiries: when they expire, in seconds since the epoch, by the names that `mesh renew` takes.
        ca: the certificate of the CA, in PEM format.
        now: the time.
    """
    advice = []
    late = sorted((expiry, name) for name, expiry in expiries.items() if days_left(expiry, now) < SOON_DAYS)
    if late:
        listed = ", ".join(f"{name} {_when(expiry, now)}" for expiry, name in late)
        names = " ".join(name for _expiry, name in late)
        advice.append(
            f"certificates expire: {listed}. Make new ones in the directory of the mesh: playstream mesh renew {names}"
        )
    expiry = expiry_of(ca).timestamp()
    if days_left(expiry, now) < _AUTHORITY_DAYS:
        advice.append(
            f"the CA of the mesh expires {_when(expiry, now)}, and nothing works after that: make a new mesh with "
            "playstream mesh init, and move nodes and submitters to it"
        )
    return advice


def explain_server(expiry: float | None, now: float, url: str) -> list[str]:
    """Return what to do about the certificate that a server uses, after a new one was made.

    Args:
        expiry: when it expires; None if that is not known.
        now: the time.
        url: the server.
    """
    if expiry is None or days_left(expiry, now) >= SOON_DAYS:
        return []
    advice = (
        f"the server {url} uses a certificate that expires {_when(expiry, now)}: copy the newest one and its key there "
        "from the directory of the mesh, and send SIGHUP to nats-server"
    )
    return [advice]


def _when(expiry: float, now: float) -> str:
    days = days_left(expiry, now)
    when = "has expired" if days < 0 else "today" if days == 0 else f"in {counted(days, 'day')}"
    return f"{when} ({_date(expiry)})"


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
