"""One direction of a link with a fault, for bytes that come as they come."""

from __future__ import annotations

import random

from tests.stress.faults.link import Fault, Kind

_NEAR = 64
"""How many bytes before or after the offset a fault may touch."""
_ENDS = {Kind.CUT, Kind.ONE_WAY, Kind.STALL}
"""After these nothing more is passed on."""


class Passage:
    """Passes bytes on until the fault, and after it what the fault leaves of them.

    Args:
        fault: the fault; None for none.
    """

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._chance = None if fault is None else random.Random(f"{fault.kind.value} {fault.offset} {fault.seed}")
        self._before = b""
        """The last bytes before the offset."""
        self._held = b""
        """Bytes after the offset whose order changes when enough of them have come."""
        self._seen = 0
        self._begun = False
        """Whether the offset has come."""
        self.met = False
        """Whether the fault has held or changed anything, or ended the direction."""

    @property
    def over(self) -> bool:
        """Whether nothing more is passed on."""
        return self.met and self._fault is not None and self._fault.kind in _ENDS

    def take(self, data: bytes) -> list[bytes]:
        """Return what is passed on of some bytes, in the pieces in which it is to be written."""
        fault = self._fault
        start, self._seen = self._seen, self._seen + len(data)
        if fault is None or self._chance is None or self.over:
            return [data] if fault is None else []
        if self._seen < fault.offset or (self._seen == fault.offset and fault.kind not in _ENDS):
            self._before = (self._before + data)[-_NEAR:]
            return [data]
        place = max(0, fault.offset - start)
        before, after = data[:place], data[place:]
        self._before = (self._before + before)[-_NEAR:]
        return [piece for piece in (before, *self._fail(fault, self._chance, after, start + place)) if piece]

    def end(self) -> list[bytes]:
        """Return what is still held at the end of the bytes."""
        fault = self._fault
        if fault is not None and self._chance is not None and not self._begun and self._seen == fault.offset:
            return self._fail(fault, self._chance, b"", self._seen) if fault.kind is Kind.DUPLICATE else []
        return self._swap() if self._held else []

    def _fail(self, fault: Fault, chance: random.Random, after: bytes, place: int) -> list[bytes]:
        """Return what is passed on of bytes after the offset, of which the first is at `place`."""
        first, self._begun = not self._begun, True
        self.met = self.met or fault.kind in {*_ENDS, Kind.CORRUPT, Kind.DRIBBLE}
        if fault.kind in _ENDS:
            return []
        if fault.kind is Kind.DRIBBLE:
            left = max(0, fault.offset + _NEAR - place)
            return [*(after[at : at + 1] for at in range(min(left, len(after)))), after[left:]]
        if fault.kind is Kind.REORDER:
            if first:
                self._middle = chance.randint(1, _NEAR)
                self._end = self._middle + chance.randint(1, _NEAR)
            elif not self._held:
                return [after]
            self._held += after
            self.met = True  # a peer may wait for what is held, and send nothing more
            return self._swap() if len(self._held) >= self._end else []
        if not first:
            return [after]
        if fault.kind is Kind.CORRUPT:
            return [bytes([after[0] ^ 1 << chance.randrange(8)]) + after[1:]]
        self.met = bool(self._before)
        return [self._before[-chance.randint(1, _NEAR) :], after]  # duplicate

    def _swap(self) -> list[bytes]:
        held, self._held = self._held, b""
        swapped = held[self._middle : self._end] + held[: self._middle] + held[self._end :]
        return [swapped]
