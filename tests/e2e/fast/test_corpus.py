"""The same playbooks with and without `--fast`: the same events, results and counts, but for times."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fast.cases import CASES, Hosts, may_run, prepare, run
from tests.e2e.fast.distant import DistantHosts
from tests.e2e.fast.fleet import Fleet
from tests.network.network import NEEDS_TUN
from tests.stages import read_events

pytestmark = pytest.mark.timeout(400)  # two whole runs on three hosts, on a busy machine
VOLATILE = frozenset(
    {
        *("start", "end", "delta", "duration", "atime", "mtime", "ctime", "inode", "dev", "pid", "uuid", "counter"),
        *("created", "start_line", "end_line", "task_uuid", "play_uuid", "parent_uuid", "playbook_uuid"),
        *("elapsed", "attempts"),
        # Names of temporary files, and where Ansible keeps what runs in the background.
        *("src", "ansible_job_id", "results_file", "_ansible_remote_tmp", "_ansible_tmpdir", "_original_basename"),
    }
)
"""Names of values that differ between two runs of Ansible itself."""
_DATE_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?")
_TEMPORARY = re.compile(r"/ansible-local-[^/]+/tmp[^/]+")
_UNREACHABLE = re.compile(r"Failed to connect to the host via ssh: |EOF on stream; last 100 lines received:\s*")
"""What Ansible and mitogen put before the words of ssh: docs/fast.md lists this difference."""
FACTS = ("ansible_distribution", "ansible_system", "ansible_user_id", "ansible_effective_user_id", "ansible_hostname")
"""Facts whose values are compared; of the others the names."""


def normal(value: Any) -> Any:
    """Return a value without what differs between two runs of Ansible itself."""
    if isinstance(value, Mapping):
        if "ansible_architecture" in value:
            return {"names": sorted(value), **{name: value.get(name) for name in FACTS}}
        # The result of an asynchronous task has empty fields more: docs/fast.md lists this difference too.
        return {
            name: normal(item)
            for name, item in value.items()
            if name not in VOLATILE and (name, item) not in (("data", ""), ("warnings", []))
        }
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str):
        return _TEMPORARY.sub("/TEMPORARY", _UNREACHABLE.sub("", _DATE_TIME.sub("TIME", value)))
    return value


def in_any_order(explanation: str | None) -> set[str]:
    """Return the words of an explanation, which names the hosts in the order in which they have failed."""
    return set(re.findall(r"[\w.]+", re.sub(r"\bh[123]\b", "HOST", normal(explanation) or "")))


def summarize(events: list[dict[str, Any]]) -> list[str]:
    """Return the events of tasks and hosts in an order that does not depend on which host was faster."""
    found = []
    for event in events:
        data = event["event_data"]
        if event["event"] in ("verbose", "warning", "deprecated", "playbook_on_start", "runner_on_start"):
            continue
        if event["event"] == "runner_on_async_poll" or (event["event"], data.get("task")) == (
            "runner_retry",
            "Waited for",
        ):
            continue  # how often a task in the background is asked for
        names = {name: data.get(name) for name in ("play", "task", "host", "remote_addr", "changed", "ignore_errors")}
        found.append(json.dumps([event["event"], names, normal(data.get("res"))], sort_keys=True))
    return sorted(found)


@dataclass(frozen=True)
class Outcome:
    """What a run has led to."""

    end: tuple[Any, ...]
    events: list[str]
    shown: str
    choice: str | None
    """What `--fast` has chosen."""


def run_both(case: str, place: Path, hosts: Hosts, **options: Any) -> tuple[Outcome, Outcome]:
    """Run a case without and with `--fast`, in the same place."""
    outcomes = []
    for fast in (False, True):
        prepare(place)
        seen: list[dict[str, Any]] = []
        done = run(
            place, hosts, case, fast=fast, status_handler=lambda data, seen=seen, **_: seen.append(data), **options
        )
        events = read_events(done.artifact_path)
        outcomes.append(
            Outcome(
                (done.status, done.rc, done.stats, in_any_order(done.explanation)),
                summarize(events),
                "".join(event["stdout"] for event in events),
                seen[0].get("job_explanation"),
            )
        )
    return outcomes[0], outcomes[1]


def assert_same(plain: Outcome, fast: Outcome, chosen: str = "mitogen_linear") -> None:
    """Check what was used, and that the results are the same."""
    assert (fast.choice or "").startswith(f"fast: {chosen}")
    assert fast.end == plain.end
    assert [text for text in fast.events if text not in plain.events] == []
    assert [text for text in plain.events if text not in fast.events] == []
    assert len(fast.events) == len(plain.events)
    assert "strategy plugins" not in fast.shown, "the warning of ansible-core about other strategies is shown"


@pytest.mark.parametrize("case", CASES)
def test_the_results_are_the_same(case: str, fleet: Fleet) -> None:
    if not may_run(case):
        pytest.skip("only root may become another user without a password")
    plain, fast = run_both(case, fleet.directory.parent / "run", fleet)
    assert_same(plain, fast, "pipelining" if case == "limited" else "mitogen_linear")


@NEEDS_TUN
def test_a_host_behind_a_delay(tmp_path: Path) -> None:
    """Its answers arrive when the other host has long answered."""
    with DistantHosts(tmp_path / "hosts", 2) as hosts:
        hosts.network.shape(delay=0.15, source="h1")
        hosts.network.shape(delay=0.15, target="h1")
        worker = shlex.join([*hosts.inside, sys.executable, "-m", "playstream", "worker"])
        plain, fast = run_both("slow", tmp_path / "run", hosts, on=f"exec:{worker}")
        assert_same(plain, fast)
