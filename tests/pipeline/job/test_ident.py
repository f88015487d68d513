"""Names that a run may not have, wherever they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from playstream.compat.ansible_runner import interface as ansible_runner
from playstream.interface.running import init_runner
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.ident import check_ident
from playstream.pipeline.runner_dialect.kwargs import read_kwargs
from tests.stages import Stages

REFUSED = (
    ".running",
    ".x",
    "..",
    "job_events",
    "fact_cache",
    "stdout",
    "stderr",
    "rc",
    "status",
    "command",
    "last",
    "latest",
    "last-failed",
)


@pytest.mark.parametrize("ident", REFUSED)
def test_a_name_of_something_else_is_refused_everywhere(ident: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ident"):
        check_ident(ident)
    with pytest.raises(ConfigurationError, match="ident"):
        init_runner(private_data_dir=str(tmp_path), module="ping", ident=ident)
    with pytest.raises(ConfigurationError, match="ident"):
        init_runner(private_data_dir=str(tmp_path), streamer="process", ident=ident)
    with pytest.raises(ConfigurationError, match="ident"):
        ansible_runner.init_runner(private_data_dir=str(tmp_path), streamer="process", ident=ident)
    with pytest.raises(ConfigurationError, match="ident"):
        read_kwargs({"ident": ident, "module": "ping"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ident", ["a.b", "7", "status2", "lasting", "Jobs of today"])
def test_other_names_are_taken(ident: str) -> None:
    assert check_ident(ident) == ident


@pytest.mark.parametrize("words", [("process",), ("run", "-m", "ping")])
def test_on_the_command_line(stages: Stages, tmp_path: Path, words: tuple[str, ...]) -> None:
    directory = tmp_path / "demo"
    directory.mkdir()
    done = stages.call(words[0], directory, *words[1:], "-i", "latest")
    assert done.returncode == ConfigurationError.exit_status
    assert b"ident 'latest' is reserved for playstream's own files" in done.stderr
    assert list(directory.iterdir()) == []


def test_an_ident_may_be_a_number_or_empty(tmp_path: Path) -> None:
    for ident, name in ((7, "7"), ("", "")):
        runner = ansible_runner.init_runner(private_data_dir=str(tmp_path), streamer="process", ident=ident)
        assert runner.config.ident == name
