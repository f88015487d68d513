"""Differences in how ansible-runner's configuration prepares the program's name, the fact cache, and prompts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playstream.interface.config import RunnerConfig
from playstream.pipeline.errors import ExecutableNotFound
from playstream.pipeline.job.passwords import check_passwords, sort_passwords
from playstream.worker.command import find_executable


def short_name(path: str, given: str | None, env: Mapping[str, str], cwd: str) -> str:
    """Return the name of a program if it finds the same program and the path was not `given`; else the path."""
    name = os.path.basename(path)
    return name if path != given and find_path(name, env, cwd) == path else path


def find_path(name: str, env: Mapping[str, str], cwd: str) -> str | None:
    """Return the path of a program on the PATH or next to this Python; None if it is not found."""
    try:
        return find_executable(name, env, Path(cwd))
    except ExecutableNotFound:
        return None


def report_missing(name: str) -> list[str]:
    """Return a command that reports a missing program in ansible-runner's words, and exits with 127."""
    message = f"The command was not found or was not executable: {name}."
    return ["/bin/sh", "-c", 'printf "%s\\n" "$1"; exit 127', "sh", message]


@contextmanager
def facts_elsewhere(config: RunnerConfig, job_options: dict[str, Any], *, containerized: bool) -> Iterator[None]:
    """Prepare the configuration with a fact cache outside the artifacts.

    Ansible itself reads and writes the cache, as if ansible.cfg configured it; a container has its own. The
    configuration contains the path.

    Args:
        config: the configuration to prepare.
        job_options: its options for the job; changed.
        containerized: whether the job runs in a container.
    """
    given = config.settings.get("fact_cache") or config.options.get("fact_cache") or ""
    place = config.fact_cache
    if place is None or not (os.path.isabs(given) or ".." in given.split("/")):
        yield
        return
    settings = {name: value for name, value in job_options["settings"].items() if not name.startswith("fact_cache")}
    job_options.pop("fact_cache", None)
    if not containerized:
        settings["fact_cache_type"] = job_options["fact_cache_type"] = ""
        job_options["envvars"] |= {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": place}
    job_options["settings"] = settings
    yield
    config.settings |= {"fact_cache": given, "fact_cache_type": "jsonfile"}


_FLAGS = {re.IGNORECASE: "i", re.DOTALL: "s", re.VERBOSE: "x"}
"""Flags of an expression that are kept. MULTILINE is always set, and bytes are always ASCII."""


def compile_prompts(passwords: Mapping[str, str]) -> dict[Any, str | None]:
    """Compile the expressions in `passwords`; return them with their answers. Named passwords have no expression."""
    prompts = sort_passwords(passwords).prompts
    return {re.compile(pattern, re.MULTILINE): answer for pattern, answer in prompts.items()}


def with_prompts(passwords: Mapping[str, str], expected: Mapping[Any, Any]) -> dict[str, str]:
    """Return the named passwords, and the prompts in `expected` that have an answer.

    Other keys, such as pexpect.EOF, which ends the wait for a prompt in ansible-runner, are ignored.

    Raises:
        ConfigurationError: an expression or an answer is invalid.
    """
    named = sort_passwords(passwords).prompts.keys() ^ passwords.keys()
    prompts = {
        _text(pattern): answer
        for pattern, answer in expected.items()
        if answer is not None and isinstance(pattern, (str, re.Pattern))
    }
    return {name: passwords[name] for name in named} | check_passwords("expect_passwords", prompts)


def _text(pattern: str | re.Pattern[Any]) -> str:
    """Return an expression as text, including its flags."""
    if isinstance(pattern, str):
        return pattern
    text = pattern.pattern.decode() if isinstance(pattern.pattern, bytes) else str(pattern.pattern)
    letters = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    return f"(?{letters}){text}" if letters else text
