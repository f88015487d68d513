"""The keyword arguments of jobs: their names and types, and which are also settings or options of Ansible.

The names and meanings are those of ansible-runner, which are part of its protocol. If its documentation is unclear,
docs/python.md describes the behaviour.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

from playstream.pipeline.job.isolation import ISOLATION_KEYS

StrPath = str | os.PathLike[str]
"""A path. An empty one is an error, like an empty Name."""
Name = Annotated[str, "name"]
"""The name of something. An empty one, probably from an unset variable, is an error: it would mean something
unintended, such as the current directory or all hosts."""


class ResultOptions(TypedDict, total=False):
    """Options of what is shown and kept of a run. None is the same as a missing option."""

    ident: str | int | UUID | None
    """Name of the run and of its artifact directory; a new uuid when None. '' for no directory of its own."""
    artifact_dir: StrPath | None
    """Where the run's directory is created; `artifacts` of the private data directory when None."""
    rotate_artifacts: int
    """Keep at most this many artifact directories; 0, the default, keeps all."""
    quiet: bool
    """Do not print Ansible's output."""
    json_mode: bool
    """Print the events as JSON lines instead of Ansible's output, and keep them as the artifact `stdout`."""
    raw_output: bool
    """Print the output unchanged, including control sequences other than colours."""
    check_job_event_data: bool
    """Raise IncompleteStream when events are missing at the end."""
    suppress_output_file: bool
    """Do not write the artifact `stdout`."""
    suppress_ansible_output: bool
    """The same as `quiet`."""


class SharedOptions(ResultOptions, total=False):
    """Options that jobs and commands share. None is the same as a missing option."""

    project_dir: StrPath | None
    """Directory of the playbooks; `project` of the private data directory when None."""
    envvars: Mapping[str, Any] | None
    """Environment variables for Ansible."""
    passwords: Mapping[str, Any] | None
    """`ssh`, `become`, `vault`, `vault:ID`, `ssh_key`, or the regular expression of a prompt, to the password."""
    settings: Mapping[str, Any] | None
    """Settings, as in `env/settings`."""
    ssh_key: str | None
    """Text of a private key, for the run's own ssh-agent."""
    timeout: float | None
    """Seconds after which the job is ended; 0 or None for no limit."""
    suppress_env_files: bool
    """No effect: nothing is ever written to `env/`."""
    env_files_win: bool
    """Names in `env/envvars`, `env/passwords` and `env/settings` override the arguments, as in ansible-runner."""
    fact_cache: str | None
    """Name of the directory of facts in the artifacts; `fact_cache` when None."""
    fact_cache_type: str | None
    """`jsonfile`, the default, or another cache plugin; '' leaves the cache to Ansible's configuration."""
    process_isolation: bool
    """Run in a container or under bwrap."""
    process_isolation_executable: Name | None
    """`podman`, the default, `docker` or `bwrap`."""
    process_isolation_path: StrPath | None
    process_isolation_hide_paths: Name | Sequence[Name] | None
    process_isolation_show_paths: Name | Sequence[Name] | None
    process_isolation_ro_paths: Name | Sequence[Name] | None
    container_image: Name | None
    container_volume_mounts: Sequence[str] | None
    container_options: Sequence[str] | None
    container_auth_data: Mapping[str, Any] | None
    container_workdir: Name | None
    host_cwd: StrPath | None


class JobOptions(SharedOptions, total=False):
    """What to run, exactly one of `playbook`, `tasks`, `module` and `role`, and how."""

    playbook: StrPath | Mapping[str, Any] | Sequence[StrPath | Mapping[str, Any]] | None
    """Path relative to the project or a list of paths, a play, or a list of plays."""
    tasks: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    """A task or a list of tasks, as in a playbook, to run on `hosts` instead of a playbook."""
    gather_facts: bool | None
    """With `tasks`: whether to gather facts first. Ansible's default, which is to gather them, when None."""
    inventory: StrPath | Mapping[str, Any] | Sequence[StrPath | Mapping[str, Any]] | None
    """Path, host list with a comma, text of an inventory, its data as a dict, or a list of these. `inventory` of the
    private data directory when None; an empty list for none."""
    module: Name | None
    module_args: str | None
    host_pattern: Name | None
    """Hosts of a module; all when None."""
    role: Name | None
    role_vars: Mapping[str, Any] | None
    role_skip_facts: bool
    hosts: Name | None
    """Hosts of a role or of tasks; all when None."""
    roles_path: StrPath | Sequence[StrPath] | None
    binary: Name | None
    """Program to run instead of ansible-playbook or ansible."""
    extravars: Mapping[Any, Any] | StrPath | Sequence[Mapping[Any, Any] | StrPath] | None
    """Extra variables, the path of a file with them, or a list of these; later items override earlier ones."""
    limit: str | None
    tags: str | Sequence[str] | None
    skip_tags: str | Sequence[str] | None
    start_at_task: Name | None
    """Name of the first task to run, or a pattern that it matches."""
    forks: int | None
    user: Name | None
    """User to connect to the hosts as."""
    connection: Name | None
    """Connection plugin, such as `ssh` or `local`."""
    become: bool
    """Run tasks as another user."""
    become_user: Name | None
    """The user to run tasks as; root when None."""
    check: bool
    """Make no changes; report what would change."""
    diff: bool
    """Show changes to files."""
    syntax_check: bool
    """Only check the syntax of the playbook. This and the three options that follow run nothing."""
    list_hosts: bool
    """Only list the hosts."""
    list_tasks: bool
    """Only list the tasks."""
    list_tags: bool
    """Only list the tags."""
    verbosity: int | None
    """Number of -v, 0 to 7."""
    cmdline: str | None
    """More arguments for Ansible's command line."""
    omit_event_data: bool
    only_failed_event_data: bool
    directory_isolation_base_path: StrPath | None
    """Run in a private copy of the project that is created below this directory."""
    fast: bool | Literal["explain"] | None
    """Choose what makes the run faster, where it is safe; `explain` only prints what would be chosen."""


SETTING_OPTIONS = (
    "fast",
    "suppress_output_file",
    "suppress_ansible_output",
    "fact_cache",
    "fact_cache_type",
    "directory_isolation_base_path",
    *sorted(ISOLATION_KEYS),
)
"""Options that are also settings; the options take precedence."""


@dataclass(frozen=True, slots=True)
class AnsibleOption:
    """An option that Ansible's command line has too, with one value or none.

    Everything about it follows from its row: the field of the Job, Ansible's arguments, what ansible-runner's protocol
    sends, and the flag of the command line.
    """

    name: str
    """The name of the keyword, of the field of the Job and, with dashes, of the flag."""
    metavar: str
    """The kind of its value; empty for a switch, which has none."""
    help: str
    short: str = ""
    """Ansible's short flag, unless ansible-runner's command line has another flag of this name."""
    is_number: bool = False
    is_list: bool = False
    """Whether a list may be given, which is joined by commas for Ansible. An empty list is the same as None."""
    for_module: bool = True
    """Whether `ansible`, which runs a module, has it."""
    runner_keyword: bool = True
    """Whether ansible-runner's run() has it."""
    runner_flag: bool = True
    """Whether ansible-runner's command line has it."""

    @property
    def flag(self) -> str:
        """The flag, which is Ansible's own."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it has no value."""
        return not self.metavar

    def words(self, value: str | int | bool | None) -> list[str]:
        """Return the arguments for Ansible's command line; empty for None and False."""
        if self.is_switch:
            return [self.flag] if value else []
        if value is None:
            return []
        text = str(value)
        return [f"{self.flag}={text}"] if text.startswith("-") else [self.flag, text]


def _own(name: str, metavar: str, help_: str, short: str = "", *, for_module: bool = True) -> AnsibleOption:
    """Return an option that ansible-runner does not have."""
    return AnsibleOption(name, metavar, help_, short, for_module=for_module, runner_keyword=False, runner_flag=False)


ANSIBLE_OPTIONS = (
    AnsibleOption("limit", "PATTERN", "run only on hosts that match PATTERN", "-l"),
    AnsibleOption(
        "tags", "TAGS", "run only tasks with these tags", "-t", is_list=True, for_module=False, runner_flag=False
    ),
    AnsibleOption("skip_tags", "TAGS", "skip tasks with these tags", is_list=True, for_module=False, runner_flag=False),
    _own("start_at_task", "NAME", "start at the first task with this name, which may be a pattern", for_module=False),
    AnsibleOption("forks", "N", "number of hosts to work on in parallel", "-f", is_number=True),
    _own("user", "NAME", "connect as this user", "-u"),
    _own("connection", "NAME", "connection plugin to use, such as ssh or local", "-c"),
    _own("become", "", "run tasks as another user"),
    _own("become_user", "NAME", "user to run tasks as (default: root)"),
    _own("check", "", "make no changes; report what would change", "-C"),
    _own("diff", "", "show changes to files", "-D"),
    _own("syntax_check", "", "check the syntax of the playbook, and run nothing", for_module=False),
    _own("list_hosts", "", "list the hosts, and run nothing"),
    _own("list_tasks", "", "list the tasks, and run nothing", for_module=False),
    _own("list_tags", "", "list the tags, and run nothing", for_module=False),
)
