"""Surveys for tests: one for which everything is chosen, and changes to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from playstream.worker.fast.survey import Setting, Survey

SETTINGS = {
    "forks": Setting(5),
    "strategy": Setting("linear"),
    "strategy_plugins": Setting(("/home/user/.ansible/plugins/strategy", "/usr/share/ansible/plugins/strategy")),
    "keep_remote_files": Setting(False),
    "pipelining": Setting(False),
    "ssh_args": Setting("-C -o ControlMaster=auto -o ControlPersist=60s"),
    "control_path": Setting(),
    "control_path_dir": Setting("~/.ansible/cp"),
    "host_key_checking": Setting(True),
    "become_flags": Setting("-H -S -n"),
}
FAST = Survey(
    core="2.19.14",
    mitogen="0.3.54",
    strategies="/venv/ansible_mitogen/plugins/strategy",
    processors=2,
    memory=8 << 30,
    resident=60 << 20,
    hosts=12,
    default_plays=1,
    settings=SETTINGS,
    connections={"ssh": "host web1"},
)
"""Twelve hosts over ssh, with nothing in the way."""


def survey(**changes: Any) -> Survey:
    """Return FAST with other fields."""
    return replace(FAST, **changes)


def with_setting(name: str, value: Any, origin: str | None = "/etc/ansible/ansible.cfg") -> Survey:
    """Return FAST with a setting that somebody has made."""
    return replace(FAST, settings={**SETTINGS, name: Setting(value, origin)})
