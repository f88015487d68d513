"""What a stage raises in Python names the parameters of run(), and not the flags of the command line."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Literal

import pytest

import playstream
from playstream.interface.parameter_names import name_parameters
from playstream.pipeline.errors import LimitExceeded, PlaystreamError, SilentPeer
from tests.conftest import MakeDir


@pytest.fixture
def demo(private_data_dir: MakeDir) -> Path:
    return private_data_dir({"site.yml": "- {hosts: all, gather_facts: false, tasks: [{ping: }]}\n"})


def test_the_limit_of_a_worker(demo: Path) -> None:
    job = io.BytesIO()
    playstream.run(streamer="transmit", private_data_dir=demo, playbook="site.yml", _output=job)
    job.seek(0)
    with pytest.raises(LimitExceeded, match=r"raise the limit with max_tree_bytes$"):
        playstream.run(streamer="worker", max_tree_bytes=1, _input=job, _output=io.BytesIO())


@pytest.mark.parametrize("streamer", ["worker", "process"])
def test_silence(tmp_path: Path, streamer: Literal["worker", "process"]) -> None:
    news, tell = os.pipe()
    with os.fdopen(news, "rb") as reader, os.fdopen(tell, "wb"):
        options: dict[str, Any] = {"_input": reader, "_output": io.BytesIO(), "liveness_seconds": 0.01}
        try:
            said = playstream.run(streamer=streamer, private_data_dir=tmp_path, **options).explanation
        except SilentPeer as error:
            said = str(error)
    assert said is not None
    assert said.endswith(" liveness_seconds sets the limit (0.01 here, 0 for none)")


def test_what_cannot_be_sent(demo: Path) -> None:
    deep = demo / "project"
    for _ in range(300):  # levels
        deep /= "d"
    deep.mkdir(parents=True)
    with pytest.raises(PlaystreamError, match=r"Exclude it with a line in \.playstreamignore$"):
        playstream.run(streamer="transmit", private_data_dir=demo, playbook="site.yml", _output=io.BytesIO())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("pass the file with the secret key (--identity FILE)", "pass the file with the secret key (identity FILE)"),
        ("choose another --private-data-dir or", "choose another private_data_dir or"),
        ("Omit --only-transmit-kwargs, or", "Omit only_transmit_kwargs, or"),
        ("Give this run an ident with -i, so", "Give this run an ident, so"),
        ("'--identity' is quoted, and --no-such-flag stays", "'--identity' is quoted, and --no-such-flag stays"),
        ("a--b", "a--b"),
    ],
)
def test_names(message: str, expected: str) -> None:
    assert name_parameters(message) == expected
