"""As ansible-runner-service does: a run in a thread, polled, and told of at its end."""

import os
import sys
import time
from typing import Any

import ansible_runner

private_data_dir = sys.argv[1]
seen: list[str] = []


def event_handler(event: dict[str, Any]) -> bool:
    seen.append(event["event"])
    event["added"] = "by the program"
    return True


def finished(runner: Any) -> None:
    print("finished", runner.status, runner.rc, runner.config.playbook, runner.config.ident)


thread, runner = ansible_runner.run_async(
    private_data_dir=private_data_dir,
    playbook="site.yml",
    quiet=True,
    ident="play-1",
    rotate_artifacts=2,
    event_handler=event_handler,
    finished_callback=finished,
    extravars={"word": "polled"},
    forks=2,
)
while runner.status == "unstarted":
    time.sleep(0.01)
while thread.is_alive():
    time.sleep(0.01)
print(runner.status, runner.rc, runner.errored, runner.canceled, runner.timed_out)
print(seen)
print([(event["event"], event["counter"], event["added"]) for event in runner.events])
print(runner.stats)
print([event["event_data"]["res"]["msg"] for event in runner.host_events("node1") if event["event"] == "runner_on_ok"])
with runner.stdout as file:
    text = file.read()
print("TASK [Say it]" in text, "\r" in text)
folder = os.path.join(private_data_dir, "artifacts", "play-1")
print(runner.config.artifact_dir == folder)
print({"rc", "status", "stdout", "job_events", "command"} <= set(os.listdir(folder)))
print(open(os.path.join(folder, "rc")).read(), open(os.path.join(folder, "status")).read())
