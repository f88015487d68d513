"""Every flag of the command line, in groups that subcommands share.

Only words: what a flag does is its subcommand's. `COMMAND_FLAGS` says which subcommand takes which groups. The names
are ansible-runner's.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Flag: TypeAlias = tuple[tuple[str, ...], dict[str, Any]]
"""The names of a flag, and argparse's words for it."""
Group: TypeAlias = tuple[Flag, ...]

_VALUELESS = ("store_true", "count", "version")
NAMING = {
    "DIR": "a directory", "FILE": "a file", "HOSTS": "hosts", "IDENT": "a run's name", "IMAGE": "an image",
    "MOUNT": "HOST_PATH:CONTAINER_PATH", "NAME": "a name", "PATH": "a path", "PROGRAM": "a program",
    "RECIPIENT": "a public key or @FILE", "URL": "a URL",
}
"""Kinds of values that are paths or names, and what is expected of them. An empty one, likely of a variable that is not
set, is refused: it would stand for what nobody meant, such as the current directory, or all hosts."""
MAY_BE_EMPTY = frozenset({"ARGS", "FD", "GLOB", "MINUTES", "N", "PATTERN", "TAGS", "VARS", "WHEN", "WORD", "WORDS"})
"""Kinds of values where an empty one is none, or is refused for what it is."""
DASHED_VALUES = frozenset({"--cmdline", "--container-option"})
"""Flags whose value is a flag itself, as in `--cmdline --check`: the next word is the value, whatever it looks like."""

_OWN = frozenset({
    "--dialect", "--encrypt-to", "--exclude", "--hold", "--identity", "--liveness-seconds", "--max-job-seconds",
    "--max-record-bytes", "--max-tree-bytes", "--max-tree-entries", "--only-transmit-kwargs", "--raw-output",
    "--report-to", "--skip-tags", "--store", "--summary", "--tags",
})
_NOT_ISOLATED = frozenset({"stop", "is-alive", "transmit"})


def flag(*names: str, **words: Any) -> Flag:
    """One flag."""
    return names, words


def takes_value(definition: Flag) -> bool:
    """True if a value belongs to the flag."""
    return definition[1].get("action") not in _VALUELESS


GENERIC: Group = (
    flag("--debug", action="store_true", help="log details of playstream's own work to standard error"),
    flag("--logfile", metavar="FILE", help="log to FILE"),
)
QUIET: Group = (flag("-q", "--quiet", action="store_true", help="do not show Ansible's output, nor warnings"),)
JSON: Group = (
    flag("-j", "--json", action="store_true", help="show the events as JSON lines in place of Ansible's output"),
)
RAW: Group = (
    flag("--raw-output", action="store_true", help="show the output as it came, with what a terminal would obey: it "
         "may move the cursor and set titles. By default all but colours is written out, as in \\x1b[2J"),
)
WHAT: Group = (
    flag("-p", "--playbook", metavar="FILE", help="playbook to run, relative to the project; or RUNNER_PLAYBOOK"),
    flag("-m", "--module", metavar="NAME", help="module to run; or RUNNER_MODULE"),
    flag("-r", "--role", metavar="NAME", help="role to run; or RUNNER_ROLE"),
)
"""One of these."""
IDENT: Group = (flag("-i", "--ident", help="name of the run; a new uuid when left out"),)
VERBOSITY: Group = (
    flag("-v", dest="verbosity", action="count", default=0, help="more output from Ansible; may be repeated"),
)
ARTIFACT_DIR: Group = (
    flag("--artifact-dir", metavar="DIR", help="artifacts go to DIR/IDENT in place of artifacts/IDENT in the private "
         "data directory"),
)
RESULTS: Group = (
    *ARTIFACT_DIR,
    flag("--rotate-artifacts", metavar="N", type=int, help="keep the artifacts of the newest N runs; 0, the default, "
         "for all"),
)
SUMMARY: Group = (
    flag("--summary", metavar="FILE", help="write the run's summary as JSON to FILE; with - to standard output, in "
         "place of Ansible's output"),
)
STORE: Group = (
    flag("--store", metavar="URL", help="write the run to this store at its end: sqlite:///FILE, or "
         "postgresql://USER@HOST/DATABASE; or PLAYSTREAM_STORE"),
)
STORED: Group = (
    flag("--store", metavar="URL", help="the store: sqlite:///FILE, or postgresql://USER@HOST/DATABASE; or "
         "PLAYSTREAM_STORE"),
    flag("--json", action="store_true", help="JSON in place of a table"),
)
WHICH: Group = (
    flag("--host", metavar="NAME", help="runs in which this host had a part"),
    flag("--task", metavar="NAME", help="runs that had a task of this name"),
    flag("--status", metavar="WORD", help="runs that ended so; with --host or --task, in which those did"),
    flag("--since", metavar="WHEN", help="runs that started since then: 7d, 12h, 2026-11-01, 2026-11-01T08:30"),
    flag("--limit", metavar="N", type=int, help="so many at most"),
)
EVENTS: Group = (
    flag("--omit-event-data", action="store_true", help="events without their data"),
    flag("--only-failed-event-data", action="store_true", help="event data of failures only"),
)
PLACES: Group = (
    flag("-b", "--binary", metavar="FILE", help="program to run in place of ansible-playbook or ansible; or "
         "RUNNER_BINARY"),
    flag("--project-dir", metavar="DIR", help="directory of the playbooks, from here or in the private data directory; "
         "project in it when left out"),
    flag("--inventory", metavar="PATH", action="append", help="path from here, path in the private data directory "
         "or in its inventory/, or hosts with a comma; inventory/ when left out; may be repeated"),
    flag("--omit-env-files", dest="suppress_env_files", action="store_true", help="accepted for ansible-runner's sake: "
         "nothing is written to env/ in any case"),
)
ANSIBLE: Group = (
    flag("--limit", metavar="PATTERN", help="run on these of the hosts only"),
    flag("--tags", help="run only tasks with these tags"),
    flag("--skip-tags", metavar="TAGS", help="leave out tasks with these tags"),
    flag("--forks", metavar="N", type=int, help="hosts to work on at once"),
    flag("--hosts", metavar="HOSTS", help="hosts of a module or a role; all when left out"),
    flag("--cmdline", metavar="WORDS", help="further words for Ansible's command line"),
)
MODULE: Group = (flag("-a", "--args", dest="module_args", metavar="ARGS", help="arguments of the module"),)
ROLE: Group = (
    flag("--roles-path", metavar="DIR", action="append", help="directory with roles; several with a colon; may be "
         "repeated; or ANSIBLE_ROLES_PATH"),
    flag("--role-vars", metavar="VARS", help="variables of the role: 'name=value name=value', YAML or JSON"),
    flag("--role-skip-facts", action="store_true", help="do not gather facts before the role"),
)
CONTAINER: Group = (
    flag("--container-image", metavar="IMAGE", help="image that the job runs in"),
    flag("--container-volume-mount", dest="container_volume_mounts", metavar="MOUNT",
         action="append", help="HOST_PATH:CONTAINER_PATH, with :ro or other options after it; may be repeated"),
    flag("--container-option", dest="container_options", metavar="WORD", action="append",
         help="further word for the engine's command line; may be repeated"),
)
ISOLATION: Group = (
    flag("--process-isolation", action="store_true", help="run in a container or under bwrap"),
    flag("--process-isolation-executable", metavar="PROGRAM", help="podman, the default, docker or bwrap"),
    flag("--process-isolation-path", metavar="DIR", help="bwrap: private inside, as /tmp is"),
    flag("--process-isolation-hide-paths", metavar="PATH", nargs="*", action="extend", help="bwrap: hide these"),
    flag("--process-isolation-show-paths", metavar="PATH", nargs="*", action="extend", help="bwrap: show these"),
    flag("--process-isolation-ro-paths", metavar="PATH", nargs="*", action="extend",
         help="bwrap: show these, not to be written"),
    flag("--directory-isolation-base-path", metavar="DIR", help="run in a private copy of the project made below DIR"),
)
KEEPALIVE: Group = (
    flag("--keepalive-seconds", type=float, metavar="N", help="silence after which a heartbeat is sent, 0 for never; "
         "or ANSIBLE_RUNNER_KEEPALIVE_SECONDS; 15 when left out"),
)
LIVENESS: Group = (
    flag("--liveness-seconds", type=float, metavar="N", help="silence of the other side after which it counts as lost, "
         "0 for never; 60 when left out"),
)
ENCRYPTION: Group = (
    flag("--encrypt-to", metavar="RECIPIENT", action="append", help="encrypt what is written, so that RECIPIENT can "
         "read it: age1…, 'ssh-ed25519 …', 'ssh-rsa …', or @FILE with one on each line; may be repeated"),
)
DECRYPTION: Group = (
    flag("--identity", metavar="FILE", action="append", help="decrypt what is read, and refuse what is not encrypted; "
         "FILE has secret keys of age or an ssh private key; may be repeated"),
)
LIMITS: Group = (
    flag("--max-tree-bytes", type=int, metavar="N", help="bytes of file content that a tree may have; 64 GiB when left "
         "out"),
    flag("--max-tree-entries", type=int, metavar="N", help="entries that a tree may have; 1,000,000 when left out"),
    flag("--max-record-bytes", type=int, metavar="N", help="bytes that one record, such as an event, may have; 64 MiB "
         "when left out"),
)
MAX_JOB: Group = (
    flag("--max-job-seconds", type=float, metavar="N", help="end any job after this time; no limit when left out"),
)
SENDING: Group = (
    flag("--hold", action="store_true", help="stay until the worker has ended; SIGINT, SIGTERM and SIGHUP cancel the "
         "job"),
    flag("--exclude", action="append", default=[], metavar="PATTERN", help="leave out what matches, in gitignore "
         "syntax, besides DIR/.playstreamignore; may be repeated"),
    flag("--dialect", choices=["playstream", "runner"], default="playstream", help="runner: ansible-runner's, for a "
         "worker that may be ansible-runner's; a worker of playstream's answers in the dialect it was spoken to"),
    flag("--only-transmit-kwargs", action="store_true", help="send the arguments without the directory; the worker has "
         "a --private-data-dir"),
)
REPORT: Group = (flag("--report-to", type=int, metavar="FD"),)
"""How `start` learns from its `run` that all is well; for nobody else."""
LIKE_ANSIBLE: Group = (
    flag("-i", "--inventory", metavar="PATH", action="append", help="inventory, or hosts with a comma; Ansible's own "
         "when left out; may be repeated"),
    flag("-e", "--extra-vars", dest="extravars", metavar="VARS", action="append", help="variables: 'name=value "
         "name=value', YAML, JSON, or @FILE; may be repeated"),
    flag("-l", "--limit", metavar="PATTERN", help="run on these of the hosts only"),
    flag("-f", "--forks", metavar="N", type=int, help="hosts to work on at once"),
    flag("-u", "--user", metavar="NAME", help="connect as this user"),
    flag("-c", "--connection", metavar="NAME", help="connect with this plugin, such as ssh or local"),
    flag("--become", action="store_true", help="become another user"),
    flag("--become-user", metavar="NAME", help="become this user; root when left out"),
    flag("-C", "--check", action="store_true", help="change nothing; say what would change"),
    flag("-D", "--diff", action="store_true", help="show what changes in files"),
    flag("--cmdline", metavar="WORDS", help="further words for Ansible's command line"),
)
LIKE_ANSIBLE_MODULE: Group = (
    flag("-m", "--module", metavar="NAME", help="module to run; or RUNNER_MODULE; command when left out"),
    *MODULE,
)
LIKE_ANSIBLE_PLAYBOOK: Group = (
    flag("-t", "--tags", help="run only tasks with these tags"),
    flag("--skip-tags", metavar="TAGS", help="leave out tasks with these tags"),
)
UNTIED: Group = (
    flag("--artifact-dir", metavar="DIR", help="keep the artifacts in DIR/IDENT; nothing is kept when left out"),
    flag("--ident", help="name of the run; a new uuid when left out"),
)
SERVING: Group = (
    flag("--private-data-dir", metavar="DIR", help="unpack and run here, and keep it; a private temporary directory "
         "when left out"),
    flag("--delete", action="store_true", help="empty --private-data-dir before and remove it after"),
    flag("--worker-info", action="store_true", help="show this host's processors, memory and playstream version, and "
         "run nothing"),
)
CLEANUP: Group = (
    flag("--file-pattern", metavar="GLOB", help="remove the directories whose paths match, but for those in use"),
    flag("--exclude-strings", metavar="WORD", nargs="*", action="extend", help="keep directories with one of these "
         "words in their path"),
    flag("--grace-period", metavar="MINUTES", type=int, default=60, help="keep directories that were changed in the "
         "last MINUTES; 0 for keeping none of them; 60 when left out"),
    flag("--remove-images", metavar="IMAGE", nargs="*", action="extend", help="take the names of these images away"),
    flag("--image-prune", action="store_true", help="then remove the images that have no name"),
    flag("--process-isolation-executable", metavar="PROGRAM", help="podman, the default, or docker"),
)

_JOB: tuple[tuple[str, Group], ...] = (
    ("what is run", WHAT), ("the module", MODULE), ("the role", ROLE), ("the run", (*IDENT, *VERBOSITY)),
    ("how Ansible runs", ANSIBLE), ("where things are", PLACES), ("events", EVENTS),
    ("isolation", (*CONTAINER, *ISOLATION)),
)
_SHOWING = ("what is shown", (*QUIET, *JSON))
_SHOWING_ALL = ("what is shown", (*QUIET, *JSON, *RAW))
_LOGGING = ("logging", GENERIC)
_LINK = ("the link", (*KEEPALIVE, *LIVENESS))
_UNTIED: tuple[tuple[str, Group], ...] = (
    ("how Ansible runs", (*LIKE_ANSIBLE, *VERBOSITY)), ("results", (*UNTIED, *EVENTS)),
    ("isolation", (*CONTAINER, *ISOLATION)), _SHOWING_ALL, _LOGGING,
)

COMMAND_FLAGS: dict[str, tuple[tuple[str, Group], ...]] = {
    "run": (*_JOB, ("results", (*RESULTS, *STORE)), _SHOWING_ALL, _LOGGING),
    "start": (*_JOB, ("results", (*RESULTS, *STORE)), _SHOWING, _LOGGING),
    "stop": (*_JOB, ("results", RESULTS), _SHOWING, _LOGGING),
    "is-alive": (*_JOB, ("results", RESULTS), _SHOWING, _LOGGING),
    "transmit": (
        *_JOB, ("what is sent", SENDING), _LINK, ("encryption", ENCRYPTION), ("results", RESULTS), _SHOWING, _LOGGING,
    ),
    "worker": (
        ("serving", SERVING), _LINK, ("encryption", (*ENCRYPTION, *DECRYPTION)), ("limits", (*LIMITS, *MAX_JOB)),
        _LOGGING,
    ),
    "worker cleanup": (("what is removed", CLEANUP), _LOGGING),
    "process": (
        ("results", (*IDENT, *ARTIFACT_DIR, *SUMMARY, *STORE)), ("the link", LIVENESS), ("encryption", DECRYPTION),
        ("limits", LIMITS), _SHOWING_ALL,
        _LOGGING,
    ),
    "plugin-path": (_LOGGING,),
    "runs": (("which runs", WHICH), ("the store", STORED), _LOGGING),
    "show": (("the store", STORED), _LOGGING),
    "adhoc": (("the module", LIKE_ANSIBLE_MODULE), *_UNTIED),
    "playbook": (("tasks", LIKE_ANSIBLE_PLAYBOOK), *_UNTIED),
}


def is_own(command: str, name: str) -> bool:
    """True if ansible-runner's subcommand of the same name does not know the flag."""
    return name in _OWN or (command in _NOT_ISOLATED and any(name in names for names, _ in ISOLATION))


def flags_of(command: str) -> list[Flag]:
    """Every flag of a subcommand."""
    return [definition for _title, group in COMMAND_FLAGS[command] for definition in group]
