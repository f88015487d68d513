"""As tripleo does: a configuration that is changed between prepare() and the run."""

import json
import os
import sys

import ansible_runner
from ansible_runner.runner_config import RunnerConfig

private_data_dir = sys.argv[1]
os.makedirs(os.path.join(private_data_dir, "env"))
ansible_runner.utils.dump_artifact(json.dumps({"job_timeout": 300}), os.path.join(private_data_dir, "env"), "settings")

config = RunnerConfig(
    private_data_dir=private_data_dir,
    playbook="site.yml",
    verbosity=0,
    limit="node1",
    tags="all",
    quiet=True,
    extravars={"word": "one"},
    ident="tripleo",
    project_dir=os.path.join(private_data_dir, "project"),
    inventory=os.path.join(private_data_dir, "inventory", "hosts"),
    envvars={"FROM_CALLER": "yes"},
    roles_path=[os.path.join(private_data_dir, "roles")],
)
print(config.playbook, config.limit, config.extra_vars, config.ident, config.tags, config.verbosity, config.module)
config.playbook = "two.yml"
config.extra_vars = {"word": "changed"}
config.prepare()
print(config.command[0].rpartition("/")[2], config.command[-1], config.env["FROM_CALLER"], config.cwd)
print(os.path.basename(config.fact_cache), config.fact_cache_type, config.job_timeout, config.idle_timeout)
print(config.containerized, config.sandboxed, config.process_isolation, config.process_isolation_executable)
config.env["WORD"] = "of the environment"
config.command.insert(1, "--diff")
config.suppress_ansible_output = True

runner = ansible_runner.Runner(config=config, remove_partials=True)
runner.set_fact_cache("node1", {"known": "before"})
print(runner.get_fact_cache("node1"), runner.status, runner.rc)
status, rc = runner.run()
print(status, rc)
print([event["event_data"]["res"]["msg"] for event in runner.events if event["event"] == "runner_on_ok"])

other = RunnerConfig(private_data_dir)
other.module, other.module_args, other.host_pattern = "debug", "msg=adhoc", "all"
other.suppress_env_files = True
other.prepare()
other.suppress_ansible_output = True
runner = ansible_runner.runner.Runner(other)
print(runner.run(), [event["event"] for event in runner.events if event["event"].startswith("runner_on")])
fresh = RunnerConfig(os.path.join(private_data_dir, "fresh"), module="ping")
print(os.path.isdir(fresh.private_data_dir))
print(fresh.artifact_dir == os.path.join(fresh.private_data_dir, "artifacts", fresh.ident))
