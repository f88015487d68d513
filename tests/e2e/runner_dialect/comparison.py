"""What is the same in all combinations, and every difference that is excused, with its reason."""

from __future__ import annotations

import json
import re
import stat
from pathlib import PurePath
from typing import Any

from playstream.pipeline.job.fact_cache import untag
from tests.e2e.runner_dialect.pipeline import OURS, Run

# Names of fields whose values differ from run to run.
_CLOCKS = {
    "created": "when the event was made",
    "start": "when a task, or a command of one, began",
    "end": "and when it ended",
    "duration": "seconds in between",
    "delta": "the same, as the module command says it",
}
_PROCESSES = {"pid": "of the process that made the event"}
_UUIDS = {
    "uuid": "of an event, a task or a play: drawn anew in each run",
    "parent_uuid": "the same",
    "playbook_uuid": "the same",
    "play_uuid": "the same",
    "task_uuid": "the same",
}

# What text says of the same, and paths of temporary files.
_IN_TEXT = (
    (re.compile(r"ansible-tmp-[0-9.]+-[0-9]+-[0-9]+"), "<a module's files>"),  # a clock, a pid, a random number
    (re.compile(r"\.ansible_tmp[\w.]+|(?<![\w.])\.[a-z0-9_]{8}(?![\w.])"), "<temporary file>"),  # the module copy's
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+"), "<clock>"),  # a result shown by the stdout callback
    (re.compile(r"\b\d+:\d\d:\d\d\.\d+"), "<seconds>"),
)


class Normal:
    """A run without what may differ.

    Args:
        run: what a combination left.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        # Each worker unpacks into a temporary directory with a random name; Ansible starts in its project/.
        self._directory = json.loads(run.text("command"))["cwd"].removesuffix("/project")
        self._uuids: dict[str, str] = {}

    def contents(self) -> dict[str, Any]:
        """All that is compared, by name."""
        return {
            "events": [self._value(event) for event in self._run.events],
            "event files": self._event_files(),
            "stdout": _lines(self._text(self._run.text("stdout"))),
            "stderr": self._text(self._run.text("stderr")),
            "rc": self._run.text("rc"),
            "status": self._run.text("status"),
            "command": self._command(),
            "fact cache": self._fact_cache(),
            "files": sorted(path.name for path in self._run.artifacts.iterdir()),
            "shown": self._shown(),
        }

    def _value(self, value: Any, name: str = "") -> Any:
        if name in _CLOCKS or name in _PROCESSES:
            return f"<{name}: {type(value).__name__}>"
        if name in _UUIDS:
            # Numbered in order of appearance, so that which event belongs to which is compared.
            return self._uuids.setdefault(value, f"<uuid {len(self._uuids) + 1}>")
        if isinstance(value, dict):
            return {key: self._value(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = text.replace(self._directory, "<private data dir>")
        for pattern, word in _IN_TEXT:
            text = pattern.sub(word, text)
        return text

    def _event_files(self) -> list[str]:
        return sorted(self._uuids_in(path.name) for path in (self._run.artifacts / "job_events").iterdir())

    def _uuids_in(self, name: str) -> str:
        counter, _, uuid = name.removesuffix(".json").partition("-")
        return f"{counter}-{self._uuids[uuid]}.json"

    def _command(self) -> dict[str, Any]:
        """What was run and where, but for what each worker does in its own way: whether the program is named with its
        directory, the order of the options, where the extra variables lie (ours are not among the job's files), and
        the environment, in which each has variables about its plugin and about where Ansible is to keep facts."""
        found = json.loads(self._run.text("command"))
        assert found.keys() == {"command", "cwd", "env"}
        program, *words = found["command"]
        words = ["@<extra variables>" if word.startswith("@") else self._text(word) for word in words]
        return {"command": [PurePath(program).name, *sorted(words)], "cwd": self._text(found["cwd"])}

    def _fact_cache(self) -> dict[str, Any]:
        """Facts by host. From ansible-core 2.19 on the files have another name and wrap the facts; ansible-runner
        passes that on as it is, and our worker and our process bring it to the layout that clients know."""
        found = {}
        for path in (self._run.artifacts / "fact_cache").iterdir():
            facts = json.loads(path.read_text())
            if "__payload__" in facts:
                assert OURS not in (self._run.combination.worker, self._run.combination.process), path
                facts = untag(json.loads(facts["__payload__"]))
            found[path.name.removeprefix("s1_")] = facts
        return found

    def _shown(self) -> list[str]:
        """What process printed. ansible-runner's prints an empty line for each event without output, and leaves
        carriage returns as they are."""
        if self._run.combination.process == OURS:
            return _lines(self._text(self._run.shown))
        printed = "".join(event["stdout"] + "\n" for event in self._run.events)
        assert self._run.shown == printed
        lines = [event["stdout"] + "\n" for event in self._run.events if event["end_line"] > event["start_line"]]
        return _lines(self._text("".join(lines)))


def _lines(text: str) -> list[str]:
    """Lines of output, whatever ends them. A terminal's lines end with CR LF, as in our file; where an event's output
    ends ansible-runner writes LF alone, and no blank line that it had there: the one after the recap."""
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Where two values differ, one line each."""
    if isinstance(found, dict) and isinstance(expected, dict):
        lines = []
        for key in sorted(found.keys() | expected.keys()):
            place = f"{where}.{key}" if where else key
            if key not in found or key not in expected:
                lines.append(f"{place}: only {'expected' if key in expected else 'found'}")
            else:
                lines += differences(found[key], expected[key], place)
        return lines
    if isinstance(found, list) and isinstance(expected, list):
        lines = [] if len(found) == len(expected) else [f"{where}: {len(found)} items, expected {len(expected)}"]
        for number, (one, other) in enumerate(zip(found, expected, strict=False)):
            lines += differences(one, other, f"{where}[{number}]")
        return lines
    return [] if type(found) is type(expected) and found == expected else [f"{where}: {found!r}, expected {expected!r}"]


def open_files(run: Run) -> list[str]:
    """Artifacts that others than the owner may read."""
    found = [run.artifacts, *run.artifacts.rglob("*")]
    return [str(path) for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077]
