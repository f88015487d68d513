"""The paths of one job on the worker's host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PLUGINS = Path(__file__).parent.parent / "plugin"
PLUGIN_DIR = PLUGINS / "callback"
"""The directory to add to Ansible's callback path; the plugin is never imported here."""
CACHE_PLUGIN_DIR = PLUGINS / "cache"
"""The directory to add to Ansible's path of cache plugins if facts are written to the artifacts."""
SURVEY_DIR = PLUGINS / "survey"
"""The program that looks at a job for `--fast`; Ansible's own Python runs it."""

TEMPORARY = "temporary"
"""The name in a spool of a link to a directory that Ansible removes at its end, but not when it is killed."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths. All except the private data directory and the project are in the spool, which is private."""

    private_data_dir: Path
    project: Path
    """Directory of the playbooks; it need not exist."""
    run_dir: Path
    """Directory with the run's private files: pipes, extra variables, a playbook that is not a file."""
    artifact_dir: Path
    spool: Path
    in_place: bool = False
    """True if the private data directory is the user's own and only read; otherwise a tree may have been sent into
    it."""
    galaxy: Path | None = None
    """Directory with the collections and roles that were installed for the job; None for none."""

    @property
    def events(self) -> Path:
        """The FIFO that the callback plugin writes events into."""
        return self.run_dir / "events"

    @property
    def origin(self) -> Path:
        """The FIFO from which the plugin reads the first numbers of its events and lines."""
        return self.run_dir / "origin"

    @property
    def temporary(self) -> Path:
        """A link to the directory in TMPDIR that Ansible creates for a socket; the callback plugin makes the link."""
        return self.spool / TEMPORARY

    @property
    def agent(self) -> Path:
        """The socket of the run's own ssh-agent."""
        return self.run_dir / "agent"

    @property
    def ssh_key(self) -> Path:
        """The FIFO through which the private key is passed to the agent."""
        return self.run_dir / "ssh_key"

    @property
    def control(self) -> Path:
        """Directory with the sockets of the run's own ssh connections."""
        return self.run_dir / "cp"

    @property
    def started(self) -> Path:
        """The file that exists once the job was started in its container or sandbox."""
        return self.run_dir / "started"

    @property
    def cwd(self) -> Path:
        """The directory in which Ansible is started."""
        return self.project if self.project.is_dir() else self.private_data_dir
