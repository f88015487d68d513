"""Definitions of command-line flags, in groups that subcommands share.

Those of jobs are in `job_flags`, and those of workers in `worker_flags`.
The subcommands implement the flags. `COMMAND_FLAGS` lists the groups of each subcommand. The names are those of
ansible-runner.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from playstream.pipeline.errors import ConfigurationError, did_you_mean


class Flag(NamedTuple):
    """A flag of the command line."""

    names: tuple[str, ...]
    words: dict[str, Any]
    """Its options for argparse."""
    own: bool = False
    """Whether ansible-runner's subcommand of the same name does not have it."""


Group: TypeAlias = tuple[Flag, ...]
Groups: TypeAlias = tuple[tuple[str, Group], ...]
"""Groups of flags, with their titles."""

_VALUELESS = ("store_true", "count", "version")
NAMING = {
    "DIR": "a directory",
    "DURATION": "a duration, such as 30m",
    "FILE": "a file",
    "HOST[:PORT]": "a server",
    "HOSTS": "hosts",
    "ID@FILE": "a vault ID and a file",
    "ADDRESS": "an address",
    "IDENT": "a run's name",
    "IMAGE": "an image",
    "JOB": "the name of a job",
    "KIND": "node, submitter or operator",
    "LINK": "a link",
    "MOUNT": "HOST_PATH:CONTAINER_PATH",
    "NAME": "a name",
    "NODE": "the name of a node",
    "PATH": "a path",
    "PROGRAM": "a program",
    "RUN": "a run",
    "TREE": "the name of a tree",
    "SIZE": "a size, such as 2G",
    "RECIPIENT": "a public key or @FILE",
    "URL": "a URL",
    "USER": "a user",
}
"""Metavars of paths and names, and their descriptions for errors. An empty value is an error: it probably comes from a
variable that is not set, and would mean the current directory, or all hosts."""
MAY_BE_EMPTY = frozenset(
    {
        *("ARGS", "COMMAND", "FD", "GLOB", "ID", "MINUTES", "N", "PATTERN", "TAGS", "VARS", "WHEN", "WORD", "WORDS"),
        "refresh",
    }
)
"""Metavars of values that may be empty, or whose empty value is refused elsewhere."""
DASHED_VALUES = frozenset({"--cmdline", "--container-option"})
"""Flags whose value may look like a flag, as in `--cmdline --check`: the next word is always the value."""

TAKEN = {"-b": ("--binary", "--become"), "-o": ("--output", "--cmdline=--one-line")}
"""Short flags of Ansible that are another flag here: the long name of that one, and what stands for Ansible's."""
OTHER_NAMES = {
    "-b": "--become",
    "--inventory-file": "--inventory",
    "--key-file": "--private-key",
    "--module-name": "--module",
    "--vault-pass-file": "--vault-password-file",
    "--verbose": "-v",
}
"""Flags of Ansible that have another name here."""
PASSED_ON = frozenset(
    (
        *("-B", "-M", "-P", "-T"),
        *("--background", "--poll", "--one-line", "--tree", "--playbook-dir", "--module-path"),
        *("--become-method", "--become-pass-file", "--become-password-file"),
        *("--conn-pass-file", "--connection-password-file"),
        *("--scp-extra-args", "--sftp-extra-args", "--ssh-common-args", "--ssh-extra-args"),
        *("--flush-cache", "--force-handlers", "--step", "--task-timeout", "--timeout"),
    )
)
"""Ansible's other flags, which can be passed in `--cmdline`."""

EXCLUSIVE = "what to run"
"""Title of the group from which at most one flag can be given."""


def flag(*names: str, own: bool = False, **words: Any) -> Flag:
    """Define a flag."""
    return Flag(names, words, own)


def optional_word(word: str) -> Callable[[str], str]:
    """Return the type of a flag whose value can be omitted, or is this word."""

    def check(text: str) -> str:
        if text != word:
            raise argparse.ArgumentTypeError(f"expected no value or {word}, got {text!r}{did_you_mean(text, [word])}")
        return text

    return check


def duration(text: str) -> float:
    """Return the seconds of a duration, such as 30m.

    Raises:
        ArgumentTypeError: it is none.
    """
    from playstream.pipeline.durations import parse_duration  # noqa: PLC0415 - seldom needed

    try:
        return parse_duration(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def takes_value(definition: Flag) -> bool:
    """Return whether the flag takes a value."""
    return definition.words.get("action") not in _VALUELESS


GENERIC: Group = (
    flag("--debug", action="store_true", help="write debug messages to standard error"),
    flag("--logfile", metavar="FILE", help="write log messages to FILE"),
)
QUIET: Group = (flag("-q", "--quiet", action="store_true", help="do not show Ansible's output or warnings"),)
JSON: Group = (flag("-j", "--json", action="store_true", help="show events as JSON lines instead of Ansible's output"),)
RAW: Group = (
    flag(
        "--raw-output",
        own=True,
        action="store_true",
        help="show the output unchanged, including terminal control sequences, "
        "which can move the cursor or set titles. By default only colours are kept, and other sequences are escaped, "
        "as in \\x1b[2J",
    ),
)
PROGRESS: Group = (
    flag(
        "--progress",
        own=True,
        action="store_true",
        help="if standard error is not a terminal, print a line every 10 seconds while files are packed, sent or "
        "unpacked, and one at the end; a terminal shows a bar anyway",
    ),
)
IDENT: Group = (
    flag("-i", "--ident", help="name of the run, and not an inventory: see --inventory (default: a new UUID)"),
)
RECEIVED_IDENT: Group = (
    flag("-i", "--ident", help="write the artifacts to artifacts/IDENT (default: directly to artifacts/)"),
)
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
        own=True,
        metavar="FILE",
        help="write the run's summary as JSON to FILE; - writes it to standard output instead of Ansible's output",
    ),
)
STORE: Group = (
    flag(
        "--store",
        own=True,
        metavar="URL",
        help="write the run to this store when it ends: user for your own, FILE, which is sqlite:///FILE, or "
        "postgresql://USER@HOST/DATABASE (or set PLAYSTREAM_STORE)",
    ),
    flag(
        "--label",
        own=True,
        metavar="NAME",
        help="what you call this kind of run in the store, for diff --against last-success",
    ),
    flag(
        "--store-events",
        own=True,
        action="store_true",
        help="keep the events in the store too, compressed, so that the run can be replayed from it",
    ),
)
FORCE = flag(
    "--force",
    own=True,
    action="store_true",
    help="replace the file of the capture if it exists",
)
CAPTURE: Group = (
    flag(
        "--capture",
        own=True,
        metavar="FILE",
        help="write a capture of the results to FILE, a new file that only this user can read",
    ),
    FORCE,
)
TEE: Group = (
    flag(
        "--tee",
        own=True,
        metavar="FILE",
        help="write a copy of the stream to FILE, a new file that only this user can read",
    ),
    FORCE,
)
FORMAT: Group = (
    flag(
        "--format",
        own=True,
        choices=["html", "junit", "markdown", "agent", "trace"],
        help="write a report to standard output when the run has ended, with Ansible's output on standard error: html "
        "for a browser, junit for CI systems, markdown for a comment, agent with failures and little else, "
        "trace for Perfetto",
    ),
    flag("-o", "--output", own=True, metavar="FILE", help="write the report of --format to FILE"),
)
STORED_IN: Group = (
    flag(
        "--store",
        own=True,
        metavar="URL",
        help="the store: FILE, which is sqlite:///FILE, or postgresql://USER@HOST/DATABASE (or set "
        "PLAYSTREAM_STORE; default: user, your own)",
    ),
)
STORED: Group = (
    *STORED_IN,
    flag("--json", action="store_true", help="print JSON instead of a table"),
    flag(
        "--wide",
        own=True,
        action="store_true",
        help="show whole values and times on a terminal too, as in a pipe",
    ),
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
        own=True,
        type=float,
        metavar="N",
        help="treat the other side as lost after N seconds of silence; 0 waits forever (default: 60)",
    ),
)
ENCRYPTION: Group = (
    flag(
        "--encrypt-to",
        own=True,
        metavar="RECIPIENT",
        action="append",
        help="encrypt the output for RECIPIENT: age1…, "
        "'ssh-ed25519 …', 'ssh-rsa …', or @FILE with one recipient per line; may be repeated",
    ),
)
DECRYPTION: Group = (
    flag(
        "--identity",
        own=True,
        metavar="FILE",
        action="append",
        help="decrypt the input, and refuse unencrypted input; FILE "
        "contains age secret keys or an SSH private key; may be repeated",
    ),
)
LIMITS: Group = (
    flag(
        "--max-tree-bytes",
        own=True,
        type=int,
        metavar="N",
        help="maximum bytes of file content in a tree (default: 64 GiB)",
    ),
    flag(
        "--max-tree-entries",
        own=True,
        type=int,
        metavar="N",
        help="maximum number of entries in a tree (default: 1,000,000)",
    ),
    flag(
        "--max-record-bytes",
        own=True,
        type=int,
        metavar="N",
        help="maximum bytes in one record, such as an event (default: 64 MiB)",
    ),
)
REPORT: Group = (flag("--report-to", type=int, metavar="FD"), flag("--answers-from", type=int, metavar="FD"))
"""Internal flags: `start` passes them to `run`, to report that the job was checked and started, and to pass on the
passwords that it has asked for."""
SHOWING = ("output", (*QUIET, *JSON))
SHOWING_ALL = ("output", (*QUIET, *JSON, *RAW))
LOGGING = ("logging", GENERIC)
LINK = ("connection", (*KEEPALIVE, *LIVENESS))

COMMAND_FLAGS: dict[str, Groups] = {
    "process": (
        ("results", (*RECEIVED_IDENT, *ARTIFACT_DIR, *SUMMARY, *FORMAT, *STORE, *TEE)),
        ("connection", LIVENESS),
        ("encryption", DECRYPTION),
        ("limits", LIMITS),
        ("output", (*SHOWING_ALL[1], *PROGRESS)),
        LOGGING,
    ),
    "plugin-path": (LOGGING,),
    "help": (LOGGING,),
    "completion": (LOGGING,),
    "runs": (("which runs to list", WHICH), ("store", STORED), LOGGING),
    "show": (("store", STORED), LOGGING),
}
"""The subcommands that concern results; `job_flags`, `worker_flags`, `mesh_flags`, `capture_flags` and `store_flags`
have the others, and load when needed."""


def groups_of(command: str) -> Groups:
    """Return the groups of flags of a subcommand."""
    if command in COMMAND_FLAGS:
        return COMMAND_FLAGS[command]
    return _other_commands()[command]


def list_commands() -> list[str]:
    """Return the names of all subcommands."""
    return [*_other_commands(), *COMMAND_FLAGS]


def _other_commands() -> dict[str, Groups]:
    from playstream.cli.capture_flags import CAPTURE_COMMAND_FLAGS  # noqa: PLC0415 - as below
    from playstream.cli.job_flags import JOB_COMMAND_FLAGS  # noqa: PLC0415 - not needed by `process`
    from playstream.cli.mesh_flags import MESH_COMMAND_FLAGS  # noqa: PLC0415 - as above
    from playstream.cli.store_flags import STORE_COMMAND_FLAGS  # noqa: PLC0415 - as above
    from playstream.cli.worker_flags import WORKER_COMMAND_FLAGS  # noqa: PLC0415 - as above

    return {
        **JOB_COMMAND_FLAGS,
        **WORKER_COMMAND_FLAGS,
        **MESH_COMMAND_FLAGS,
        **CAPTURE_COMMAND_FLAGS,
        **STORE_COMMAND_FLAGS,
    }


def flags_of(command: str) -> list[Flag]:
    """Return all flags of a subcommand."""
    return [definition for _title, group in groups_of(command) for definition in group]


def is_own(command: str, name: str) -> bool:
    """Return whether ansible-runner's subcommand does not have the flag; none of its subcommands, without a command."""
    commands = [command] if command else list_commands()
    found = [item.own for each in commands for item in flags_of(each) if name in item.names]
    return bool(found) and all(found)
