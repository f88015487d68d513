"""The answer of the survey program, which is not trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.fast.answers import Login
from playstream.worker.fast.survey import MAX_BYTES, Setting, Survey, SurveyError, parse_version, read_survey

FACTS = {
    "connections": {"ssh": "host web1"},
    "become_methods": {},
    "become_flags": {},
    "shells": {},
    "actions": {"raw": "site.yml:3"},
    "strategies": {"free": "site.yml:9"},
    "host_keys": {},
    "logins": [["web1", "192.0.2.1", 22, "deploy"], ["web2", "web2", 0, ""]],
    "unknown": {},
    "default_plays": 2,
}
REPORT: dict[str, Any] = {
    "survey": 1,
    "core": "2.19.14",
    "python": "3.11.7",
    "mitogen": "0.3.54",
    "strategies": "/venv/ansible_mitogen/plugins/strategy",
    "processors": 4,
    "memory": 1 << 33,
    "resident": 1 << 26,
    "idle": False,
    "hosts": 3,
    "trouble": None,
    "settings": {
        "forks": {"value": 7, "origin": "env: ANSIBLE_FORKS"},
        "strategy_plugins": {"value": ["/a", "/b"], "origin": None},
        "pipelining": {"value": True, "origin": "/etc/ansible/ansible.cfg"},
        "control_path": {"value": None, "origin": None},
    },
    "facts": FACTS,
}


def answer(**changes: Any) -> bytes:
    return json.dumps({**REPORT, **changes}).encode()


def test_a_report_is_read() -> None:
    found = read_survey(answer())
    assert found == Survey(
        core="2.19.14",
        mitogen="0.3.54",
        strategies="/venv/ansible_mitogen/plugins/strategy",
        processors=4,
        memory=1 << 33,
        resident=1 << 26,
        hosts=3,
        default_plays=2,
        settings={
            "forks": Setting(7, "env: ANSIBLE_FORKS"),
            "strategy_plugins": Setting(("/a", "/b")),
            "pipelining": Setting(True, "/etc/ansible/ansible.cfg"),
            "control_path": Setting(),
        },
        connections={"ssh": "host web1"},
        actions={"raw": "site.yml:3"},
        strategies_chosen={"free": "site.yml:9"},
        logins=(("web1", Login("192.0.2.1", 22, "deploy")), ("web2", Login("web2"))),
    )
    assert found.setting("unheard of") == Setting()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not JSON",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
        answer(survey=2),
        answer(core=None),
        answer(core="2.19\nfast: all is well"),
        answer(core="2" * 5000),
        answer(mitogen=1),
        answer(strategies="relative/path"),
        answer(strategies="/a:/b"),
        answer(processors=-1),
        answer(processors=True),
        answer(hosts="3"),
        answer(memory=1 << 70),
        answer(trouble=["x"]),
        answer(settings=[]),
        answer(settings={"forks": 7}),
        answer(settings={"forks": {"value": {"a": 1}, "origin": None}}),
        answer(settings={"forks": {"value": 7, "origin": "a\nb"}}),
        answer(settings={str(number): {"value": 1, "origin": None} for number in range(101)}),
        answer(facts=None),
        answer(facts={**FACTS, "connections": {"ssh": 1}}),
        answer(facts={**FACTS, "connections": {"ssh\x1b[2J": "host"}}),
        answer(facts={**FACTS, "logins": {"a": 1}}),
        answer(facts={**FACTS, "logins": [1]}),
        answer(facts={**FACTS, "logins": [["web1", "192.0.2.1", 22]]}),
        answer(facts={**FACTS, "logins": [["web1", "192.0.2.1", 1 << 16, ""]]}),
        answer(facts={**FACTS, "logins": [["web\n1", "192.0.2.1", 22, ""]]}),
    ],
)
def test_another_answer_is_refused(data: bytes) -> None:
    with pytest.raises(SurveyError):
        read_survey(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(REPORT)), JSON, max_size=4))
def test_any_report_is_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        found = read_survey(answer(**changes))
    except SurveyError:
        return
    assert isinstance(found, Survey)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SurveyError):
        read_survey(data)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.19.14", (2, 19, 14)),
        ("2.22.0rc1", (2, 22, 0)),
        ("0.3.54", (0, 3, 54)),
        ("2.15", (2, 15, 0)),
        ("two", None),
        ("", None),
    ],
)
def test_a_version_has_numbers(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version
