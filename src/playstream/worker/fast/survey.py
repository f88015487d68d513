"""What the survey program found out, checked: it runs where the job runs, whose answer is not trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playstream.pipeline.errors import shorten
from playstream.worker.fast.answers import Login, read_login

FORM = 1
"""The version of the report that is understood."""
MAX_BYTES = 1 << 20
"""Maximum size of a report, which has a few kilobytes."""
_MAX_TEXT = 4096
_MAX_VALUES = 100
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?")

Version = tuple[int, int, int]


class SurveyError(Exception):
    """The answer of the survey program cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of Ansible."""

    value: str | int | bool | tuple[str, ...] | None = None
    origin: str | None = None
    """Where the user has made it; None for Ansible's default."""


Found = Mapping[str, str]
"""Values, and for each a place where it was found."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a job is about to do, where it runs."""

    core: str
    """The version of ansible-core."""
    mitogen: str | None = None
    """The version of mitogen that Ansible can import; None if it can import none."""
    strategies: str | None = None
    """The directory of mitogen's strategies."""
    processors: int = 1
    memory: int | None = None
    """Free memory in bytes; None if it is not known."""
    resident: int | None = None
    """The memory of a process that has read what Ansible will read, in bytes; None if it is not known."""
    idle: bool = False
    """Whether nothing will be run, as with --list-hosts."""
    hosts: int | None = None
    """The number of hosts that the plays run on; None if it is not known."""
    trouble: str | None = None
    """Why the inventory or the playbook could not be read; None if it was."""
    default_plays: int = 0
    """The number of plays that do not choose their strategy."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    connections: Found = field(default_factory=dict)
    become_methods: Found = field(default_factory=dict)
    become_flags: Found = field(default_factory=dict)
    shells: Found = field(default_factory=dict)
    actions: Found = field(default_factory=dict)
    timeouts: Found = field(default_factory=dict)
    """Time limits of tasks, in seconds."""
    strategies_chosen: Found = field(default_factory=dict)
    """Strategies that plays choose themselves."""
    host_keys: Found = field(default_factory=dict)
    logins: tuple[tuple[str, Login], ...] = ()
    """Hosts over ssh on which a task may become another user: the name in the inventory, and how ssh is given it."""
    unknown: Found = field(default_factory=dict)
    """What is only known while the job runs."""

    def setting(self, name: str) -> Setting:
        """Return a setting; an unknown one has no value."""
        return self.settings.get(name, Setting())


def parse_version(text: str) -> Version | None:
    """Return the numbers of a version, such as 2.19.14 or 2.22.0rc1; None if it has none."""
    match = _VERSION.match(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))


def read_survey(data: bytes) -> Survey:
    """Check the answer of the survey program.

    Raises:
        SurveyError: it is not a report, or one of another version.
    """
    if len(data) > MAX_BYTES:
        raise SurveyError(f"expected at most {MAX_BYTES} bytes, got more")
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        raise SurveyError(f"expected a JSON object, got {shorten(repr(data[:80]))}") from None
    if not isinstance(report, dict) or report.get("survey") != FORM:
        raise SurveyError(f"expected a report of version {FORM}, got another object")
    facts = _mapping("facts", report.get("facts"))
    return Survey(
        core=_text("core", report.get("core")),
        mitogen=_maybe_text("mitogen", report.get("mitogen")),
        strategies=_path("strategies", report.get("strategies")),
        processors=max(1, _number("processors", report.get("processors")) or 1),
        memory=_number("memory", report.get("memory")),
        resident=_number("resident", report.get("resident")),
        idle=report.get("idle") is True,
        hosts=_number("hosts", report.get("hosts")),
        trouble=_maybe_text("trouble", report.get("trouble")),
        default_plays=_number("default_plays", facts.get("default_plays")) or 0,
        settings={name: _setting(name, item) for name, item in _mapping("settings", report.get("settings")).items()},
        connections=_found("connections", facts),
        become_methods=_found("become_methods", facts),
        become_flags=_found("become_flags", facts),
        shells=_found("shells", facts),
        actions=_found("actions", facts),
        timeouts=_found("timeouts", facts),
        strategies_chosen=_found("strategies", facts),
        host_keys=_found("host_keys", facts),
        logins=_logins(facts.get("logins", [])),
        unknown=_found("unknown", facts),
    )


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _MAX_VALUES:
        raise SurveyError(f"{name}: expected an object with at most {_MAX_VALUES} names")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not value.isprintable():
        raise SurveyError(f"{name}: expected a line of text with at most {_MAX_TEXT} characters")
    return value


def _maybe_text(name: str, value: Any) -> str | None:
    return None if value is None else _text(name, value)


def _path(name: str, value: Any) -> str | None:
    """Return a directory, which becomes a part of a list that is separated by colons."""
    text = _maybe_text(name, value)
    if text is not None and (":" in text or not text.startswith("/")):
        raise SurveyError(f"{name}: expected an absolute path without a colon")
    return text


def _number(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise SurveyError(f"{name}: expected a number of at least 0")
    return value


def _found(name: str, facts: Mapping[str, Any]) -> dict[str, str]:
    items = _mapping(name, facts.get(name, {}))
    return {_text(name, value): _text(name, where) for value, where in items.items()}


def _logins(items: Any) -> tuple[tuple[str, Login], ...]:
    if not isinstance(items, list):
        raise SurveyError("logins: expected a list")
    try:
        return tuple((_text("logins", name), read_login(words)) for name, *words in items)
    except (TypeError, ValueError):
        raise SurveyError("logins: expected a name, an address, a port and a user for each") from None


def _setting(name: str, item: Any) -> Setting:
    fields = _mapping(name, item)
    value = fields.get("value")
    if isinstance(value, list) and len(value) <= _MAX_VALUES:
        checked: str | int | bool | tuple[str, ...] | None = tuple(_text(name, each) for each in value)
    elif isinstance(value, bool):
        checked = value
    elif isinstance(value, int):
        checked = _number(name, value)
    else:
        checked = _maybe_text(name, value)
    return Setting(checked, _maybe_text(name, fields.get("origin")))
