"""Sending a job to a mesh without following it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from playstream.interface.mesh_terms import OF_MESH, ask_mesh
from playstream.interface.options import RunOptions
from playstream.interface.remote import prepare_remote
from playstream.links import find_link
from playstream.links.nats import NatsLink
from playstream.mesh.submission import DEFAULT_JOB_BYTES, too_large
from playstream.pipeline.errors import ConfigurationError, LinkError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, seconds_of
from playstream.pipeline.io.stdio import connect
from playstream.transmit.sending import transmit

if TYPE_CHECKING:
    from playstream.pipeline.tree.meter import Meters

_OF_RESULTS = ("artifact_dir", "rotate_artifacts", "capture", "force", "check_job_event_data", "suppress_output_file")
_logger = logging.getLogger("playstream")


class SubmitOptions(RunOptions, total=False):
    """Options of submit()."""

    max_job_bytes: int | None
    """The size of the largest job that is sent: of its files before, and of what is sent meanwhile (default: 1 GiB)."""


def submit_job(
    options: Mapping[str, Any], cancellation: Cancellation | None = None, meters: Meters | None = None
) -> str:
    """Send a job to a mesh. Return its name when all of it is on the server.

    Args:
        options: as for submit().
        cancellation: requests to give the job up; None if it cannot be requested.
        meters: count what is installed and sent; None for nothing.

    Raises:
        ConfigurationError: the job is not valid or too large, or an option concerns its results.
        LinkError: it could not be sent.
        Canceled: it was given up.
    """
    rest = {name: value for name, value in options.items() if name not in (*OF_MESH, "on", "max_job_bytes")}
    max_bytes = options.get("max_job_bytes")
    if max_bytes is None:
        max_bytes = DEFAULT_JOB_BYTES
    if not isinstance(max_bytes, int) or max_bytes < 1:
        raise ConfigurationError(f"max_job_bytes: expected a number of bytes, 1 or more, got {max_bytes!r}")
    link = find_link(str(options.get("on") or "local:"))
    if not isinstance(link, NatsLink):
        raise ConfigurationError("a job can be left to a mesh only: expected on='nats://HOST/GROUP'")
    ask_mesh(link, {name: options.get(name) for name in OF_MESH})
    for name in _OF_RESULTS:
        if rest.get(name):
            raise ConfigurationError(f"{name}: concerns the results of a job that is left to a mesh: pass it to attach")
    with ExitStack() as ours:
        cancellation = cancellation or ours.enter_context(closing(Cancellation()))
        prepared = prepare_remote(rest, link, cancellation, meters)
        if prepared.handlers:
            name = next(iter(prepared.handlers))
            raise ConfigurationError(f"{name}: concerns the results of a job that is left to a mesh: pass it to attach")
        size = prepared.transmitter.measure()
        if size > max_bytes:
            raise too_large(f"{size:,} bytes of files", max_bytes)
        opened = link.open_detached(max_bytes)
        ours.callback(opened.close)
        ours.callback(opened.end, wait=False)
        connection = ours.enter_context(connect({}, _logger.warning, writer=opened.writer))
        try:
            transmit(
                prepared.transmitter,
                connection,
                keepalive_seconds=seconds_of(prepared.options, "keepalive_seconds", DEFAULT_KEEPALIVE_SECONDS),
                liveness_seconds=0.0,
                cancellation=cancellation,
                meter=None if meters is None else meters.sending,
            )
        except LinkError as error:
            opened.end(wait=False)
            raise opened.explain(error, answered=False) from None
        return opened.deliver(cancellation)
