"""The list of a submitter's jobs: a stream of its own, because the server judges a look at a stream as a whole."""

from __future__ import annotations

from playstream.mesh.client import MeshClient
from playstream.mesh.connection import CONNECT_SECONDS
from playstream.mesh.identity import Identity, Kind
from playstream.mesh.messages import Listed, decode
from playstream.mesh.subjects import JobSubjects, is_job, list_of
from playstream.pipeline.errors import ConfigurationError, LinkError

_NO_STREAM = 10059
"""Number of JetStream for a stream that does not exist."""


async def find_job(client: MeshClient, identity: Identity, job: str) -> JobSubjects:
    """Return a job by its name.

    Args:
        client: the connection.
        identity: its submitter, or an operator.
        job: the name.

    Raises:
        ConfigurationError: there is no such job, or not any more.
        LinkError: there is no answer.
    """
    if not is_job(job):
        raise ConfigurationError(
            f"job {job!r}: expected the name of a job, 26 letters and digits, as playstream run --detach and "
            "playstream mesh jobs print it"
        )
    found = await list_jobs(client, identity, job)
    if not found:
        whose = f"of the submitter {identity.name}" if identity.kind is Kind.SUBMITTER else "of this mesh"
        raise ConfigurationError(
            f"job {job!r} is none {whose}, or its results are not kept any more: by default a mesh keeps them for 7 "
            "days after it was submitted. playstream mesh jobs lists those that there are"
        )
    return found[0]


async def find_listed(client: MeshClient, job: JobSubjects) -> Listed:
    """Return what the list says about a job.

    Raises:
        LinkError: there is no answer, or no such job any more.
        RemoteProtocolError: the message has another form.
    """
    message = await client.find(list_of(job.submitter), job.listed, seconds=CONNECT_SECONDS)
    if message is None:
        raise LinkError(f"the job {job.job} has just been dropped from the list, because its time is over")
    return decode(Listed, message.data)


async def list_jobs(client: MeshClient, identity: Identity, job: str = "*") -> list[JobSubjects]:
    """Return the jobs of a submitter, or for an operator those of all.

    Args:
        client: the connection.
        identity: the submitter or operator.
        job: the name of the only one to look for.

    Raises:
        LinkError: there is no answer.
    """
    submitters = [identity.name] if identity.kind is Kind.SUBMITTER else identity.submitters
    found = []
    for submitter in submitters:
        stream = list_of(submitter)
        answer = await client.administer(f"STREAM.INFO.{stream}", {"subjects_filter": f"list.{submitter}.*.{job}"})
        error = answer.get("error")
        if error is not None and error.get("err_code") != _NO_STREAM:
            raise LinkError(f"the server does not list the jobs of {submitter}: {error.get('description')}")
        subjects = (answer.get("state") or {}).get("subjects") or {}
        found += [each for each in map(JobSubjects.parse_listed, subjects) if each is not None]
    return found
