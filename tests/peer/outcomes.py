"""A pytest plugin for ansible-runner's own tests: which ansible_runner they get, and how each of them ended.

It is loaded by its name, with this directory on Python's path, in an environment that has both packages.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_OUTCOMES: dict[str, tuple[str, str]] = {}

if os.environ["PEER_SIDE"] == "ours":
    import playstream.compat

    playstream.compat.install()
    # Tests beside those of this name are collected; those that use it fail.
    private = ModuleType("ansible_runner.config._base")
    vars(private)["BaseConfig"] = type("BaseConfig", (), {})
    sys.modules[private.__name__] = private


def pytest_runtest_logreport(report: Any) -> None:
    """Note how a test ended: the first step that did not pass counts."""
    passed = report.outcome == "passed"
    if report.nodeid not in _OUTCOMES or (_OUTCOMES[report.nodeid][0] == "passed" and not passed):
        lines = str(report.longrepr or "").splitlines()
        errors = [line for line in lines if line.startswith("E  ")]
        _OUTCOMES[report.nodeid] = (report.outcome, (errors or lines or [""])[0][:300])


def pytest_sessionfinish() -> None:
    """Write what was noted."""
    Path(os.environ["PEER_OUTCOMES"]).write_text(json.dumps(_OUTCOMES), encoding="utf-8")
