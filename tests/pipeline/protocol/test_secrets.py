"""The secrets of a Job stay out of every message and repr, however the Job is damaged."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import LocalProtocolError
from playstream.pipeline.protocol import Job, Receiver, codec, frames
from playstream.pipeline.protocol.order import Direction
from tests.pipeline.protocol.strategies import mutations
from tests.pipeline.protocol.wire import RawStream, Taken, encode, take

MARK = "s3cr3tM4rk"
SECRETS = st.lists(
    st.sampled_from(["", "a ", '"', "\\", "\n", "{", "\u20ac"]).map(lambda text: text + MARK), min_size=1, max_size=3
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Jobs whose secret values all hold MARK."""
    secrets = draw(SECRETS)
    by_name = {f"name{number}": secret for number, secret in enumerate(secrets)}
    nested: dict[str, Any] = {"list": secrets, "object": by_name}
    return Job(
        draw(st.sampled_from(["1", "demo"])),
        tree=draw(st.booleans()),
        playbook=draw(st.none() | st.just("site.yml")),
        passwords=by_name,
        envvars=draw(st.just({}) | st.just(by_name)),
        extravars=draw(st.just({}) | st.just(nested)),
        role_vars=draw(st.just({}) | st.just(nested)),
        settings=draw(st.just({}) | st.just(nested)),
    )


def assert_hidden(taken: Taken[Receiver]) -> None:
    """Nothing that may be shown holds MARK."""
    shown = repr(taken.items)
    if taken.error is not None:
        shown += str(taken.error) + repr(taken.error) + "".join(traceback.format_exception_only(taken.error))
    assert MARK not in shown
    assert shown.isprintable() or "\n" in shown


@given(jobs())
def test_repr_shows_none(job: Job) -> None:
    assert MARK not in repr(job) + str(job) + f"{job}"
    assert repr(job).startswith("Job(ident=")


@given(st.data(), jobs())
def test_damaged_json_shows_none(data: st.DataObject, job: Job) -> None:
    payload = codec.encode(job)[codec.RECORD.size :]
    damaged = data.draw(mutations(payload))
    content = codec.RECORD.pack(codec.Kind.JOB, 0, len(damaged)) + damaged
    assert_hidden(take(RawStream().content(content).data, Direction.JOB))


@given(st.data(), jobs(), st.sampled_from(Direction))
def test_damaged_content_shows_none(data: st.DataObject, job: Job, direction: Direction) -> None:
    """Record headers that lie included, so that a Job's JSON is taken for another kind of record."""
    content = codec.encode(job)
    kind = data.draw(st.sampled_from(codec.Kind) | st.integers(0, 255))
    damaged = data.draw(mutations(bytes([kind]) + content[1:]))
    taken = take(RawStream().content(damaged).data, direction)
    assert taken.error is not None
    assert MARK not in str(taken.error) + repr(taken.error)


@given(st.data(), jobs(), st.lists(st.integers(1, 200), min_size=1, max_size=3))
def test_a_damaged_stream_shows_none(data: st.DataObject, job: Job, sizes: list[int]) -> None:
    """zstd leaves short texts as they are, so the bytes of a payload must not be shown either."""
    whole = encode([job], Direction.JOB) if not job.tree else RawStream().records(job).data
    assert_hidden(take(data.draw(mutations(whole, reorder=False)), Direction.JOB, sizes))


def test_the_ways_in_which_a_payload_could_be_shown() -> None:
    job = Job("a", passwords={"sudo": MARK})
    data = encode([job], Direction.JOB)
    assert MARK.encode() in data, "zstd hides it, so this test shows nothing"
    start = frames.PREAMBLE_SIZE
    payload = start + frames.HEADER_SIZE
    damages = {
        "payload": data[:-1] + bytes([data[-1] ^ 1]),
        "first payload": data[:payload] + b"\0" + data[payload + 1 :],
        "preamble": b"\0" + data[1:],
        "no beginning": data[payload + 10 :],
        "marker": data[:start] + b"\0" + data[start + 1 :],
        "no header": data[:start] + data[payload + 10 :],
        "short header": data[: start + 8] + data[payload + 30 :],
        "endless": data[payload:] + bytes(frames.MAX_NOISE),
    }
    for name, damaged in damages.items():
        taken = take(damaged, Direction.JOB)
        assert taken.error is not None, name
        assert_hidden(taken)


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"bytes"])
def test_a_job_that_cannot_be_sent_shows_none(value: object) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        codec.encode(Job("a", passwords={"sudo": MARK}, extravars={"a": value, "b": MARK}))
    assert MARK not in str(caught.value)
