"""What `repr()` and a notebook show of runs and results."""

from __future__ import annotations

import asyncio
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.compat import ansible_runner
from playstream.compat.ansible_runner.config.command import CommandConfig
from playstream.interface import describing
from tests.interface.programs import INVENTORY, fake, play

SECRET = "open-sesame"  # noqa: S105 - what must not be shown
HOSTS: dict[str, Any] = {"<b>node1": {}, "node2\u202e": {}, "node3": {}}
SECRETS: dict[str, Any] = {
    "extravars": {"token": SECRET},
    "envvars": {"TOKEN": SECRET},
    "passwords": {"become": SECRET, f"{SECRET}:": SECRET},
    "ssh_key": SECRET,
    "cmdline": f"-e token={SECRET}",
    "settings": {"token": SECRET},
}


@pytest.fixture(scope="module")
def runner(module_tmp: Path) -> playstream.Runner:
    """A run in which one of three hosts fails."""
    tasks: list[dict[str, Any]] = [
        {"name": "Tell", "debug": {"msg": SECRET}, "loop": [SECRET]},
        {"name": "Change", "command": "true", "when": "inventory_hostname == 'node3'"},
        {"name": "x" * 100, "fail": {"msg": SECRET}, "when": "inventory_hostname == 'node3'"},
    ]
    options: dict[str, Any] = {"extravars": {"token": SECRET}, "passwords": {"x": SECRET}, "quiet": True}
    inventory = {"all": {**INVENTORY["all"], "hosts": HOSTS}}
    return playstream.run(
        playbook=[play(*tasks)], inventory=inventory, ident="nightly", artifact_dir=module_tmp / "artifacts", **options
    )


def test_a_run_that_has_ended(runner: playstream.Runner) -> None:
    assert repr(runner) == "<Runner 'nightly' (1 play): failed, rc 2>"
    assert repr(runner.config) == "<RunnerConfig 'nightly': 1 play>"
    events = runner.events
    assert repr(events) == "<Events of run 'nightly': 0 read>"
    next(events)
    assert repr(events) == "<Events of run 'nightly': 1 read>"


def test_results(runner: playstream.Runner) -> None:
    results = runner.results
    assert repr(results) == "<TaskResults: 9 results of 3 hosts>"
    of_host = results.by_host["node3"]
    assert [repr(result) for result in of_host] == [
        "<TaskResult: 'Tell' on 'node3': ok>",
        "<TaskResult: 'Change' on 'node3': ok, changed>",
        f"<TaskResult: '{'x' * 60}…' on 'node3': failed>",
    ]
    assert repr(of_host[0].items) == "(<ItemResult: ok>,)"
    assert SECRET in str(of_host[0].res)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"private_data_dir": "demo", "playbook": "site.yml"}, "playbook 'site.yml' in 'DIR/demo'"),
        ({"playbook": [{"hosts": SECRET}, {"hosts": SECRET}]}, "2 plays"),
        ({"playbook": {"hosts": SECRET}}, "1 play"),
        ({"tasks": {"debug": {"msg": SECRET}}}, "1 task"),
        ({"tasks": [{"debug": {"msg": SECRET}}] * 3}, "3 tasks"),
        ({"module": "shell", "module_args": SECRET}, "module 'shell'"),
        ({"role": "web", "role_vars": {"token": SECRET}}, "role 'web'"),
        ({"playbook": f"{'a' * 40}/{'b' * 40}.yml"}, f"playbook '{'a' * 30}…{'b' * 26}.yml'"),
        ({"playbook": "\x1b[2J.yml"}, r"playbook '\x1b[2J.yml'"),
        ({}, ""),
    ],
)
def test_configurations(
    options: dict[str, Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = playstream.RunnerConfig(ident="a", **options, **SECRETS)
    what = f": {expected}" if expected else ""
    assert repr(config) == f"<RunnerConfig 'a'{what}>".replace("DIR", str(tmp_path))
    assert repr(playstream.Runner(config)) == f"<Runner 'a'{f' ({config.describe()})' if expected else ''}: unstarted>"


def test_commands(tmp_path: Path) -> None:
    program = fake(tmp_path, "exit 3")
    thread, runner = playstream.run_command_async(program, [SECRET], ident="c")
    thread.join()
    shown = describing.quote(program)
    assert repr(runner) == f"<Runner 'c' (command {shown}): failed, rc 3>"
    assert repr(runner.config) == f"<CommandConfig 'c': command {shown}>"
    assert repr(CommandConfig()).startswith("<CommandConfig '")


def test_what_is_not_complete_can_be_shown() -> None:
    for cls in (playstream.RunnerConfig, ansible_runner.RunnerConfig, CommandConfig):
        assert repr(cls.__new__(cls)) == f"<{cls.__name__} ''>"


def test_an_event_stream(tmp_path: Path) -> None:
    async def look() -> tuple[str, str]:
        stream = playstream.stream(module="ping", inventory="a,", ident="s", binary=fake(tmp_path, "exit 0"))
        before = repr(stream)
        async for _ in stream:
            pass
        return before, repr(stream)

    assert asyncio.run(look()) == (
        "<EventStream: not started>",
        "<EventStream: <Runner 's' (module 'ping'): successful, rc 0>>",
    )


class _Cells(HTMLParser):
    """Collects the rows of tables, and the names of the elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        assert not attrs
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1][-1] += data


def test_a_notebook_shows_status_hosts_and_explanation(runner: playstream.Runner) -> None:
    runner_explanation = runner.explanation
    runner.explanation = "<script>alert(1)</script> & more"
    try:
        shown = runner._repr_html_()
    finally:
        runner.explanation = runner_explanation
    cells = _Cells(shown)
    assert cells.elements == {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert cells.rows[:4] == [
        ["runs", "1 play"],
        ["status", "failed"],
        ["rc", "2"],
        ["explanation", "<script>alert(1)</script> & more"],
    ]
    assert cells.rows[4] == ["host", "ok", "changed", "failures", "unreachable", "skipped", "rescued", "ignored"]
    assert [row[:4] for row in cells.rows[5:]] == [
        ["node3", "2", "1", "1"],
        ["<b>node1", "1", "0", "0"],
        [r"node2\u202e", "1", "0", "0"],
    ]
    assert SECRET not in shown


def test_a_notebook_before_the_run_and_without_events(tmp_path: Path) -> None:
    runner = playstream.init_runner(module="ping", inventory="a,", binary=fake(tmp_path, "exit 0"), quiet=True)
    before = runner._repr_html_()
    assert _Cells(before).rows == [["runs", "module 'ping'"], ["status", "unstarted"]]
    runner.run()
    assert _Cells(runner._repr_html_()).rows[1:] == [["status", "successful"], ["rc", "0"]]


def test_a_notebook_of_a_run_without_statistics(tmp_path: Path) -> None:
    """As of one that was killed: its events are counted, and there is no table if they are gone."""
    runner = playstream.run(
        playbook=play({"ping": {}}),
        inventory=INVENTORY,
        quiet=True,
        artifact_dir=tmp_path / "a",
        event_handler=lambda event: event["event"] != "playbook_on_stats",
    )
    assert runner.stats is None
    assert _Cells(runner._repr_html_()).rows[-1][:2] == ["node1", "1"]
    for path in (runner.artifact_path / "job_events").iterdir():
        path.unlink()
    assert "node1" not in runner._repr_html_()


def test_many_hosts_in_a_notebook() -> None:
    counts = {f"node{number}": {"ok": 1, "failures": int(number == 250)} for number in range(300)}
    shown = describing.make_html("x", [], counts)
    names = [row[0] for row in _Cells(shown).rows[1:]]
    assert len(names) == 100
    assert names[0] == "node250"
    assert re.search(r"<p>and 200 more hosts</p>", html.unescape(shown))
