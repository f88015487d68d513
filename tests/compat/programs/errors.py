"""What is raised, and what catches it."""

import os
import sys
from typing import Any

import ansible_runner
from ansible_runner.exceptions import AnsibleRunnerException, CallbackError, ConfigurationError

private_data_dir = sys.argv[1]


def attempt(name: str, expected: Any, **options: Any) -> None:
    try:
        ansible_runner.run(**{"private_data_dir": private_data_dir, "quiet": True, **options})
    except expected as error:
        print(name, "got an unexpected keyword argument" in str(error))
    else:
        print(name, "nothing raised")


def fail(*words: Any, **named: Any) -> bool:
    raise RuntimeError("the program's own")


def fail_to_write(event: dict[str, Any]) -> bool:
    raise OSError("no room")


attempt("absent", ValueError, private_data_dir=os.path.join(private_data_dir, "absent"), playbook="site.yml")
attempt("unknown", TypeError, playbook="site.yml", unknown_parameter=1)
attempt("two", ConfigurationError, playbook="site.yml", module="ping")
attempt("none", AnsibleRunnerException)
attempt("finished", CallbackError, playbook="site.yml", finished_callback=fail)
attempt("artifacts", CallbackError, playbook="site.yml", artifacts_handler=fail)
attempt("cancel", CallbackError, playbook="pause.yml", cancel_callback=fail)
attempt("event", RuntimeError, playbook="site.yml", event_handler=fail)
attempt("status", RuntimeError, playbook="site.yml", status_handler=fail)
attempt("io", AnsibleRunnerException, playbook="site.yml", event_handler=fail_to_write)
try:
    ansible_runner.Runner(ansible_runner.RunnerConfig(private_data_dir, playbook="site.yml")).stdout  # noqa: B018
except AnsibleRunnerException:
    print("no stdout")
try:
    raise AnsibleRunnerException("the program's own")
except AnsibleRunnerException as error:
    print(error)
failed = ansible_runner.run(private_data_dir=private_data_dir, playbook="fails.yml", quiet=True)
print(failed.status, failed.rc, failed.stats["failures"], failed.errored)
