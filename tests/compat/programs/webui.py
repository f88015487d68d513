"""As oxl-ansible-webui and ansible-playbill do: files and commands of a configuration before and after prepare()."""

import os
import sys

import ansible_runner

private_data_dir = sys.argv[1]
logs = {name: os.path.join(private_data_dir, f"{name}.log") for name in ("stdout", "stderr")}

config = ansible_runner.RunnerConfig(
    private_data_dir=private_data_dir, playbook="two.yml", extravars={"word": "one"}, quiet=True, ident="linked"
)
print(sorted(os.listdir(config.artifact_dir)), oct(os.stat(config.artifact_dir).st_mode & 0o777))
for name, log in logs.items():
    with open(log, "w", encoding="utf-8") as file:
        file.write("of an earlier run\n" * 500)
    os.symlink(log, os.path.join(config.artifact_dir, name))
config.prepare()
print(config.command[0], config.command[-1])
runner = ansible_runner.Runner(config=config)
print(runner.run(), runner.config.command[0])
for name, log in logs.items():
    with open(log, encoding="utf-8") as file:
        text = file.read()
    print(name, os.path.islink(os.path.join(config.artifact_dir, name)), "one" in text, "earlier" in text)

config = ansible_runner.RunnerConfig(
    private_data_dir=private_data_dir,
    playbook="two.yml",
    extravars={"word": "two"},
    quiet=True,
    ident="by-path",
    host_pattern="localhost",
)
config.prepare()
path = ansible_runner.utils.get_executable_path("ansible-playbook")
config.command[0] = f"{os.path.dirname(path)}/{config.command[0]}"
config.env = os.environ.copy()
runner = ansible_runner.Runner(config=config)
runner.run()
with runner.stdout as output:
    print(runner.status, "two" in output.read())

config = ansible_runner.RunnerConfig(private_data_dir=private_data_dir, binary=path, cmdline="--version")
config.prepare()
print(config.command[0] == path)
