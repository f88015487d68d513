"""What is held of the output for one write has a bound: what was read at once may be gigabytes when it is unpacked."""

from __future__ import annotations

from playstream.interface.display import Display
from playstream.pipeline.errors import LinkError


def test_it_does_not_wait_for_the_end_of_a_flood() -> None:
    written: list[str] = []
    display = Display(written.append)
    for _ in range(4):
        display.show("x" * (1 << 19))
    assert 0 < len(written) <= 2
    display.flush()
    assert len("".join(written)) == 4 * ((1 << 19) + 1)


def test_nobody_has_to_read_it() -> None:
    tried: list[str] = []

    def gone(text: str) -> None:
        tried.append(text)
        raise LinkError("the reader has gone")

    display = Display(gone)
    for _ in range(2):
        display.show("a line")
        display.flush()
    assert tried == ["a line\n"]
