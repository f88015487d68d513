"""Points in time as people write them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.process.store import parse_since

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        (" 2w ", timedelta(days=14)),
        ("0s", timedelta()),
    ],
)
def test_how_long_ago(text: str, ago: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - ago


def test_without_now_it_is_the_clock() -> None:
    before = datetime.now(UTC)
    assert timedelta() <= parse_since("1h") - (before - timedelta(hours=1)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-01T08:30:00+01:00", "2026-11-01T07:30:00+00:00"),
        ("2026-11-01T08:30Z", "2026-11-01T08:30:00+00:00"),
        ("2026-11-01 08:30:15.250000z", "2026-11-01T08:30:15.250000+00:00"),
    ],
)
def test_dates_with_a_zone(text: str, time: str) -> None:
    assert parse_since(text).isoformat() == time


def test_without_a_zone_it_is_the_host_s() -> None:
    words = "from playstream.process.store import parse_since as p; print(p('2026-11-01').isoformat())"
    done = subprocess.run(
        [sys.executable, "-c", words],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2026-10-31T15:00:00+00:00"


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-7d", "7.5d", "7 days", "yesterday", "2026-13-01", "999999999w", "0001-01-01T00:00+23:00"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a valid time"):
        parse_since(text, NOW)
