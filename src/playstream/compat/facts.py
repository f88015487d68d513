"""Fact caches outside the artifacts, for a `fact_cache` that is a path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playstream.interface.config import RunnerConfig


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
