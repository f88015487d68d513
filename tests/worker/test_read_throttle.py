"""When output is left to gather: when little comes, and never while a terminal is flooded."""

from __future__ import annotations

from playstream.worker.read_throttle import ReadThrottle

CAPACITY = 1 << 16


def rests(*rounds: tuple[int, int]) -> bool:
    """Whether output rests after rounds of so many bytes of text and of events."""
    pace = ReadThrottle(CAPACITY)
    began = pace.rest_until
    for text, events in rounds:
        pace.note(text, text=True)
        pace.note(events, text=False)
        pace.end_round(may_rest=True)
    return pace.rest_until > began


def test_little_output_gathers() -> None:
    assert rests((0, 700))
    assert rests((100, 700))
    assert rests((0, 15_000))
    assert rests((4094, 0))  # the terminal is empty now
    assert rests((0, 60_000), (100, 700))


def test_nothing_and_much_do_not() -> None:
    assert not rests((0, 0))
    assert not rests((0, CAPACITY // 4))


def test_a_terminal_that_handed_over_all_it_can_has_more() -> None:
    assert not rests((4095, 0))


def test_a_flood_of_text_goes_on_through_short_reads() -> None:
    assert not rests(*[(4095, 0)] * 5, (100, 0))


def test_output_before_the_plugin_is_there_does_not() -> None:
    pace = ReadThrottle(CAPACITY)
    pace.note(100, text=True)
    pace.end_round(may_rest=False)
    assert not pace.resting
