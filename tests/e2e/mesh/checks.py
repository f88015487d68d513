"""What a run that came back over a mesh has to be."""

from __future__ import annotations

import json
from pathlib import Path

from tests.stages import read_events

FILES = {"stdout", "stderr", "rc", "status", "command", "job_events", "fact_cache"}


def check_artifacts(artifacts: Path) -> None:
    """The artifacts of site.yml, as with plain pipes."""
    assert {path.name for path in artifacts.iterdir()} == FILES
    assert ((artifacts / "rc").read_text(), (artifacts / "status").read_text()) == ("0", "successful")
    events = read_events(artifacts)
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert sum(event["event"] == "runner_item_on_ok" for event in events) == 40
    assert events[-1]["event_data"]["ok"] == {"node1": 4}
    shown = "\n".join(event["stdout"] for event in events)
    assert shown.split() == (artifacts / "stdout").read_text().split()
    assert "grüß dich 你好 " * 400 in shown
    (told,) = (
        event["event_data"]["res"]["stdout"]
        for event in events
        if event["event"] == "runner_on_ok" and event["event_data"]["task_action"] == "script"
    )
    assert told.strip() == "hello from a file that travelled"
    assert json.loads((artifacts / "fact_cache" / "node1").read_text()) == {"answer": 42}
