"""From the requirements of a project to what the job gets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from playstream.galaxy.cache import Cache
from playstream.galaxy.digest import digest_requirements
from playstream.galaxy.installation import PROGRAM, find_program, install, make_environment
from playstream.galaxy.requirements import explain_none, find_requirements
from playstream.pipeline.errors import GalaxyError
from playstream.pipeline.io.cancellation import Cancellation
from playstream.pipeline.job.galaxy import Installed
from playstream.pipeline.tree.user_cache import cache_place
from playstream.worker.hello import find_ansible_core


def provide(
    project: Path, envvars: Mapping[str, str], *, refresh: bool = False, cancellation: Cancellation | None = None
) -> Installed | None:
    """Return the collections and roles that a project requires, from the cache if they are there.

    Args:
        project: the directory of the playbooks.
        envvars: the variables of the job; those that configure ansible-galaxy have an effect.
        refresh: install them in any case, so that versions that are not pinned are the newest.
        cancellation: requests to stop; None if it cannot be requested.

    Returns:
        None if the files name nothing.

    Raises:
        ConfigurationError: there is no file with requirements, or one cannot be read.
        ExecutableNotFound: ansible-galaxy is not on this host.
        GalaxyError: ansible-galaxy has failed, or what is required changed while it was installed.
        Canceled: a stop was requested; nothing remains of what was begun.
        OSError: the cache cannot be written.
    """
    files = find_requirements(project)
    if not files:
        raise explain_none(project)
    if not any(file.collections or file.roles for file in files):
        return None
    program = find_program()
    env = make_environment(envvars)
    version = find_ansible_core(PROGRAM) or _identify(program)
    key = digest_requirements(files, project, version, env)

    def work(room: Path) -> None:
        install(files, project=project, env=env, program=program, cancellation=cancellation, target=room)
        if digest_requirements(files, project, version, env) != key:
            raise GalaxyError(
                "galaxy: what the project requires changed while it was installed, so it is not clear what the "
                "installation contains. Run the command again when nothing changes it"
            )

    return Cache(cache_place("galaxy")).get(key, work, cancellation, refresh=refresh)


def _identify(program: str) -> str:
    """Return what changes when a program is installed again, if its version is not known."""
    found = Path(program).stat()
    return f"{program} {found.st_size} {found.st_mtime_ns}"
