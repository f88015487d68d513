"""As validations-libs and tripleoclient do: facts in a directory of their own, artifacts right in another one."""

import os
import sys
from typing import Any

import ansible_runner

private_data_dir = sys.argv[1]
facts, work = os.path.join(private_data_dir, "facts"), os.path.join(private_data_dir, "work")
PLAYS = {
    "set.yml": "[{set_fact: {colour: blue, cacheable: true}}]",
    "get.yml": "[{debug: {msg: \"{{ colour | default('none') }}\"}}]",
}
for name, tasks in PLAYS.items():
    with open(os.path.join(private_data_dir, "project", name), "w", encoding="utf-8") as file:
        file.write(f"- {{hosts: node1, gather_facts: false, tasks: {tasks}}}\n")


def run(playbook: str, **options: Any) -> bool:
    """One run, which tells what it displayed."""
    config = ansible_runner.runner_config.RunnerConfig(
        private_data_dir=private_data_dir,
        playbook=playbook,
        quiet=True,
        ident="",
        artifact_dir=work,
        rotate_artifacts=256,
        project_dir=os.path.join(private_data_dir, "project"),
        **options,
    )
    config.prepare()
    print(config.fact_cache == facts, config.fact_cache_type)
    config.env["ANSIBLE_STDOUT_CALLBACK"] = "minimal"
    status = ansible_runner.Runner(config=config).run()
    print(status, sorted(os.listdir(work)), len(os.listdir(facts)))
    with open(os.path.join(work, "stdout"), encoding="utf-8") as file:
        return "blue" in file.read()


print(run("set.yml", fact_cache=facts, fact_cache_type="jsonfile"))
print(run("get.yml", fact_cache=facts, fact_cache_type="jsonfile"))
print(run("get.yml"))
