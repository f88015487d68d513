"""As ansible-navigator's `collections` does: a program's output is read as JSON, whatever the mode of the events."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import ansible_runner

PROGRAM = "import json; print('a warning'); print(json.dumps({'collections': {}, 'text': chr(233)}))"
private_data_dir = sys.argv[1]
shown: dict[str, Any] = {"private_data_dir": private_data_dir, "json_mode": True, "quiet": True}


def kinds(text: str) -> Iterator[str]:
    """What each line is: the name of an event, or the line."""
    for line in text.splitlines():
        try:
            yield json.loads(line)["event"]
        except ValueError:
            yield line if "No config" not in line else "No config"


for quiet in (True, False):
    out, err, rc = ansible_runner.run_command(sys.executable, ["-c", PROGRAM], **{**shown, "quiet": quiet})
    print(json.loads(out[out.index("{") :]), repr(err), rc)
play = ["-i", "one,", "-c", "local", f"{private_data_dir}/project/two.yml", "-e", "word=here"]
out, err, rc = ansible_runner.run_command("ansible-playbook", play, **shown)
print(list(kinds(out)), rc)
out, err, rc = ansible_runner.run_command("ansible-playbook", ["nosuch.yml"], **shown)
print("nosuch.yml could not be found" in out, [kind for kind in kinds(out) if kind == "verbose"], rc)
run = ansible_runner.run(playbook="two.yml", inventory="one,", extravars={"word": "x"}, cmdline="-c local -vv", **shown)
with run.stdout as output:
    print([kind for kind in kinds(output.read()) if "config file" in kind or "on_ok" in kind or kind == "No config"])


def mark(event: dict[str, Any]) -> None:
    """As ansible-rulebook does: add to an event, and keep none of them."""
    event["job_id"] = "of the caller"


marked = ansible_runner.run(playbook="two.yml", inventory="one,", cmdline="-c local", event_handler=mark, **shown)
with marked.stdout as output:
    print({json.loads(line)["job_id"] for line in output}, list(marked.events))
print(run.status)
