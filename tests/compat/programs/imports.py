"""Every import that is in real use, and the small functions."""

import os
import sys
import uuid

import ansible_runner
import ansible_runner.cleanup
import ansible_runner.config.command
import ansible_runner.defaults
import ansible_runner.exceptions
import ansible_runner.interface
import ansible_runner.output
import ansible_runner.plugins
import ansible_runner.runner
import ansible_runner.streaming
import ansible_runner.utils.capacity
from ansible_runner import AnsibleRunnerException, RunnerConfig, output, utils
from ansible_runner.__main__ import main
from ansible_runner.config.runner import ExecutionMode
from ansible_runner.config.runner import RunnerConfig as Configured
from ansible_runner.exceptions import CallbackError, ConfigurationError
from ansible_runner.interface import init_command_config, init_runner
from ansible_runner.loader import ArtifactLoader
from ansible_runner.runner_config import RunnerConfig as Older
from ansible_runner.streaming import MockConfig, Processor, Transmitter, UUIDEncoder, Worker
from ansible_runner.utils import Bunch, args2cmdline, ensure_str, isinventory, isplaybook, sanitize_json_response

folder = sys.argv[1]
print(RunnerConfig is Configured is Older, ansible_runner.Runner is ansible_runner.runner.Runner)
print(ansible_runner.plugins if isinstance(ansible_runner.plugins, dict) else "a module")
print(issubclass(ConfigurationError, AnsibleRunnerException), issubclass(CallbackError, AnsibleRunnerException))
print({"ansible_runner", "ansible_runner.runner", "ansible_runner.utils.capacity"} <= sys.modules.keys())
print(all(callable(name) for name in (main, init_runner, init_command_config, Processor, Transmitter, Worker)))
print(ExecutionMode.ANSIBLE, MockConfig({"a": 1}).settings, MockConfig({}).command)
print(UUIDEncoder().encode({"id": uuid.UUID(int=5)}))

print(args2cmdline("ansible", "-a", "a b", "it's"), ensure_str(b"bytes"), ensure_str("text"))
print(isplaybook([{}]), isplaybook({}), isplaybook("x"), isinventory({}), isinventory("x"), isinventory([]))
print(sanitize_json_response('[WARNING]: no\n{"a": 1}\n'), sanitize_json_response("none"))
bunch = Bunch(a=1)
bunch.update(b=2)
print(bunch.a, bunch.get("b"), bunch.get("c"))
print(utils.sanitize_container_name("a.b/c"), utils.check_isolation_executable_installed("no-such-engine"))
print(os.path.basename(utils.get_executable_path("sh")))
try:
    utils.get_executable_path("no-such-program")
except ConfigurationError:
    print("ConfigurationError")
fifo = os.path.join(folder, "fifo")
utils.open_fifo_write(fifo, "through the fifo")
print(open(fifo).read())
os.makedirs(os.path.join(folder, "gone"))
print(utils.cleanup_folder(os.path.join(folder, "gone")), utils.cleanup_folder(os.path.join(folder, "gone")))

loader = ArtifactLoader(folder)
open(os.path.join(folder, "data.yml"), "w").write("a: [1, 2]\n")
print(loader.isfile("data.yml"), loader.isfile("none"), loader.load_file("data.yml", dict))
print(ArtifactLoader(folder).load_file("data.yml", str))
print(ArtifactLoader(folder).load_file("data.yml", str, encoding=None))
for path, kind in (("none.yml", None), ("data.yml", list)):
    try:
        ArtifactLoader(folder).load_file(path, kind)
    except ConfigurationError:
        print("ConfigurationError")
output.configure()
output.display("shown")
output.display("only logged", log_only=True)
output.debug("not shown")
try:
    output.set_debug("maybe")
except ValueError:
    print("ValueError")
