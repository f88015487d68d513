"""Real runs that between them show every type of event, all at once to save time."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import playstream
from playstream.interface.options import RunOptions

HERE = Path(__file__).parent
SCHEMA_FILE = HERE.parents[2] / "docs" / "event-schema.json"
STRATEGIES = HERE.parents[1] / "plugin" / "project" / "strategy_plugins"
LIMIT_SECONDS = 100.0

RUNS: dict[str, RunOptions] = {
    "everything": {
        "playbook": "everything.yml",
        "verbosity": 3,
        "cmdline": "--diff",
        "envvars": {"JOB_ID": "7", "PROJECT_UPDATE_ID": "3", "ANSIBLE_STRATEGY_PLUGINS": str(STRATEGIES)},
    },
    "secrets": {"playbook": "secrets.yml", "verbosity": 3, "cmdline": "--diff"},
    "asking": {
        "playbook": "asking.yml",
        "passwords": {"Which colour.*: ?$": "blue", "Which word.*: ?$": "hush"},
    },
    "args shown": {
        "playbook": "asking.yml",
        "extravars": {"colour": "red", "word": "told"},
        "envvars": {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"},
    },
    "module": {
        "module": "command",
        "module_args": "echo hello",
        "host_pattern": "live",
        "envvars": {"AD_HOC_COMMAND_ID": "12"},
    },
    "module that fails": {"module": "command", "module_args": "false", "host_pattern": "h1,gone", "verbosity": 3},
    "role": {"role": "greet", "hosts": "h1"},
    "omitted": {"playbook": "failing.yml", "omit_event_data": True},
    "only failures": {"playbook": "failing.yml", "only_failed_event_data": True},
    "large": {"playbook": "large.yml", "envvars": {"MAX_EVENT_RES": "4000"}},
    "debug": {"playbook": "failing.yml", "envvars": {"ANSIBLE_DEBUG": "1"}},
    "broken": {"playbook": "broken.yml"},
}


@dataclass(frozen=True)
class Seen:
    """The events of all runs."""

    by_run: dict[str, list[dict[str, Any]]]

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        """Of every run."""
        for events in self.by_run.values():
            yield from events

    @property
    def samples(self) -> list[dict[str, Any]]:
        """Those with the most to tell: of each type the first with each set of fields in its event_data."""
        found: dict[tuple[str, frozenset[str]], dict[str, Any]] = {}
        for event in self.events:
            if event["event_data"]:
                found.setdefault((event["event"], frozenset(event["event_data"])), event)
        return list(found.values())


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """The published schema."""
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What tells whether an event fits."""
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the runs gave, as an event handler and as the files in the artifacts; both are the same."""
    base = tmp_path_factory.mktemp("events")
    shutil.copytree(HERE / "project", base / "demo")
    (base / "scratch").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        chosen = os.environ.get("PLAYSTREAM_TEST_ANSIBLE_BIN", str(Path(sys.executable).parent))
        patch.setenv("PATH", f"{chosen}:{os.environ['PATH']}")
        patch.setenv("ANSIBLE_PIPELINING", "1")  # the modules start in half the time
        started = {}
        for name, options in RUNS.items():
            extravars = {
                "scratch": str(base / "scratch"),
                "artifacts": str(base / "demo" / "artifacts"),
                **dict(options.get("extravars") or {}),  # type: ignore[arg-type]
            }
            all_options: RunOptions = {
                **options,
                "private_data_dir": base / "demo",
                "quiet": True,
                "extravars": extravars,
            }
            started[name] = playstream.run_async(**all_options)
        by_run = {}
        for name, (thread, runner) in started.items():
            thread.join(LIMIT_SECONDS)
            assert not thread.is_alive(), name
            assert runner.status in {"successful", "failed"}, (name, runner.explanation, runner.stdout.read())
            by_run[name] = list(runner.events)
    return Seen(by_run)
