"""Messages of the mesh: what is written is read, and anything else is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.links.nats import parse_nats
from playstream.mesh.messages import (
    Announcement,
    CancelRequest,
    Claim,
    Condition,
    JobEnd,
    JobOffer,
    Listed,
    Order,
    Outcome,
    Positions,
    decode,
    encode,
)
from playstream.mesh.subjects import JobSubjects, check_group, check_name, new_job, own_group
from playstream.pipeline.errors import ConfigurationError, RemoteProtocolError

TEXT = st.text(max_size=50)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBERS = st.dictionaries(TEXT, st.integers(0, 1 << 40), max_size=3)
NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True)
CONTENT = (
    st.builds(Order, TEXT, TEXT, st.none() | st.floats(0, 1e12), TEXTS)
    | st.builds(
        Announcement, NAME, TEXTS, st.integers(1, 99), st.dictionaries(TEXT, TEXT, max_size=3), TEXTS, st.booleans()
    )
    | st.builds(Condition, NUMBERS, NUMBERS, st.floats(0, 1e9), st.booleans())
    | st.builds(JobOffer, TEXT, TEXT, TEXTS)
    | st.builds(Claim, NAME, TEXT, TEXT)
    | st.builds(JobEnd, st.sampled_from(Outcome), TEXT, TEXT, st.none() | st.integers(0, 255))
    | st.builds(Listed, st.booleans())
    | st.builds(CancelRequest, TEXT)
    | st.builds(Positions, st.integers(0, 1 << 40), st.integers(0, 1 << 40))
)
KINDS = st.sampled_from([Order, Claim, JobEnd, Positions, Announcement, Condition, JobOffer, Listed, CancelRequest])


@given(CONTENT)
def test_what_is_written_is_read(content: Any) -> None:
    assert decode(type(content), encode(content)) == content


@given(KINDS, st.binary(max_size=100))
def test_any_bytes_are_an_error(kind: type[Order], data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(kind, data)


VALUES = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.lists(TEXT, max_size=2)),
    st.dictionaries(TEXT, TEXT | st.integers(), max_size=2),
)
FIELDS = [
    "version",
    "recipient",
    "start_within",
    "node",
    "word",
    "outcome",
    "by",
    "reason",
    "read",
    "written",
    "needs",
    "groups",
    "slots",
]
FIELDS += ["versions", "features", "stopped", "running", "held", "held_seconds", "stopping", "job", "reply"]


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), st.one_of(VALUES)), st.one_of(VALUES))
def test_any_fields_are_of_the_right_types_or_an_error(
    kind: type[Order], fields: dict[str, object], number: object
) -> None:
    data = json.dumps({"format": number, **fields}).encode()
    try:
        found = decode(kind, data)
    except RemoteProtocolError:
        return
    assert decode(kind, encode(found)) == found


def test_a_message_of_a_later_format_says_what_to_do() -> None:
    with pytest.raises(RemoteProtocolError, match="has format 2, and this version of playstream understands 1: update"):
        decode(Claim, b'{"format": 2}')


@pytest.mark.parametrize("node", ["*", ">", "a.b", "", "a b"])
def test_a_claim_cannot_name_several_nodes(node: str) -> None:
    data = json.dumps({"format": 1, "node": node, "word": "", "version": ""}).encode()
    with pytest.raises(RemoteProtocolError, match="damaged or forged"):
        decode(Claim, data)


def test_a_subject_of_a_job_is_read() -> None:
    job = JobSubjects("web", "ann", new_job())
    assert JobSubjects.parse(job.queued) == job


@given(st.text(max_size=60) | st.lists(st.text(max_size=30), max_size=5).map(".".join))
def test_any_other_subject_is_not_that_of_a_job(subject: str) -> None:
    found = JobSubjects.parse(subject)
    assert found is None or found.queued == subject


@given(st.text(max_size=80))
def test_a_name_is_one_part_of_a_subject_and_of_a_path(name: str) -> None:
    try:
        check_name("node", name)
    except ConfigurationError:
        return
    assert not set(name) & set(". */>\\\0\n")
    assert name.isascii()
    with pytest.raises(ConfigurationError):
        check_group(own_group(name))


@pytest.mark.parametrize(
    ("url", "name", "group"),
    [
        ("nats://host/web", "nats://host:4222/web", "web"),
        ("nats://host:4333/web", "nats://host:4333/web", "web"),
        ("nats://[::1]:4333/web", "nats://[::1]:4333/web", "web"),
        ("nats:///web", "nats:///web", "web"),
        ("nats://host/node/web1?identity=a%20b", "nats://host:4222/node_web1", "node_web1"),
    ],
)
def test_a_link_names_a_group_of_a_mesh(url: str, name: str, group: str) -> None:
    found = parse_nats(url)
    assert (found.name, found.group) == (name, group)
    assert found.identity == ("a b" if "?" in url else None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nats://host", "expected nats://HOST"),
        ("nats://host/", "expected nats://HOST"),
        ("nats://user:secret@host/web", "without a user"),
        ("nats://host/web/x", "expected nats://HOST"),
        ("nats://host:x/web", "Port could not be cast"),
        ("nats://host/web?identiy=x", "did you mean 'identity'"),
    ],
)
def test_other_links_are_explained(url: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected) as caught:
        parse_nats(url)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_link_or_an_error(text: str) -> None:
    try:
        parse_nats("nats:" + text)
    except ConfigurationError:
        pass
