"""Definitions of all command-line flags, in groups that subcommands share.

The subcommands implement the flags. `COMMAND_FLAGS` lists the groups of each subcommand. The names are those of
ansible-runner.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Flag: TypeAlias = tuple[tuple[str, ...], dict[str, Any]]
"""The names of a flag, and its options for argparse."""
Group: TypeAlias = tuple[Flag, ...]

_VALUELESS = ("store_true", "count", "version")
NAMING = {
    "DIR": "a directory",
    "FILE": "a file",
    "HOSTS": "hosts",
    "IDENT": "a run's name",
    "IMAGE": "an image",
    "MOUNT": "HOST_PATH:CONTAINER_PATH",
    "NAME": "a name",
    "PATH": "a path",
    "PROGRAM": "a program",
    "RECIPIENT": "a public key or @FILE",
    "URL": "a URL",
}
"""Metavars of paths and names, and their descriptions for errors. An empty value is refused: it probably comes from a
variable that is not set, and would mean the current directory, or all hosts."""
MAY_BE_EMPTY = frozenset({"ARGS", "FD", "GLOB", "MINUTES", "N", "PATTERN", "TAGS", "VARS", "WHEN", "WORD", "WORDS"})
"""Metavars of values that may be empty, or whose empty value is refused elsewhere."""
DASHED_VALUES = frozenset({"--cmdline", "--container-option"})
"""Flags whose value may look like a flag, as in `--cmdline --check`: the next word is always the value."""

_OWN = frozenset(
    {
        "--dialect",
        "--encrypt-to",
        "--exclude",
        "--hold",
        "--identity",
        "--liveness-seconds",
        "--max-job-seconds",
        "--max-record-bytes",
        "--max-tree-bytes",
        "--max-tree-entries",
        "--only-transmit-kwargs",
        "--raw-output",
        "--report-to",
        "--skip-tags",
        "--store",
        "--summary",
        "--tags",
    }
)
_NOT_ISOLATED = frozenset({"stop", "is-alive", "transmit"})


def flag(*names: str, **words: Any) -> Flag:
    """Define a flag."""
    return names, words


def takes_value(definition: Flag) -> bool:
    """Return whether the flag takes a value."""
    return definition[1].get("action") not in _VALUELESS


GENERIC: Group = (
    flag("--debug", action="store_true", help="write debug messages to standard error"),
    flag("--logfile", metavar="FILE", help="write log messages to FILE"),
)
QUIET: Group = (flag("-q", "--quiet", action="store_true", help="do not show Ansible's output or warnings"),)
JSON: Group = (flag("-j", "--json", action="store_true", help="show events as JSON lines instead of Ansible's output"),)
RAW: Group = (
    flag(
        "--raw-output",
        action="store_true",
        help="show the output unchanged, including terminal control sequences, "
        "which can move the cursor or set titles. By default only colours are kept, and other sequences are escaped, "
        "as in \\x1b[2J",
    ),
)
WHAT: Group = (
    flag("-p", "--playbook", metavar="FILE", help="playbook to run, relative to the project (or set RUNNER_PLAYBOOK)"),
    flag("-m", "--module", metavar="NAME", help="module to run (or set RUNNER_MODULE)"),
    flag("-r", "--role", metavar="NAME", help="role to run (or set RUNNER_ROLE)"),
)
"""Mutually exclusive flags."""
IDENT: Group = (flag("-i", "--ident", help="name of the run (default: a new UUID)"),)
VERBOSITY: Group = (
    flag("-v", dest="verbosity", action="count", default=0, help="make Ansible more verbose; may be repeated"),
)
ARTIFACT_DIR: Group = (
    flag(
        "--artifact-dir",
        metavar="DIR",
        help="write the artifacts to DIR/IDENT instead of artifacts/IDENT in the private data directory",
    ),
)
RESULTS: Group = (
    *ARTIFACT_DIR,
    flag(
        "--rotate-artifacts",
        metavar="N",
        type=int,
        help="keep the artifacts of the N newest runs only; 0 keeps all (default: 0)",
    ),
)
SUMMARY: Group = (
    flag(
        "--summary",
        metavar="FILE",
        help="write the run's summary as JSON to FILE; - writes it to standard output instead of Ansible's output",
    ),
)
STORE: Group = (
    flag(
        "--store",
        metavar="URL",
        help="write the run to this store when it ends: sqlite:///FILE or "
        "postgresql://USER@HOST/DATABASE (or set PLAYSTREAM_STORE)",
    ),
)
STORED: Group = (
    flag(
        "--store",
        metavar="URL",
        help="store to read: sqlite:///FILE or postgresql://USER@HOST/DATABASE (or set PLAYSTREAM_STORE)",
    ),
    flag("--json", action="store_true", help="print JSON instead of a table"),
)
WHICH: Group = (
    flag("--host", metavar="NAME", help="show runs that include this host"),
    flag("--task", metavar="NAME", help="show runs that include a task with this name"),
    flag(
        "--status",
        metavar="WORD",
        help="show runs with this status; with --host or --task, runs in which that host or task has this status",
    ),
    flag("--since", metavar="WHEN", help="show runs that started after WHEN: 7d, 12h, 2026-11-01, 2026-11-01T08:30"),
    flag("--limit", metavar="N", type=int, help="show at most N runs"),
)
EVENTS: Group = (
    flag("--omit-event-data", action="store_true", help="omit the data of events"),
    flag("--only-failed-event-data", action="store_true", help="omit the data of events other than failures"),
)
PLACES: Group = (
    flag(
        "-b",
        "--binary",
        metavar="FILE",
        help="program to run instead of ansible-playbook or ansible (or set RUNNER_BINARY)",
    ),
    flag(
        "--project-dir",
        metavar="DIR",
        help="directory of the playbooks, relative to the current directory or to the "
        "private data directory (default: project/ in the private data directory)",
    ),
    flag(
        "--inventory",
        metavar="PATH",
        action="append",
        help="inventory, relative to the current directory, to the "
        "private data directory or to its inventory/, or a list of hosts with a comma (default: inventory/); may be "
        "repeated",
    ),
    flag(
        "--omit-env-files",
        dest="suppress_env_files",
        action="store_true",
        help="accepted for compatibility with ansible-runner; has no effect, because nothing is ever written to env/",
    ),
)
ANSIBLE: Group = (
    flag("--limit", metavar="PATTERN", help="run only on hosts that match PATTERN"),
    flag("--tags", help="run only tasks with these tags"),
    flag("--skip-tags", metavar="TAGS", help="skip tasks with these tags"),
    flag("--forks", metavar="N", type=int, help="number of hosts to work on in parallel"),
    flag("--hosts", metavar="HOSTS", help="hosts to run a module or a role on (default: all)"),
    flag("--cmdline", metavar="WORDS", help="additional arguments for Ansible's command line"),
)
MODULE: Group = (flag("-a", "--args", dest="module_args", metavar="ARGS", help="arguments of the module"),)
ROLE: Group = (
    flag(
        "--roles-path",
        metavar="DIR",
        action="append",
        help="directories with roles, separated by colons; may be repeated (or set ANSIBLE_ROLES_PATH)",
    ),
    flag("--role-vars", metavar="VARS", help="variables for the role: 'name=value name=value', YAML or JSON"),
    flag("--role-skip-facts", action="store_true", help="do not gather facts before the role runs"),
)
CONTAINER: Group = (
    flag("--container-image", metavar="IMAGE", help="container image to run the job in"),
    flag(
        "--container-volume-mount",
        dest="container_volume_mounts",
        metavar="MOUNT",
        action="append",
        help="HOST_PATH:CONTAINER_PATH to mount, with :ro or other options; may be repeated",
    ),
    flag(
        "--container-option",
        dest="container_options",
        metavar="WORD",
        action="append",
        help="additional argument for the container engine; may be repeated",
    ),
)
ISOLATION: Group = (
    flag("--process-isolation", action="store_true", help="run in a container or under bwrap"),
    flag("--process-isolation-executable", metavar="PROGRAM", help="podman, docker or bwrap (default: podman)"),
    flag("--process-isolation-path", metavar="DIR", help="bwrap: give the job a private DIR, in addition to /tmp"),
    flag(
        "--process-isolation-hide-paths",
        metavar="PATH",
        nargs="*",
        action="extend",
        help="bwrap: hide these paths from the job",
    ),
    flag(
        "--process-isolation-show-paths",
        metavar="PATH",
        nargs="*",
        action="extend",
        help="bwrap: show these paths to the job, writable",
    ),
    flag(
        "--process-isolation-ro-paths",
        metavar="PATH",
        nargs="*",
        action="extend",
        help="bwrap: show these paths to the job, read-only",
    ),
    flag("--directory-isolation-base-path", metavar="DIR", help="run in a private copy of the project made below DIR"),
)
KEEPALIVE: Group = (
    flag(
        "--keepalive-seconds",
        type=float,
        metavar="N",
        help="send a heartbeat after N seconds without other output; "
        "0 sends none (default: 15; or set ANSIBLE_RUNNER_KEEPALIVE_SECONDS)",
    ),
)
LIVENESS: Group = (
    flag(
        "--liveness-seconds",
        type=float,
        metavar="N",
        help="treat the other side as lost after N seconds of silence; 0 waits forever (default: 60)",
    ),
)
ENCRYPTION: Group = (
    flag(
        "--encrypt-to",
        metavar="RECIPIENT",
        action="append",
        help="encrypt the output for RECIPIENT: age1…, "
        "'ssh-ed25519 …', 'ssh-rsa …', or @FILE with one recipient per line; may be repeated",
    ),
)
DECRYPTION: Group = (
    flag(
        "--identity",
        metavar="FILE",
        action="append",
        help="decrypt the input, and refuse unencrypted input; FILE "
        "contains age secret keys or an SSH private key; may be repeated",
    ),
)
LIMITS: Group = (
    flag("--max-tree-bytes", type=int, metavar="N", help="maximum bytes of file content in a tree (default: 64 GiB)"),
    flag("--max-tree-entries", type=int, metavar="N", help="maximum number of entries in a tree (default: 1,000,000)"),
    flag(
        "--max-record-bytes",
        type=int,
        metavar="N",
        help="maximum bytes in one record, such as an event (default: 64 MiB)",
    ),
)
MAX_JOB: Group = (
    flag("--max-job-seconds", type=float, metavar="N", help="stop any job after N seconds (default: no limit)"),
)
SENDING: Group = (
    flag(
        "--hold",
        action="store_true",
        help="keep running until the worker ends; SIGINT, SIGTERM and SIGHUP then cancel the job",
    ),
    flag(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="do not send files that match PATTERN "
        "(gitignore syntax), in addition to DIR/.playstreamignore; may be repeated",
    ),
    flag(
        "--dialect",
        choices=["playstream", "runner"],
        default="playstream",
        help="protocol to write: "
        "playstream's own (the default), or ansible-runner's for a worker that may be ansible-runner. A playstream "
        "worker answers in the same protocol",
    ),
    flag(
        "--only-transmit-kwargs",
        action="store_true",
        help="send the arguments without the directory; the worker needs --private-data-dir",
    ),
)
REPORT: Group = (flag("--report-to", type=int, metavar="FD"),)
"""Internal flag: `start` passes it to `run`, to be told when the job has been checked and started."""
LIKE_ANSIBLE: Group = (
    flag(
        "-i",
        "--inventory",
        metavar="PATH",
        action="append",
        help="inventory, or a list of hosts with a comma (default: Ansible's own); may be repeated",
    ),
    flag(
        "-e",
        "--extra-vars",
        dest="extravars",
        metavar="VARS",
        action="append",
        help="variables: 'name=value name=value', YAML, JSON or @FILE; may be repeated",
    ),
    flag("-l", "--limit", metavar="PATTERN", help="run only on hosts that match PATTERN"),
    flag("-f", "--forks", metavar="N", type=int, help="number of hosts to work on in parallel"),
    flag("-u", "--user", metavar="NAME", help="connect as this user"),
    flag("-c", "--connection", metavar="NAME", help="connection plugin to use, such as ssh or local"),
    flag("--become", action="store_true", help="run tasks as another user"),
    flag("--become-user", metavar="NAME", help="user to run tasks as (default: root)"),
    flag("-C", "--check", action="store_true", help="make no changes; report what would change"),
    flag("-D", "--diff", action="store_true", help="show changes to files"),
    flag("--cmdline", metavar="WORDS", help="additional arguments for Ansible's command line"),
)
LIKE_ANSIBLE_MODULE: Group = (
    flag("-m", "--module", metavar="NAME", help="module to run (default: command; or set RUNNER_MODULE)"),
    *MODULE,
)
LIKE_ANSIBLE_PLAYBOOK: Group = (
    flag("-t", "--tags", help="run only tasks with these tags"),
    flag("--skip-tags", metavar="TAGS", help="skip tasks with these tags"),
)
STANDALONE: Group = (
    flag("--artifact-dir", metavar="DIR", help="keep the artifacts in DIR/IDENT (default: keep nothing)"),
    flag("--ident", help="name of the run (default: a new UUID)"),
)
SERVING: Group = (
    flag(
        "--private-data-dir",
        metavar="DIR",
        help="unpack and run the job in DIR, and keep DIR (default: a private temporary directory)",
    ),
    flag("--delete", action="store_true", help="empty --private-data-dir before the job and remove it afterwards"),
    flag(
        "--worker-info",
        action="store_true",
        help="show this host's processors, memory and playstream version, and exit",
    ),
)
CLEANUP: Group = (
    flag("--file-pattern", metavar="GLOB", help="remove directories whose paths match GLOB, except those in use"),
    flag(
        "--exclude-strings",
        metavar="WORD",
        nargs="*",
        action="extend",
        help="keep directories whose path contains one of these words",
    ),
    flag(
        "--grace-period",
        metavar="MINUTES",
        type=int,
        default=60,
        help="keep directories that changed in the last MINUTES; 0 turns this off (default: 60)",
    ),
    flag("--remove-images", metavar="IMAGE", nargs="*", action="extend", help="remove these names (tags) from images"),
    flag("--image-prune", action="store_true", help="remove images without a name afterwards"),
    flag("--process-isolation-executable", metavar="PROGRAM", help="podman or docker (default: podman)"),
)

_JOB: tuple[tuple[str, Group], ...] = (
    ("what to run", WHAT),
    ("module", MODULE),
    ("role", ROLE),
    ("run", (*IDENT, *VERBOSITY)),
    ("Ansible options", ANSIBLE),
    ("paths", PLACES),
    ("events", EVENTS),
    ("isolation", (*CONTAINER, *ISOLATION)),
)
_SHOWING = ("output", (*QUIET, *JSON))
_SHOWING_ALL = ("output", (*QUIET, *JSON, *RAW))
_LOGGING = ("logging", GENERIC)
_LINK = ("connection", (*KEEPALIVE, *LIVENESS))
_STANDALONE: tuple[tuple[str, Group], ...] = (
    ("Ansible options", (*LIKE_ANSIBLE, *VERBOSITY)),
    ("results", (*STANDALONE, *EVENTS)),
    ("isolation", (*CONTAINER, *ISOLATION)),
    _SHOWING_ALL,
    _LOGGING,
)

COMMAND_FLAGS: dict[str, tuple[tuple[str, Group], ...]] = {
    "run": (*_JOB, ("results", (*RESULTS, *STORE)), _SHOWING_ALL, _LOGGING),
    "start": (*_JOB, ("results", (*RESULTS, *STORE)), _SHOWING, _LOGGING),
    "stop": (*_JOB, ("results", RESULTS), _SHOWING, _LOGGING),
    "is-alive": (*_JOB, ("results", RESULTS), _SHOWING, _LOGGING),
    "transmit": (
        *_JOB,
        ("sending", SENDING),
        _LINK,
        ("encryption", ENCRYPTION),
        ("results", RESULTS),
        _SHOWING,
        _LOGGING,
    ),
    "worker": (
        ("serving", SERVING),
        _LINK,
        ("encryption", (*ENCRYPTION, *DECRYPTION)),
        ("limits", (*LIMITS, *MAX_JOB)),
        _LOGGING,
    ),
    "worker cleanup": (("what to remove", CLEANUP), _LOGGING),
    "process": (
        ("results", (*IDENT, *ARTIFACT_DIR, *SUMMARY, *STORE)),
        ("connection", LIVENESS),
        ("encryption", DECRYPTION),
        ("limits", LIMITS),
        _SHOWING_ALL,
        _LOGGING,
    ),
    "plugin-path": (_LOGGING,),
    "runs": (("which runs to list", WHICH), ("store", STORED), _LOGGING),
    "show": (("store", STORED), _LOGGING),
    "adhoc": (("module", LIKE_ANSIBLE_MODULE), *_STANDALONE),
    "playbook": (("tasks", LIKE_ANSIBLE_PLAYBOOK), *_STANDALONE),
}


def is_own(command: str, name: str) -> bool:
    """Return whether ansible-runner's subcommand of the same name does not have the flag."""
    return name in _OWN or (command in _NOT_ISOLATED and any(name in names for names, _ in ISOLATION))


def flags_of(command: str) -> list[Flag]:
    """Return all flags of a subcommand."""
    return [definition for _title, group in COMMAND_FLAGS[command] for definition in group]
