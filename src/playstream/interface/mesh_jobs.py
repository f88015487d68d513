"""Jobs of a mesh from Python: `playstream.mesh`.

The functions without a prefix wait; those that begin with `a` are for asyncio, and so is `stream`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, Unpack

from playstream.interface.aio import EventStream, await_runner
from playstream.interface.attached import AttachOptions, make_attached_runner
from playstream.interface.detached import SubmitOptions, submit_job
from playstream.interface.runner import Runner
from playstream.mesh.client import MeshClient
from playstream.mesh.health import MeshStatus, read_status
from playstream.mesh.identity import Identity, Kind, find_identity
from playstream.mesh.messages import Outcome
from playstream.mesh.overview import MeshJob, cancel_job, describe_jobs
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.job.options import StrPath

_T = TypeVar("_T")


def submit(**options: Unpack[SubmitOptions]) -> str:
    """Leave a job to a mesh, and return its name when all of it is on the server.

    Args:
        options: as for run(), with `on="nats://HOST/GROUP"`, without handlers and other options of results; and
            `max_job_bytes`.

    Raises:
        ConfigurationError: the job is not valid, or larger than `max_job_bytes`; or the extra `mesh` is missing.
        LinkError: it could not be sent.

    Example:
        >>> submit(private_data_dir="demo", playbook="site.yml", on="nats:///web")  # doctest: +SKIP
        'yw3q0s9k1f5m8x2c7v6b4n1a0z'
    """
    return submit_job(options)


async def asubmit(**options: Unpack[SubmitOptions]) -> str:
    """Do as submit(), without blocking the event loop. Cancelling the task gives the job up, and returns then."""
    cancellation = Cancellation()
    working = asyncio.ensure_future(asyncio.to_thread(submit_job, options, cancellation))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        cancellation.request("the asyncio task was canceled")
        await asyncio.wait([working])
        working.exception()  # it is told by the cancellation
        raise
    finally:
        cancellation.close()


def attach(job: str, **options: Unpack[AttachOptions]) -> Runner:
    """Follow a job of a mesh from its beginning to its end.

    Args:
        job: its name.
        options: `private_data_dir` for the artifacts, which are otherwise removed with the Runner; `identity`, the file
            of the submitter; `from_event`, the counter of the first event that is shown and that handlers get; the
            handlers and the options of results of run(). `ident` is the name of the job by default. A true result of
            `cancel_callback` detaches.

    Returns:
        The run. Its `cancel()` detaches: then it is over for this Runner, its `status` remains `running`, and the job
        goes on.

    Raises:
        ConfigurationError: an option is not valid, or there is no such job; or the extra `mesh` is missing.
        CallbackError: a cancel callback, artifacts handler or finished callback raised an exception.

    Example:
        >>> attach(job, private_data_dir="results").status  # doctest: +SKIP
        'successful'
    """
    runner = make_attached_runner(job, options)
    runner.run()
    return runner


async def aattach(job: str, **options: Unpack[AttachOptions]) -> Runner:
    """Do as attach(), without blocking the event loop. Cancelling the task detaches; the job goes on.

    Handlers are called in another thread.
    """
    return await await_runner(await asyncio.to_thread(make_attached_runner, job, options))


def stream(job: str, **options: Unpack[AttachOptions]) -> EventStream:
    """Follow a job of a mesh, and iterate over its events as they arrive.

    Args:
        job: its name.
        options: as for attach(); `quiet` defaults to True.

    Returns:
        An asynchronous iterator of events, as that of playstream.stream(). Leaving it early detaches; the job goes on.

    Example:
        >>> async def show(job):  # doctest: +SKIP
        ...     async for event in stream(job):
        ...         print(event["event"])
    """

    def prepare(**given: Any) -> Runner:
        return make_attached_runner(job, given)

    return EventStream(options, prepare)


def jobs(*, identity: StrPath | None = None) -> list[MeshJob]:
    """Return the jobs of a submitter, or for an operator those of all: the newest first.

    Args:
        identity: the file of the submitter or operator; None for that in PLAYSTREAM_MESH.

    Raises:
        ConfigurationError: there is no identity; or the extra `mesh` is missing.
        LinkError: the server does not answer.
    """
    return _wait_for(lambda: ajobs(identity=identity))


async def ajobs(*, identity: StrPath | None = None) -> list[MeshJob]:
    """Do as jobs(), without blocking the event loop."""
    return await _connected(identity, describe_jobs)


def cancel(job: str, *, identity: StrPath | None = None) -> bool:
    """End a job of a mesh, and wait until it has ended. One that waits for a node is never started.

    Args:
        job: its name.
        identity: the file of its submitter or of an operator; None for that in PLAYSTREAM_MESH.

    Returns:
        Whether it is canceled; False if it had ended before.

    Raises:
        ConfigurationError: there is no such job, or no identity; or the extra `mesh` is missing.
        JobError: its node does not end it.
        LinkError: the server does not answer.
    """
    return _wait_for(lambda: acancel(job, identity=identity))


async def acancel(job: str, *, identity: StrPath | None = None) -> bool:
    """Do as cancel(), without blocking the event loop."""

    async def end(client: MeshClient, who: Identity) -> bool:
        return (await cancel_job(client, who, job)).outcome is Outcome.CANCELED

    return await _connected(identity, end)


def status(*, identity: StrPath | None = None) -> MeshStatus:
    """Return how a mesh is: the version of its server, its nodes, and for an operator the queues of its groups.

    Args:
        identity: the file of the submitter or operator; None for that in PLAYSTREAM_MESH.

    Raises:
        ConfigurationError: there is no identity; or the extra `mesh` is missing.
        LinkError: the server does not answer.
    """
    return _wait_for(lambda: astatus(identity=identity))


async def astatus(*, identity: StrPath | None = None) -> MeshStatus:
    """Do as status(), without blocking the event loop."""
    return await _connected(identity, read_status)


async def _connected(identity: StrPath | None, work: Callable[[MeshClient, Identity], Coroutine[Any, Any, _T]]) -> _T:
    who = find_identity(identity, Kind.SUBMITTER, Kind.OPERATOR)
    client = MeshClient(who.endpoint)
    await client.connect()
    try:
        return await work(client, who)
    finally:
        await client.close()


def _wait_for(make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine in an event loop of its own: this thread may have one that runs, as in a notebook."""
    with ThreadPoolExecutor(1, "playstream-mesh") as pool:
        return pool.submit(lambda: asyncio.run(make())).result()
