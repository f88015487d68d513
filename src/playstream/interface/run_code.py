"""What Ansible's return code says."""

from __future__ import annotations

import enum


class RunCode(enum.IntFlag):
    """Ansible's return code in words.

    The names and values are those of its TaskQueueManager, without `RUN_` but in
    `RUN_OK`; several may come together.

    `in` asks for one of them: `RunCode.FAILED_HOSTS in code`. `RUN_OK` is in nothing but itself, and so is what
    `UNKNOWN_ERROR` is made of: nothing is known of its hosts. As a truth value it says whether anything went wrong.

    Example:
        >>> print(RunCode.of(6))
        FAILED_HOSTS|UNREACHABLE_HOSTS
        >>> RunCode.FAILED_HOSTS in RunCode.of(6)
        True
        >>> bool(RunCode.of(0))
        False
    """

    RUN_OK = 0
    """All went well."""
    ERROR = 1
    """Ansible could not run what it was given."""
    FAILED_HOSTS = 2
    """A task failed on a host; also a command line that Ansible does not understand."""
    UNREACHABLE_HOSTS = 4
    """A host could not be reached; also a playbook that cannot be parsed."""
    FAILED_BREAK_PLAY = 8
    """So many hosts failed that the play was ended."""
    UNKNOWN_ERROR = 255
    """Ansible came to no end of its own, or nothing is known of it."""

    @classmethod
    def of(cls, rc: int | None) -> RunCode:
        """What a return code says.

        Args:
            rc: a `Runner.rc`.

        Returns:
            The flags that `rc` is made of, for 0 to 15. Two kinds of numbers mean something else: 5, which Ansible
            ends with for options that make no sense together, is ERROR; and any other number, or None, is
            UNKNOWN_ERROR: 99 and 250 (Ansible was interrupted, or has a defect), 127 (no such program), 128 + N
            (signal N ended it), 254 (canceled, or a time limit), None (nobody knows).

        Example:
            >>> RunCode.of(4) is RunCode.UNREACHABLE_HOSTS
            True
            >>> print(RunCode.of(137), RunCode.of(None))
            UNKNOWN_ERROR UNKNOWN_ERROR
        """
        if rc is None or not 0 <= rc <= _ALL_FLAGS:
            return cls.UNKNOWN_ERROR
        # As flags it would be ERROR and UNREACHABLE_HOSTS, which never come together.
        return cls.ERROR if rc == _INVALID_OPTIONS else cls(rc)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what it is made of; never empty.

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
        """Without a format the name, as with str(); Python's versions differ here."""
        return format(int(self), spec) if spec else str(self)


_ALL_FLAGS = 15
_INVALID_OPTIONS = 5
_NAMES = {1: "ERROR", 2: "FAILED_HOSTS", 4: "UNREACHABLE_HOSTS", 8: "FAILED_BREAK_PLAY"}
