"""What commands write as JSON is JSON, though a module gave back what is none."""

from __future__ import annotations

import json
from pathlib import Path

import playstream
from playstream.pipeline.protocol import Event
from playstream.pipeline.protocol.order import Direction
from tests.stages import Stages
from tests.stress.hostile.streams import ENDED, STARTING, event_json, native
from tests.stress.hostile.test_any_consumer import strict

RES = {"a": float("nan"), "b": [float("inf")], "c": "x\ud800", "d": "\U0001f600"}
KEPT = {"a": None, "b": [None], "c": "x\ufffd", "d": "\U0001f600"}
RAN = event_json(event="runner_on_ok", event_data={"host": "node1", "task": "t", "res": RES})
STREAM = native([STARTING, Event(1, RAN.replace(b'"stdout"', b'"large": 1e999, "stdout"')), ENDED], Direction.RESULT)
"""1e999 is JSON, and Infinity for Python: what it becomes must be JSON again."""


def test_the_commands(stages: Stages, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    shown = stages.call("process", tmp_path, "-i", "a", "--json", "--store", store, stdin=STREAM)
    assert shown.returncode == 0, shown.stderr
    (line,) = shown.stdout.decode().splitlines()
    assert strict(line)["event_data"]["res"] == KEPT
    artifacts = tmp_path / "artifacts" / "a"
    assert strict((artifacts / "stdout").read_text())["event_data"]["res"] == KEPT
    assert strict((artifacts / "job_events" / "1-u-1.json").read_text())["event_data"]["res"] == KEPT
    strict((artifacts / "command").read_text())
    for target in ("-", str(tmp_path / "summary.json")):
        summary = stages.call("process", tmp_path, "-i", "b", "--summary", target, stdin=STREAM).stdout.decode()
        written = strict(summary if target == "-" else Path(target).read_text())
        assert written["task_summary"]["node1"]["ok"][0]["res"] == KEPT
    found = strict(stages.call("show", "a", "--store", store, "--json").stdout.decode())
    res = found["results"][0]["res"]
    assert (res["a"], res["b"], res["d"]) == (None, [None], "\U0001f600")
    (run,) = stages.call("runs", "--store", store, "--json").stdout.decode().splitlines()
    assert strict(run)["ident"] == "a"


def test_a_handlers_changes(tmp_path: Path) -> None:
    def add(event: dict[str, object]) -> bool:
        event["mine"] = {"ratio": float("inf"), "name": "\udcff"}
        return True

    with (tmp_path / "stream").open("w+b") as stream:
        stream.write(STREAM)
        stream.seek(0)
        playstream.run(
            streamer="process", private_data_dir=str(tmp_path), ident="a", quiet=True, _input=stream, event_handler=add
        )
    (path,) = (tmp_path / "artifacts" / "a" / "job_events").iterdir()
    assert strict(path.read_text())["mine"] == {"ratio": None, "name": "\ufffd"}
    assert json.loads(path.read_text())["large"] is None  # the whole is written anew
