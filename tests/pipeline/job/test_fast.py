"""The setting `fast`, and that a job which is only explained runs nothing on a worker that does not know it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.fast import release
from playstream.pipeline.job.job import check_job, make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.protocol import Job
from playstream.pipeline.runner_dialect.kwargs import write_kwargs
from tests.conftest import MakeDir


@pytest.fixture
def directory(private_data_dir: MakeDir) -> Path:
    """A directory with a playbook."""
    return private_data_dir({"site.yml": "[]\n"})


def make(directory: Path, delivery: Delivery = Delivery.TREE, **options: Any) -> Job:
    return make_job({"private_data_dir": directory, "playbook": "site.yml", **options}, delivery)


@pytest.mark.parametrize("options", [{"fast": "explain"}, {"settings": {"fast": "explain"}}])
@pytest.mark.parametrize("delivery", [Delivery.TREE, Delivery.IN_PLACE, Delivery.ARGUMENTS])
def test_an_explained_job_lists_hosts_where_the_setting_is_not_known(
    directory: Path, options: dict[str, Any], delivery: Delivery
) -> None:
    job = make(directory, delivery, **options)
    assert job.list_hosts
    assert check_job(job).list_hosts
    assert not release(job).list_hosts
    assert release(job).settings["fast"] == "explain"


def test_the_setting_of_the_directory_counts(directory: Path) -> None:
    (directory / "env").mkdir()
    (directory / "env" / "settings").write_text("fast: explain\n")
    assert make(directory).list_hosts


def test_it_travels_in_ansible_runners_protocol(directory: Path) -> None:
    kwargs = write_kwargs(make(directory, fast="explain", cmdline="--flush-cache"))
    assert kwargs["cmdline"] == "--list-hosts --flush-cache"
    assert kwargs["settings"] == {"fast": "explain"}
    received = make(directory, cmdline=kwargs["cmdline"], settings=kwargs["settings"])
    assert release(received).cmdline == ("--flush-cache",)
    assert not release(received).list_hosts


@pytest.mark.parametrize("value", [True, False])
def test_a_job_that_runs_is_not_changed(directory: Path, value: bool) -> None:
    job = make(directory, fast=value)
    assert not job.list_hosts
    assert release(job) == job
    assert make(directory, fast=value, list_hosts=True).list_hosts


def test_a_whole_command_line_cannot_be_held_back(directory: Path) -> None:
    (directory / "args").write_text("ansible-playbook site.yml\n")
    with pytest.raises(ConfigurationError, match="explain cannot be sent with a whole command line"):
        make(directory, fast="explain")
    assert make(directory, Delivery.IN_PLACE, fast="explain").command


@pytest.mark.parametrize("value", ["yes", 0, 1, [], {}])
def test_another_value_is_refused(directory: Path, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"settings: fast: expected true, false or explain, got "):
        make(directory, settings={"fast": value})
