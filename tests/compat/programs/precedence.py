"""Files in env/ against arguments: who wins."""

import copy
import json
import os
import sys
import tempfile
from typing import Any

import ansible_runner

private_data_dir = sys.argv[1]
env = os.path.join(private_data_dir, "env")
os.makedirs(env)
files: dict[str, Any] = {
    "envvars": {"BOTH": "file", "ONLY_FILE": "file"},
    "extravars": {"both": "file", "only_file": "file"},
    "settings": {"suppress_ansible_output": True, "job_timeout": 200, "own_key": "file"},
    "passwords": {"Both.*: ": "file"},
}
for name, content in files.items():
    with open(os.path.join(env, name), "w") as file:
        json.dump(content, file)
with open(os.path.join(env, "cmdline"), "w") as file:
    file.write("--skip-tags never-there")

tasks = [
    {"debug": {"msg": "{{ lookup('env', 'BOTH') }} {{ lookup('env', 'ONLY_FILE') }} {{ lookup('env', 'ONLY_CALL') }}"}},
    {"debug": {"msg": "{{ [both, only_file, only_call] | join(' ') }}"}},
]
options: dict[str, Any] = {
    "private_data_dir": private_data_dir,
    "playbook": [{"hosts": "all", "gather_facts": False, "tasks": tasks}],
    "envvars": {"BOTH": "call", "ONLY_CALL": "call"},
    "extravars": {"both": "call", "only_call": "call"},
    "settings": {"suppress_ansible_output": False, "job_timeout": 100, "other_key": "call"},
    "passwords": {"Both.*: ": "call"},
    "quiet": False,
    "cmdline": "--tags all",
}


def messages(runner: Any) -> list[str]:
    return [event["event_data"]["res"]["msg"] for event in runner.events if event["event"] == "runner_on_ok"]


runner = ansible_runner.interface.init_runner(**copy.deepcopy(options))
print(runner.config.settings, runner.config.suppress_ansible_output, runner.config.job_timeout)
print("--tags" in runner.config.command)
print(ansible_runner.run(**copy.deepcopy(options), timeout=150).config.job_timeout)
options |= {"quiet": True, "settings": {}}
os.remove(os.path.join(env, "settings"))
with open(os.path.join(env, "settings"), "w") as file:
    file.write("{}")
for more in ({}, {"suppress_env_files": True}):
    if more:
        options["extravars"]["only_file"] = "call"
        for name in files:
            os.remove(os.path.join(env, name))
    runner = ansible_runner.run(**{**copy.deepcopy(options), **more})
    print(runner.status, messages(runner))
words = ["-c", "echo $BOTH $ONLY_FILE $ANSIBLE_HOST_KEY_CHECKING"]
out, err, rc = ansible_runner.run_command(
    "sh", words, private_data_dir=private_data_dir, envvars={"BOTH": "call"}, quiet=True
)
print(out.strip(), rc)
with open(os.path.join(env, "envvars"), "w") as file:
    file.write("BOTH: file\n")
out, err, rc = ansible_runner.run_command(
    "sh", ["-c", "echo $BOTH"], private_data_dir=private_data_dir, envvars={"BOTH": "call"}, quiet=True
)
print(out.strip(), rc)

with tempfile.TemporaryFile() as job, tempfile.TemporaryFile() as results:
    ansible_runner.run(streamer="transmit", _output=job, **copy.deepcopy(options))
    job.seek(0)
    ansible_runner.run(streamer="worker", _input=job, _output=results, private_data_dir=tempfile.mkdtemp())
    results.seek(0)
    shown: list[str] = []

    def event_handler(event: dict[str, Any]) -> bool:
        if event["event"] == "runner_on_ok":
            shown.append(event["event_data"]["res"]["msg"])
        return True

    ansible_runner.run(
        streamer="process", _input=results, event_handler=event_handler, private_data_dir=private_data_dir, quiet=True
    )
print(shown)
