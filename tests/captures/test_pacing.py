"""When the records of a run are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.captures.pacing import Pace, check_speed, read_start
from playstream.pipeline.errors import ConfigurationError
from playstream.process.event_data import moment_of

MOMENTS = st.lists(st.floats(0, 10_000), min_size=1, max_size=20).map(sorted)
SPEEDS = st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0])


def play(pace: Pace, moments: list[float], now: float) -> float:
    """Wait for each moment; return when the last one was due."""
    for moment in moments:
        left = pace.left(moment, now)
        assert left is not None
        now += left
        assert pace.left(moment, now) == pytest.approx(0, abs=1e-6)
    return now


@given(MOMENTS, SPEEDS, st.floats(0, 1e6))
def test_a_run_takes_its_time_by_the_speed(moments: list[float], speed: float, now: float) -> None:
    end = play(Pace(speed), moments, now)
    assert end - now == pytest.approx((moments[-1] - moments[0]) / speed, abs=1e-3)


@given(MOMENTS, st.floats(0, 1e6))
def test_max_waits_for_nothing(moments: list[float], now: float) -> None:
    assert play(Pace(None), moments, now) == now


@given(MOMENTS, MOMENTS, SPEEDS, st.floats(0, 1000))
def test_a_pause_takes_nothing_from_the_run(
    first: list[float], second: list[float], speed: float, pause: float
) -> None:
    later = [moment + first[-1] for moment in second]
    pace = Pace(speed)
    now = play(pace, first, 0)
    pace.toggle_pause(now)
    assert pace.paused
    assert pace.left(later[0], now) is None
    pace.toggle_pause(now + pause)
    end = play(pace, later, now + pause)
    assert end == pytest.approx((later[-1] - first[0]) / speed + pause, abs=1e-3)


@given(SPEEDS, st.sampled_from([2.0, 0.5]), st.floats(1, 1000), st.floats(1, 1000))
def test_a_new_speed_counts_from_now_on(speed: float, factor: float, before: float, after: float) -> None:
    pace = Pace(speed)
    now = play(pace, [0, before], 0)
    pace.change(factor, now)
    end = play(pace, [before + after], now)
    assert end - now == pytest.approx(after / (speed * factor), rel=1e-6)


def test_a_speed_has_limits() -> None:
    pace = Pace(1.0)
    for _ in range(30):
        pace.change(2.0, 0)
    assert pace.speed == 1024
    for _ in range(30):
        pace.change(0.5, 0)
    assert pace.speed == 1 / 64


def test_a_new_speed_after_max_is_that_of_the_run() -> None:
    pace = Pace(None)
    play(pace, [0, 100], 5)
    pace.change(2.0, 5)
    assert pace.speed == 1
    assert pace.left(103, 5) == 3


def test_after_a_jump_the_next_moment_is_due_at_once() -> None:
    pace = Pace(1.0)
    play(pace, [0], 0)
    pace.restart()
    assert pace.left(500, 1) == 0
    assert pace.left(502, 1) == 2


@pytest.mark.parametrize(("given", "expected"), [(2, 2.0), ("0.5", 0.5), ("max", None)])
def test_speeds(given: float | str, expected: float | None) -> None:
    assert check_speed(given) == expected


@pytest.mark.parametrize("given", [0, -1, "fast", "", "nan", "inf"])
def test_what_is_no_speed(given: float | str) -> None:
    with pytest.raises(ConfigurationError, match="--speed: expected a number above 0"):
        check_speed(given, "--speed")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1:30", 90), ("1:00:00", 3600), ("0.5", 0.5), ("2:01:00.25", 7260.25)]
)
def test_a_time_since_the_beginning(text: str, seconds: float) -> None:
    assert read_start(text, "--from") == timedelta(seconds=seconds)


def test_a_date_and_a_time() -> None:
    assert read_start("2026-11-01T08:30:00+00:00", "--from") == datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
    here = read_start("2026-11-01T08:30", "--from")
    assert isinstance(here, datetime)
    assert here.tzinfo is not None


@given(st.text(max_size=12))
def test_any_start(text: str) -> None:
    try:
        found = read_start(text, "--from")
    except ConfigurationError as error:
        assert "--from: expected a time" in str(error)
    else:
        assert isinstance(found, (timedelta, datetime))


@given(st.none() | st.integers() | st.text() | st.datetimes().map(str) | st.datetimes(timezones=st.just(UTC)).map(str))
def test_any_moment(text: object) -> None:
    found = moment_of(text)
    assert found is None or isinstance(found, float)
