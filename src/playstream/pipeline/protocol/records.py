"""The records that the stages exchange, as objects within one process and as bytes between two.

They contain data and no behaviour; `codec` defines their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias


class StatusName(StrEnum):
    """The states of a job, with ansible-runner's names."""

    UNSTARTED = "unstarted"
    STARTING = "starting"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    CANCELED = "canceled"
    TIMEOUT = "timeout"
    ERROR = "error"

    @property
    def terminal(self) -> bool:
        """True if no other status can follow."""
        return self not in {StatusName.UNSTARTED, StatusName.STARTING, StatusName.RUNNING}


class FileType(IntEnum):
    """The type of a FileEntry; the numbers are those on the wire."""

    DIRECTORY = 1
    FILE = 2
    SYMLINK = 3
    HARDLINK = 4


class LogLevel(StrEnum):
    """The severity of a Log record."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class KeyMode(StrEnum):
    """Which keys of the user's terminal a worker asks for."""

    NONE = "none"
    """None: the terminal has the modes that it had before."""
    LINES = "lines"
    """Whole lines, which the terminal shows while they are typed."""
    HIDDEN = "hidden"
    """Whole lines, which it does not show."""
    KEYS = "keys"
    """Single keys, which it does not show; Ctrl-C and the like are signals."""
    RAW = "raw"
    """Single keys, which it does not show, Ctrl-C and the like among them."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. Paths are relative to the private data directory; absolute ones are paths on the worker's host.

    `pipeline.job` makes a Job from a caller's arguments and checks it. Exactly one of `playbook`, `plays`, `module`,
    `role` and `command` is set.
    """

    ident: str
    tree: bool = False
    """True if the private data directory follows as a tree."""
    playbook: str | None = None
    """Relative to `project_dir`."""
    more_playbooks: tuple[str, ...] = ()
    """Playbooks to run after it."""
    plays: tuple[Mapping[str, Any], ...] = ()
    """A playbook that is not a file."""
    command: tuple[str, ...] = ()
    """A whole command line, instead of one made from the other fields."""
    binary: str | None = None
    """The program to run instead of ansible or ansible-playbook."""
    module: str | None = None
    module_args: str | None = None
    role: str | None = None
    role_vars: Mapping[str, Any] = field(default_factory=dict)
    role_skip_facts: bool = False
    hosts: str | None = None
    """Host pattern of a module or a role."""
    project_dir: str = "project"
    inventory: tuple[str, ...] | None = None
    """Paths and host lists (with a comma). None for `inventory/`, if it exists."""
    inventory_contents: tuple[str, ...] = ()
    """Texts of inventories that are not files, in any of Ansible's formats."""
    roles_path: tuple[str, ...] = ()
    limit: str | None = None
    tags: str | None = None
    skip_tags: str | None = None
    start_at_task: str | None = None
    forks: int | None = None
    user: str | None = None
    connection: str | None = None
    become: bool = False
    become_user: str | None = None
    check: bool = False
    diff: bool = False
    syntax_check: bool = False
    list_hosts: bool = False
    list_tasks: bool = False
    list_tags: bool = False
    verbosity: int = 0
    cmdline: tuple[str, ...] = ()
    """More arguments for Ansible's command line."""
    extravars: Mapping[str, Any] = field(default_factory=dict)
    envvars: Mapping[str, str] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict)
    """Regular expression of a prompt, or one of the names in `pipeline.job.passwords`, to its answer."""
    ssh_key: str | None = None
    """A private key for the run's own ssh-agent."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    omit_event_data: bool = False
    only_failed_event_data: bool = False
    extravars_texts: tuple[str, ...] = ()
    """Texts of files of extra variables, in any form that Ansible reads, vaulted or not. Later values override earlier
    ones; `extravars` come last."""
    env_files_win: bool = False
    """True if names in the worker's own files envvars, passwords and settings override the job's."""
    timeout: float | None = None
    """Seconds after which the job is stopped, whatever the settings say."""
    galaxy: str | None = None
    """Directory with `collections/` and `roles/` that were installed for the job: Ansible finds them after what is in
    the private data directory, and before what the host has."""

    def __repr__(self) -> str:
        """Return a representation without values that may be secret."""
        what = self.playbook or self.module or self.role or self.command[:1] or "plays"
        return f"Job(ident={self.ident!r}, {what!r}, tree={self.tree})"


@dataclass(frozen=True, slots=True)
class Status:
    """The job's state has changed. `starting` has the command, its redacted environment and its directory."""

    status: StatusName
    created: str
    """The time, in ISO 8601 and UTC."""
    rc: int | None = None
    """Return code of Ansible, in a terminal status; 128 + N if signal N ended it."""
    command: tuple[str, ...] | None = None
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    explanation: str | None = None
    """A message, such as why the job was canceled or which limit was exceeded."""
    traceback: str | None = None
    """A Python traceback of a fault in the worker; ansible-runner's worker sends one."""
    tree: str | None = None
    """With `starting`: the name of the job's tree (`tree.digests`), if it was offered and all of it is in the worker's
    cache."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the job: the unchanged JSON object that the callback plugin wrote."""

    counter: int
    """1, 2, 3 … without gaps."""
    json: bytes


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of a tree. The entries of a directory follow the directory; the root has the empty path.

    A file's content follows as FileData records that add up to exactly `size` bytes.
    """

    path: bytes
    type: FileType
    mode: int
    """Permission bits, at most 0o7777."""
    mtime_ns: int
    """Nanoseconds since 1970 in UTC; may be negative."""
    size: int = 0
    """Bytes of content of a FILE; 0 for every other type."""
    link: int = 0
    """For a FILE, the number by which later HARDLINK entries refer to it; for a HARDLINK, the number of its file. 0
    means none."""
    target: bytes = b""
    """What a SYMLINK points to."""


@dataclass(frozen=True, slots=True)
class FileData:
    """A piece of the content of the FILE entry before it."""

    data: bytes

    def __repr__(self) -> str:
        return f"FileData({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class TreeEnd:
    """The tree is complete."""

    entries: int
    size: int
    """Total size of the file content, in bytes."""


@dataclass(frozen=True, slots=True)
class Log:
    """A message for the user, from the sending stage."""

    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The sender is alive but has nothing to send."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A request to stop the job."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The sending stage has failed."""

    error: str
    """Name of the error's class."""
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The last record. If its counts and digest do not match, something was lost."""

    records: int
    """Number of records before this one."""
    events: int
    """Number of events among them."""
    digest: bytes
    """SHA-256 of the payloads of all frames before this record's."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What the worker is and knows. It is the first record of the results, since minor version 1."""

    minor: int
    """Its minor version of the protocol."""
    version: str
    """Its version of playstream."""
    records: tuple[str, ...] = ()
    """Names of the records of the job direction that it knows."""
    features: tuple[str, ...] = ()
    """Names of what else it can do."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Its limits of the job's stream: `max_tree_bytes` and others, by their names in the Python interface."""
    python: str = ""
    """Its version of Python."""
    ansible_core: str | None = None
    """The version of the ansible-core that it finds; None if it finds none, or cannot tell."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A question that the worker answers with a Pong at once, to measure the connection. Since minor version 1."""

    number: int
    """Comes back in the answer."""
    padding: bytes = b""
    """Bytes to send, at most as many as in a FileData."""

    def __repr__(self) -> str:
        return f"Ping({self.number}, {len(self.padding)} bytes)"


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a Ping."""

    number: int


@dataclass(frozen=True, slots=True)
class Input:
    """Keys that the user typed for a question. Since minor version 1."""

    number: int
    """That of the Prompt that was in force."""
    data: bytes = b""
    """A line, or single keys; none for the end of input."""

    def __repr__(self) -> str:
        return f"Input({self.number}, {len(self.data)} bytes)"


CellCount: TypeAlias = int
"""Rows or columns of a terminal: 0 to 65535."""


@dataclass(frozen=True, slots=True)
class Resize:
    """The user's terminal: its size, and whether the user can answer questions there. Since minor version 1."""

    rows: CellCount = 0
    columns: CellCount = 0
    """0 if the terminal does not show the output."""
    keyboard: bool = False
    """True if its keys may be asked for."""
    foreground: bool = False
    """True if the user can type them now."""
    quiet: bool = False
    """True if the output is not shown, so that only a Prompt says that the job waits."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the worker asks on the user's terminal. Since minor version 1."""

    number: int
    """1, 2, 3 … for each change of `mode`."""
    mode: KeyMode
    text: str = ""
    """What to show."""
    line: str = ""
    """The beginning of a line that is shown by this and arrives as output when it is complete."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tree of the job, named by its hash, in place of its entries. Since minor version 2."""

    root: bytes
    """The hash of the listing of its root directory."""
    algorithm: str
    """The name of the hash function."""
    entries: int
    """Entries of the tree, its root included."""
    size: int
    """Bytes of content of its files."""
    since: tuple[str, ...] = ()
    """The hashes, in hexadecimal, of earlier trees that the sender knows, the latest first."""
    asks: bool = True
    """True if the worker asks for what it lacks. Otherwise what is not in the first tree of `since` follows."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory, or the blocks of a file, of an offered tree. Since minor version 2."""

    data: bytes

    def __repr__(self) -> str:
        return f"Listing({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Want:
    """What the worker lacks of an offered tree. Since minor version 2."""

    listings: bool
    """True for listings, False for contents, which are asked for last."""
    since: bytes = b""
    """With `listings`: the hash of an earlier tree whose listings are not needed; empty for none."""
    contents: bytes = b""
    """Without `listings`: a bit for each content of the tree in the order of its first use, the lowest bit first."""

    def __repr__(self) -> str:
        what = "listings" if self.listings else f"{sum(map(int.bit_count, self.contents))} contents"
        return f"Want({what})"


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file up to 1 MiB, or a block of a larger one, that was asked for. Since minor version 2."""

    data: bytes
    changed: bool = False
    """True if the file has changed since it was offered, so that the hash is another one; the size is the same."""

    def __repr__(self) -> str:
        return f"Content({len(self.data)} bytes)"


Record: TypeAlias = (
    Job
    | Status
    | Event
    | FileEntry
    | FileData
    | TreeEnd
    | Log
    | Heartbeat
    | Cancel
    | Failure
    | End
    | Hello
    | Ping
    | Pong
    | Input
    | Resize
    | Prompt
    | Offer
    | Listing
    | Want
    | Content
)
