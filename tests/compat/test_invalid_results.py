"""What clients search for in the explanation of a stream of results that is none: ansible-runner's own messages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from playstream.compat import ansible_runner

_NOTHING = (
    "Unexpected empty line encountered during worker stream. Worker did not produce events or streaming was aborted, "
    "check execution node health."
)
_UNPARSED = "Failed to JSON parse a line from worker stream."


@pytest.mark.parametrize(
    ("stream", "said", "ours"),
    [
        (b"", _NOTHING, "the stream is empty"),
        (b'{"status": "running"}\n', _NOTHING, "before"),
        (b"not-json-data" + b"f" * 10000, _UNPARSED, "not-json-dataffff"),
        (b'{"status": "running"}\n{"uuid": \n', _UNPARSED, "JSON"),
    ],
    ids=["empty", "cut", "foreign", "damaged"],
)
def test_a_stream_that_is_none(tmp_path: Path, stream: bytes, said: str, ours: str) -> None:
    told: list[str] = []

    def status_handler(data: dict[str, Any], runner_config: Any) -> None:
        if data["status"] == "error":
            told.append(data["job_explanation"])

    runner = ansible_runner.run(
        streamer="process", _input=io.BytesIO(stream), private_data_dir=str(tmp_path), status_handler=status_handler
    )
    assert runner.status == "error"
    (explanation,) = told
    assert explanation.startswith(said)
    assert ours in explanation
    assert len(explanation) < 2000
