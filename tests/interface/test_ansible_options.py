"""Options that Ansible's command line has too: switches, and several playbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.job import check_job
from playstream.pipeline.protocol import Job
from playstream.pipeline.runner_dialect.kwargs import read_kwargs, write_kwargs
from playstream.transmit.stage import Transmitter
from tests.interface.programs import INVENTORY, play

NOTHING = ("--list-hosts", "--syntax-check", "--list-tasks", "--list-tags")


def test_switches_that_are_off_have_no_effect() -> None:
    runner = playstream.run(
        module="debug", inventory=INVENTORY, quiet=True, check=False, become=False, syntax_check=False, list_hosts=False
    )
    assert (runner.status, runner.explanation) == ("successful", None)
    assert not {"--check", "--become", *NOTHING} & set(runner.config.command)


@pytest.mark.parametrize("option", ["syntax_check", "list_hosts", "list_tasks", "list_tags"])
def test_a_switch_with_which_nothing_runs(option: str) -> None:
    """Even with an inventory that has no host, which a run would explain."""
    playbook = [{**play({"fail": {"msg": "it has run"}}), "hosts": "nobody"}]
    options: dict[str, Any] = {option: True}
    runner = playstream.run(playbook=playbook, inventory="n,", quiet=True, **options)
    with runner.stdout as shown:
        assert "it has run" not in shown.read()
    assert (runner.stats, runner.explanation) == (None, None)


def test_several_playbooks(demo: Path) -> None:
    (demo / "project" / "more").mkdir()
    (demo / "project" / "more" / "last.yml").write_text("[{hosts: all, gather_facts: false, tasks: [{debug: {}}]}]")
    runner = playstream.run(private_data_dir=demo, playbook=["site.yml", Path("more/last.yml")], quiet=True)
    assert runner.status == "successful"
    assert [event["event"] for event in runner.events].count("playbook_on_start") == 2
    assert runner.config.command[-2:] == ["site.yml", "more/last.yml"]
    alone = playstream.run(private_data_dir=demo, playbook="site.yml", quiet=True)
    assert runner.stats is not None
    assert alone.stats is not None
    assert runner.stats["ok"]["node1"] == alone.stats["ok"]["node1"] + 1


def test_several_playbooks_are_sent_whole_or_not_at_all(demo: Path) -> None:
    (demo / "project" / "last.yml").write_text("[]")
    options = {"private_data_dir": demo, "playbook": ["site.yml", "last.yml"]}
    job = Transmitter(options).job
    assert (job.playbook, job.more_playbooks) == ("site.yml", ("last.yml",))
    with pytest.raises(ConfigurationError, match=r"playbook 'project/last\.yml' would not reach the worker"):
        Transmitter(options, exclude=["last.yml"])
    with pytest.raises(ConfigurationError, match="expected one, got 2: ansible-runner's protocol carries a single"):
        write_kwargs(job)


def test_playbooks_without_the_first_are_refused_by_a_worker() -> None:
    with pytest.raises(ConfigurationError, match="more_playbooks: expected a playbook that they follow"):
        check_job(Job("7", module="ping", more_playbooks=("a.yml",)))


def test_in_ansible_runners_protocol_they_are_words(demo: Path) -> None:
    sent = write_kwargs(Job("7", playbook="site.yml", user="x", become=True, list_hosts=True, cmdline=("--diff",)))
    assert sent["cmdline"] == "--user x --become --list-hosts --diff"
    assert read_kwargs(sent, demo).cmdline == ("--user", "x", "--become", "--list-hosts", "--diff")
