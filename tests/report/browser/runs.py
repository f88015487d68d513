"""Runs whose pages are opened."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.report.events import result, stats

_START = datetime(2026, 11, 30, 10, tzinfo=UTC)
DIFF = {"before": "a\nb\nc\n", "after": "a\nB\nc\n", "before_header": "/etc/app", "after_header": "/etc/app"}


def timed(host: str, task: str, start: float, took: float, status: str = "ok", **more: Any) -> dict[str, Any]:
    """The end of a task on a host, with its times in seconds after the run began."""
    begin, end = (_START + timedelta(seconds=seconds) for seconds in (start, start + took))
    times = {"start": begin.isoformat(), "end": end.isoformat(), "duration": took}
    return {**result(host, task, status, **times, **more), "created": end.isoformat()}


def small_run() -> list[dict[str, Any]]:
    """A run with something of each kind: three hosts, five tasks."""
    command = {"msg": "non-zero return code", "rc": 3, "cmd": ["false", "-x"], "stderr": "it broke", "stdout": "out"}
    facts = {"ansible_facts": {f"fact_{number}": {"value": number, "list": [1, 2]} for number in range(300)}}
    return [
        {
            "event": "playbook_on_start",
            "created": _START.isoformat(),
            "runner_ident": "nightly",
            "event_data": {"playbook": "site.yml"},
        },
        *(timed(f"web{number}", "Gather facts", 0, 1 + number / 10, res=facts) for number in (1, 2, 3)),
        timed("web1", "Configure", 2, 1, res={"changed": True, "diff": DIFF}),
        timed("web2", "Configure", 2, 9, res={"changed": True, "diff": DIFF}),
        timed("web3", "Configure", 2, 1.2, res={"changed": False}),
        timed("web1", "Restart", 11, 0.5, res={"changed": True}),
        timed("web2", "Restart", 11, 0.4, "failed", res=command),
        timed("web3", "Restart", 11, 3, "unreachable", res={"msg": "no route to host"}),
        timed("web1", "Check", 14, 0.2, "failed", res={"msg": "not there"}, ignore_errors=True),
        timed("web1", "Clean", 15, 0.1, "skipped"),
        stats(
            ok={"web1": 4, "web2": 2, "web3": 2},
            changed={"web1": 2, "web2": 1},
            failures={"web2": 1},
            dark={"web3": 1},
            skipped={"web1": 1},
            ignored={"web1": 1},
        ),
    ]


def large_run(hosts: int, tasks: int) -> Iterator[dict[str, Any]]:
    """A run of any size: 50 forks, a few failures, and results that differ from each other."""
    chance = random.Random(1)
    names = [f"web{number:04}.example.com" for number in range(hosts)]
    failed: dict[str, int] = {}
    now = 0.0
    yield {"event": "playbook_on_start", "created": _START.isoformat(), "event_data": {"playbook": "site.yml"}}
    for task in range(tasks):
        free = [now] * min(50, hosts)
        for host in names:
            if host in failed:
                continue
            fork = free.index(min(free))
            took = chance.lognormvariate(-0.5, 0.5) * (8 if chance.random() < 0.002 else 1)
            changed = chance.random() < 0.15
            res = {
                "changed": changed,
                "rc": 0,
                "stdout": f"value {chance.randrange(10**9)} of {host}\n" * 3,
                "invocation": {"module_args": {"name": f"package-{task}", "state": "present", "force": False}},
            }
            if changed and task % 3 == 0:
                res["diff"] = DIFF
            status = "ok"
            if chance.random() < 20 / (hosts * tasks):
                status, failed[host] = "failed", 1
                res = {"msg": "non-zero return code", "rc": 2, "stderr": f"job {chance.randrange(9)} has failed"}
            more = {"res": res, "role": "app" if task % 2 else None, "task_uuid": f"u{task}"}
            yield timed(host, f"Task {task} of the play", free[fork], took, status, **more)
            free[fork] += took
        now = max(free)
    yield stats(ok=dict.fromkeys(names, 1), failures=failed)
