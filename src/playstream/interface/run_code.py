"""The meaning of Ansible's return code."""

from __future__ import annotations

import enum


class RunCode(enum.IntFlag):
    """Ansible's return code as flags.

    The names and values are those of its TaskQueueManager, without the prefix `RUN_` except in `RUN_OK`. Flags can be
    combined.

    Use `in` to test for a flag: `RunCode.FAILED_HOSTS in code`. `RUN_OK` and `UNKNOWN_ERROR` only contain themselves,
    because nothing is known about the hosts of an unknown error. A code is true if anything went wrong.

    Example:
        >>> print(RunCode.of(6))
        FAILED_HOSTS|UNREACHABLE_HOSTS
        >>> RunCode.FAILED_HOSTS in RunCode.of(6)
        True
        >>> bool(RunCode.of(0))
        False
    """

    RUN_OK = 0
    """Success."""
    ERROR = 1
    """Ansible could not run the job."""
    FAILED_HOSTS = 2
    """A task failed on a host; also an invalid command line."""
    UNREACHABLE_HOSTS = 4
    """A host could not be reached; also a playbook that cannot be parsed."""
    FAILED_BREAK_PLAY = 8
    """The play was stopped because too many hosts failed."""
    UNKNOWN_ERROR = 255
    """Ansible did not end normally, or the result is unknown."""

    @classmethod
    def of(cls, rc: int | None) -> RunCode:
        """Return the meaning of a return code.

        Args:
            rc: a `Runner.rc`.

        Returns:
            The flags in `rc`, for 0 to 15, with one exception: 5 is ERROR, because Ansible uses it for an invalid
            combination of options. Any other number, and None, is UNKNOWN_ERROR: 99 and 250 (Ansible was interrupted,
            or failed unexpectedly), 127 (no such program), 128 + N (killed by signal N), 254 (canceled or timed out),
            None (unknown).

        Example:
            >>> RunCode.of(4) is RunCode.UNREACHABLE_HOSTS
            True
            >>> print(RunCode.of(137), RunCode.of(None))
            UNKNOWN_ERROR UNKNOWN_ERROR
        """
        if rc is None or not 0 <= rc <= _ALL_FLAGS:
            return cls.UNKNOWN_ERROR
        # As flags it would be ERROR and UNREACHABLE_HOSTS, which are never combined.
        return cls.ERROR if rc == _INVALID_OPTIONS else cls(rc)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its flags; never empty.

        Example:
            >>> RunCode.of(6).names
            ('FAILED_HOSTS', 'UNREACHABLE_HOSTS')
        """
        if not 0 < self.value <= _ALL_FLAGS:
            return ("UNKNOWN_ERROR" if self.value else "RUN_OK",)
        return tuple(name for flag, name in _NAMES.items() if self.value & flag)

    def __contains__(self, other: object) -> bool:
        if not isinstance(other, RunCode):
            return False
        if not self or not other or RunCode.UNKNOWN_ERROR in (self.value, other.value):
            return self.value == other.value
        return not int(other) & ~int(self)

    def __str__(self) -> str:
        return "|".join(self.names)

    def __format__(self, spec: str) -> str:
        """Format as the name by default, like str(); Python versions differ here."""
        return format(int(self), spec) if spec else str(self)


_ALL_FLAGS = 15
_INVALID_OPTIONS = 5
_NAMES = {1: "ERROR", 2: "FAILED_HOSTS", 4: "UNREACHABLE_HOSTS", 8: "FAILED_BREAK_PLAY"}
