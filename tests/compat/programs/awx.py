"""As AWX does: transmit to a file object, a worker elsewhere, process with callbacks that keep no events."""

import io
import os
import sys
import tempfile
from typing import Any

import ansible_runner

private_data_dir = sys.argv[1]
statuses: list[str] = []
events: list[str] = []


class Callback:
    """AWX's RunnerCallback."""

    def event_handler(self, event_data: dict[str, Any]) -> bool:
        events.append(event_data["event"])
        assert {"end_line", "start_line", "stdout", "uuid", "counter"} <= event_data.keys()
        return False

    def status_handler(self, status_data: dict[str, Any], runner_config: Any) -> bool:
        statuses.append(status_data["status"])
        if status_data["status"] == "starting":
            print(
                runner_config.command[0].rpartition("/")[2],
                bool(runner_config.env),
                bool(runner_config.cwd),
                runner_config.settings,
            )
        return False

    def artifacts_handler(self, artifact_dir: str) -> None:
        print("artifacts", artifact_dir == os.path.join(private_data_dir, "artifacts", "7"))

    def finished_callback(self, runner: Any) -> None:
        print("finished", runner.status)


params: dict[str, Any] = {
    "ident": 7,
    "private_data_dir": private_data_dir,
    "playbook": "site.yml",
    "inventory": os.path.join(private_data_dir, "inventory", "hosts"),
    "passwords": {"SSH password:": "secret"},
    "settings": {"suppress_ansible_output": True},
    "envvars": {"FROM": "awx"},
    "extravars": {"word": "transmitted"},
    "suppress_env_files": True,
    "verbosity": 0,
}
with tempfile.TemporaryFile() as job, tempfile.TemporaryFile() as results:
    sent = ansible_runner.interface.run(streamer="transmit", _output=job, only_transmit_kwargs=False, **params)
    print("transmit", sent.status, sent.rc)
    job.seek(0)
    print(job.read(11))
    job.seek(0)
    worked = ansible_runner.interface.run(
        streamer="worker", _input=job, _output=results, private_data_dir=tempfile.mkdtemp(), keepalive_seconds=0
    )
    print("worker", worked.status, worked.rc)
    results.seek(0)
    print(results.read(11))
    results.seek(0)
    callback = Callback()
    runner = ansible_runner.interface.run(
        streamer="process",
        quiet=True,
        _input=results,
        event_handler=callback.event_handler,
        finished_callback=callback.finished_callback,
        status_handler=callback.status_handler,
        artifacts_handler=callback.artifacts_handler,
        unknown_to_process=True,
        **params,
    )
print("process", runner.status, runner.artifact_dir == os.path.join(private_data_dir, "artifacts", "7"))
print(statuses, events)
print(sorted(set(os.listdir(runner.artifact_dir)) & {"stdout", "rc", "status", "job_events", "fact_cache"}))

for stream in (b"", b"this is no job\n"):
    worker = ansible_runner.streaming.Worker(_input=io.BytesIO(stream), _output=io.BytesIO())
    print(worker.run(), worker.status, worker.rc)
    statuses.clear()
    processor = ansible_runner.streaming.Processor(
        _input=io.BytesIO(stream), status_handler=callback.status_handler, private_data_dir=tempfile.mkdtemp()
    )
    processor.run()
    print(processor.status, statuses)
