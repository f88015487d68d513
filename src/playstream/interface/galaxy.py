"""Collections and roles for a job: the option `galaxy` of run(), for jobs that are sent and for those of this host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playstream.galaxy.provision import provide
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.job.roles import check_role
from playstream.pipeline.protocol import Job

if TYPE_CHECKING:
    from playstream.pipeline.io.cancellation import Cancellation
    from playstream.pipeline.tree.meter import Meter
    from playstream.transmit import Transmitter

Galaxy = bool | Literal["refresh"] | None
"""Whether to install what the project requires; `refresh` to install it again."""


def add_to_transmitter(
    transmitter: Transmitter,
    galaxy: Galaxy,
    *,
    knows_galaxy: bool = True,
    cancellation: Cancellation | None = None,
    meter: Meter | None = None,
) -> None:
    """Install what the project of a job requires, and let it travel with the job.

    Args:
        transmitter: the job and its tree.
        galaxy: the option; nothing happens if it is false.
        knows_galaxy: whether the worker is playstream's.
        cancellation: requests to stop; None if it cannot be requested.
        meter: is active meanwhile.

    Raises:
        PlaystreamError: it cannot be installed, or the role of the job is missing.
        Canceled: a stop was requested.
    """
    if galaxy:
        with _active(meter):
            installed = provide(
                transmitter.project, transmitter.job.envvars, refresh=galaxy == "refresh", cancellation=cancellation
            )
        transmitter.add_galaxy(installed, knows_galaxy=knows_galaxy)


def add_to_job(
    job: Job, private_data_dir: Path, galaxy: Galaxy, cancellation: Cancellation | None, meter: Meter | None = None
) -> tuple[Job, object]:
    """Install what the project of a job of this host requires, and let the job find it in the cache.

    Args:
        job: the job.
        private_data_dir: the directory that its paths are relative to.
        galaxy: the option, which is true.
        cancellation: requests to stop; None if it cannot be requested.
        meter: is active meanwhile.

    Returns:
        The job, and what must be kept until it has ended.

    Raises:
        PlaystreamError: it cannot be installed, or the role of the job is missing.
        Canceled: a stop was requested.
    """
    project = private_data_dir / job.project_dir
    with _active(meter):
        installed = provide(project, job.envvars, refresh=galaxy == "refresh", cancellation=cancellation)
    check_role(job, private_data_dir, Delivery.IN_PLACE, os.environ, installed)
    if installed is None:
        return job, None
    return replace(job, galaxy=str(installed.directory)), installed


@contextmanager
def _active(meter: Meter | None) -> Iterator[None]:
    if meter is not None:
        meter.begin()
    try:
        yield
    finally:
        if meter is not None:
            meter.end()
