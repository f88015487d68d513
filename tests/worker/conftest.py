"""A worker with a fake ansible-playbook that misbehaves on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDir
from tests.stages import Stages

FAKES = Path(__file__).parent / "fakes"
BEHAVIOURS = (
    "hang",
    "ignore-term",
    "flood",
    "flood-for-ever",
    "fork-and-exit",
    "daemons",
    "not-utf8",
    "kill-itself",
    "fail",
    "ask",
    "arguments",
    "show-tty",
    "show-policy",
    "quiet",
)


@pytest.fixture
def fake_ansible(stages: Stages) -> Stages:
    """Stages whose worker finds the fake before the real ansible-playbook."""
    stages.path_before.append(FAKES)
    return stages


@pytest.fixture
def misbehaving(private_data_dir: MakeDir) -> Path:
    """A private data directory with a playbook for each behaviour of the fake."""
    return private_data_dir({f"{name}.yml": "[]\n" for name in BEHAVIOURS})
