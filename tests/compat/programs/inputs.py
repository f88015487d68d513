"""The forms in which a program may say what is to be run."""

import os
import sys
import tempfile
from typing import Any

import ansible_runner

private_data_dir = sys.argv[1]
LOCAL = "node9 ansible_connection=local"
PLAY = {"hosts": "all", "gather_facts": False, "tasks": [{"name": "Say", "debug": {"msg": "from a play"}}]}
ROOT = {"all": {"hosts": {"node8": {"ansible_connection": "local"}}}}


def show(name: str, **options: Any) -> Any:
    runner = ansible_runner.run(**{"private_data_dir": private_data_dir, "quiet": True, **options})
    ended = [event["event_data"] for event in runner.events if event["event"] in {"runner_on_ok", "runner_on_failed"}]
    print(name, runner.status, runner.rc, [(data["host"], data["task"]) for data in ended])
    return runner


hosts = os.path.join(private_data_dir, "inventory", "hosts")
outside = tempfile.mkdtemp()
with open(os.path.join(outside, "outside.yml"), "w") as file:
    file.write("- {hosts: all, gather_facts: false, tasks: [{name: Out, debug: {msg: outside}}]}\n")
bare = tempfile.mkdtemp()
with open(os.path.join(bare, "bare.yml"), "w") as file:
    file.write("- {hosts: all, gather_facts: false, tasks: [{name: Bare, debug: {msg: bare}}]}\n")

show("path", playbook="site.yml")
show("absolute", playbook=os.path.join(private_data_dir, "project", "site.yml"), inventory=hosts)
show("by name in inventory/", playbook="site.yml", inventory="hosts")
show("relative to inventory list", playbook="site.yml", inventory=[hosts])
show("outside", playbook=os.path.join(outside, "outside.yml"), inventory=hosts)
show("module", module="debug", module_args="msg=x", host_pattern="node1")
runner = show("command", module="command", module_args="pwd", host_pattern="node1")
print([event["event_data"]["res"]["stdout"] for event in runner.events if event["event"] == "runner_on_ok"])
project = os.path.join(private_data_dir, "project")
runner = show("command elsewhere", module="command", module_args="pwd", host_pattern="node1", project_dir=project)
print(runner.config.cwd)
tasks = os.path.join(project, "own", "inner", "tasks")
os.makedirs(tasks)
with open(os.path.join(tasks, "main.yml"), "w") as file:
    file.write("- {name: Inner, debug: {msg: inner}}\n")
show("role of the project", role="inner", hosts="node1", role_skip_facts=True, roles_path="own")
uses = {"hosts": "all", "gather_facts": False, "roles": ["inner"]}
show("roles_path of the project", playbook=[uses], roles_path=["none", "own"])
print(runner.config.env["ANSIBLE_HOST_KEY_CHECKING"])
show("role", role="small", hosts="node1", role_skip_facts=True, role_vars={"word": "x"})
show("loose types", playbook="site.yml", quiet=1, json_mode=None, ident=12, verbosity=None, limit="node1", timeout=0)
runner = show("empty ident", playbook="site.yml", ident="")
print(os.path.abspath(runner.config.artifact_dir) == os.path.join(private_data_dir, "artifacts"))
print(show("no facts cache", playbook="site.yml", fact_cache_type="").config.fact_cache)

FORMS: dict[str, dict[str, Any]] = {
    "play": {"playbook": PLAY, "inventory": LOCAL},
    "plays": {"playbook": [PLAY], "inventory": ROOT},
    "text": {"playbook": [PLAY], "inventory": "[group]\n" + LOCAL + "\n"},
    "word": {"playbook": [{**PLAY, "connection": "local"}], "inventory": "node7"},
}
for name, options in FORMS.items():
    show(name, private_data_dir=tempfile.mkdtemp(), **options)
show("no directory", private_data_dir=None, playbook=[PLAY], inventory=LOCAL)
show("no project", private_data_dir=bare, playbook="bare.yml", inventory=LOCAL)
with open(os.path.join(bare, "args"), "w") as file:
    file.write(f"ansible-playbook bare.yml -i {hosts} --limit node1")
show("args", private_data_dir=bare)
runner = ansible_runner.run(private_data_dir=private_data_dir, binary="sh", cmdline="-c 'exit 7'", quiet=True)
print(runner.status, runner.rc)
