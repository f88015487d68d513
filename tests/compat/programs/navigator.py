"""As ansible-navigator does: commands, and what Ansible knows."""

import os
import sys
from typing import Any

from ansible_runner import (
    Runner,
    get_ansible_config,
    get_inventory,
    get_plugin_docs,
    get_plugin_docs_async,
    get_plugin_list,
    get_role_argspec,
    get_role_list,
    run_command,
    run_command_async,
)

private_data_dir = sys.argv[1]
hosts = os.path.join(private_data_dir, "inventory", "hosts")
playbook = os.path.join(private_data_dir, "project", "site.yml")
statuses: list[str] = []


def status_handler(data: dict[str, Any], runner_config: Any) -> bool:
    statuses.append(data["status"])
    return True


options: dict[str, Any] = {
    "host_cwd": os.getcwd(),
    "container_options": [],
    "container_workdir": os.getcwd(),
    "timeout": None,
    "private_data_dir": private_data_dir,
    "envvars": {"ANSIBLE_NOCOLOR": "1"},
    "quiet": True,
}
out, err, rc = run_command("ansible-playbook", ["-i", hosts, playbook], status_handler=status_handler, **options)
print(rc, repr(err), "ok=1" in out, statuses)
out, err, rc = run_command("ansible-playbook", ["-i", hosts, "nothing.yml"], **options)
print(rc, "nothing.yml" in out)

events: list[str] = []


def event_handler(event: dict[str, Any]) -> bool:
    events.append(event["event"])
    return False


words = ["all", "-i", hosts, "-m", "ping"]
thread, runner = run_command_async("ansible", words, event_handler=event_handler, **options)
thread.join()
print(isinstance(runner, Runner), runner.status, runner.rc, "runner_on_ok" in events, list(runner.events))

docs, err = get_plugin_docs(["debug"], response_format="json", runner_mode="subprocess", **options)
print(docs["debug"]["doc"]["module"], repr(err))
text, err = get_plugin_docs(["debug"], snippet=True, **options)
print(isinstance(text, str), "debug:" in text)
thread, runner = get_plugin_docs_async(["debug"], response_format="json", **options)
thread.join()
with runner.stdout as file:
    print(runner.status, file.read(1))
names, err = get_plugin_list(response_format="json", plugin_type="connection", **options)
print("ssh" in names)
answer, err = get_inventory("list", [hosts], response_format="json", **options)
print(answer["webservers"])
answer, err = get_inventory("host", [hosts], response_format="json", host="node1", **options)
print(answer["ansible_connection"])
answer, err = get_inventory("graph", [hosts], **options)
print("@all:" in answer)
answer, err = get_ansible_config("dump", only_changed=True, **options)
print(isinstance(answer, str))
project = os.path.join(private_data_dir, "project")
print(get_role_list(playbook_dir=project, **options)[0], get_role_argspec("none", playbook_dir=project, **options)[0])
