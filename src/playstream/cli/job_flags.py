"""Definitions of the flags of a job, and the groups of each subcommand that takes a job on its command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from playstream.cli.flags import (
    CAPTURE,
    DECRYPTION,
    ENCRYPTION,
    EXCLUSIVE,
    FORMAT,
    IDENT,
    LINK,
    LOGGING,
    PROGRESS,
    RESULTS,
    SHOWING,
    SHOWING_ALL,
    STORE,
    SUMMARY,
    VERBOSITY,
    Flag,
    Group,
    Groups,
    flag,
    optional_word,
)
from playstream.cli.link_flags import BOOTSTRAP, DETACH, EXCLUDE, ON, SENT
from playstream.pipeline.job.fast import EXPLAIN
from playstream.pipeline.job.options import ANSIBLE_OPTIONS, AnsibleOption
from playstream.pipeline.job.passwords import VAULT_ID, is_vault_id


def _flag_of(option: AnsibleOption) -> Flag:
    names = (option.short, option.flag) if option.short else (option.flag,)
    words: dict[str, Any] = {"action": "store_true"} if option.is_switch else {"metavar": option.metavar}
    if option.is_number:
        words["type"] = int
    return flag(*names, own=not option.runner_flag, help=option.help, **words)


def _vault_id(text: str) -> str:
    """Return the ID of a vault given to `--ask-vault-pass`.

    Raises:
        ArgumentTypeError: it is not valid.
    """
    if not is_vault_id(text):
        raise argparse.ArgumentTypeError(f"expected {VAULT_ID}, got {text!r}")
    return text


WHAT: Group = (
    flag("-p", "--playbook", metavar="FILE", help="playbook to run, relative to the project (or set RUNNER_PLAYBOOK)"),
    flag("-m", "--module", metavar="NAME", help="module to run (or set RUNNER_MODULE)"),
    flag("-r", "--role", metavar="NAME", help="role to run (or set RUNNER_ROLE)"),
)
FAST: Group = (
    flag(
        "--fast",
        own=True,
        metavar="WORD",
        nargs="?",
        const=True,
        type=optional_word(EXPLAIN),
        help="choose what makes the run faster where that is safe: shared ssh connections, forks, pipelining, mitogen; "
        "--fast=explain prints what would be chosen and why, and runs nothing",
    ),
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
EXTRA_VARS: Group = (
    flag(
        "-e",
        "--extra-vars",
        own=True,
        dest="extravars",
        metavar="VARS",
        action="append",
        help="variables: 'name=value name=value', YAML, JSON or @FILE; may be repeated",
    ),
)
SECRET_FILES: Group = (
    flag("--private-key", own=True, metavar="FILE", help="file with a private key for ssh, which only this run uses"),
    flag(
        "--vault-password-file",
        own=True,
        metavar="FILE",
        action="append",
        help="file with the password of a vault, or program that prints it; read here, before the run",
    ),
    flag(
        "--vault-id",
        own=True,
        metavar="ID@FILE",
        action="append",
        help="the same for the vault ID; may be repeated",
    ),
)
CMDLINE: Group = (flag("--cmdline", metavar="WORDS", help="additional arguments for Ansible's command line"),)
ANSIBLE: Group = (
    *EXTRA_VARS,
    *(_flag_of(option) for option in ANSIBLE_OPTIONS),
    flag("--hosts", metavar="HOSTS", help="hosts to run a module or a role on (default: all)"),
    *SECRET_FILES,
    *CMDLINE,
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
GALAXY: Group = (
    flag(
        "--galaxy",
        own=True,
        metavar="refresh",
        nargs="?",
        const=True,
        type=optional_word("refresh"),
        help="install the collections and roles that the project's requirements.yml files name into a cache of this "
        "user, and let them travel with the job; --galaxy=refresh installs them again, for newer versions",
    ),
)
SENDING: Group = (
    flag(
        "--hold",
        own=True,
        action="store_true",
        help="keep running until the worker ends; SIGINT, SIGTERM and SIGHUP then cancel the job",
    ),
    flag(
        "--since",
        own=True,
        metavar="TREE",
        help="for a worker with --cache: send only what has changed since an earlier job, whose results name its TREE; "
        "last is the tree of the last run in DIR/artifacts, and none sends everything",
    ),
    *EXCLUDE,
    *PROGRESS,
    flag(
        "--dialect",
        own=True,
        choices=["playstream", "runner"],
        default="playstream",
        help="protocol to write: "
        "playstream's own (the default), or ansible-runner's for a worker that may be ansible-runner. A playstream "
        "worker answers in the same protocol",
    ),
    flag(
        "--only-transmit-kwargs",
        own=True,
        action="store_true",
        help="send the arguments without the directory; the worker needs --private-data-dir",
    ),
)
LIKE_ANSIBLE: Group = (
    flag(
        "-i",
        "--inventory",
        metavar="PATH",
        action="append",
        help="inventory, or a list of hosts with a comma (default: Ansible's own); may be repeated",
    ),
    *EXTRA_VARS,
    *(_flag_of(option) for option in ANSIBLE_OPTIONS if option.for_module),
    *SECRET_FILES,
    *CMDLINE,
)
LIKE_ANSIBLE_MODULE: Group = (
    flag("-m", "--module", metavar="NAME", help="module to run (default: command; or set RUNNER_MODULE)"),
    *MODULE,
)
LIKE_ANSIBLE_PLAYBOOK: Group = tuple(_flag_of(option) for option in ANSIBLE_OPTIONS if not option.for_module)
ASKING: Group = (
    flag("-k", "--ask-pass", own=True, action="store_true", help="ask for the password of ssh, on the terminal"),
    flag("-K", "--ask-become-pass", own=True, action="store_true", help="ask for the password for become"),
    flag(
        "-J",
        "--ask-vault-pass",
        own=True,
        metavar="ID",
        action="append",
        nargs="?",
        default=[],
        type=_vault_id,
        help="ask for the password of the vault ID, or of the default vault; may be repeated",
    ),
)
CHECKED_JOB: Group = (
    flag(
        "--job",
        own=True,
        metavar="DIR",
        type=Path,
        help="private data directory of a job: check what it needs too",
    ),
    flag("--json", own=True, action="store_true", help="print one JSON object for each link"),
)
STANDALONE: Group = (
    flag("--artifact-dir", metavar="DIR", help="keep the artifacts in DIR/IDENT (default: keep nothing)"),
    flag("--ident", help="name of the run (default: a new UUID)"),
)
STOPPED_IDENT: Group = (
    flag(
        "-i",
        "--ident",
        help="name of the run to stop, the beginning of a UUID, or latest (default: the only active run)",
    ),
)
SOUGHT_IDENT: Group = (
    flag("-i", "--ident", help="name of the run to look for, the beginning of a UUID, or latest (default: any run)"),
)


def _job(ident: Group) -> Groups:
    return (
        (EXCLUSIVE, WHAT),
        ("module", MODULE),
        ("role", ROLE),
        ("run", (*ident, *FAST, *VERBOSITY)),
        ("Ansible options", ANSIBLE),
        ("paths", PLACES),
        ("events", EVENTS),
    )


_REQUIRED: Groups = (("requirements", GALAXY),)
_ELSEWHERE: Groups = (*_REQUIRED, ("another host", ON))
_ISOLATED = ("isolation", (*CONTAINER, *ISOLATION))
_ISOLATED_ELSEWHERE = ("isolation", (*CONTAINER, *(item._replace(own=True) for item in ISOLATION)))
"""Of subcommands that have no such flags in ansible-runner, except those of containers."""
_KEPT = ("results", (*RESULTS, *SUMMARY, *STORE))
_CAPTURED = ("results", (*_KEPT[1], *CAPTURE))
_SHOWN = ("results", (*_CAPTURED[1], *FORMAT))
_STANDALONE: Groups = (
    ("Ansible options", (*LIKE_ANSIBLE, *FAST, *VERBOSITY)),
    ("another host", ON),
    ("passwords", ASKING),
    ("results", (*STANDALONE, *SUMMARY, *FORMAT, *CAPTURE, *EVENTS)),
    _ISOLATED,
    SHOWING_ALL,
    LOGGING,
)

JOB_COMMAND_FLAGS: dict[str, Groups] = {
    "run": (
        *_job(IDENT),
        *_REQUIRED,
        ("another host", (*ON, *DETACH)),
        ("passwords", ASKING),
        _ISOLATED,
        _SHOWN,
        SHOWING_ALL,
        LOGGING,
    ),
    "start": (*_job(IDENT), *_ELSEWHERE, ("passwords", ASKING), _ISOLATED, _CAPTURED, SHOWING, LOGGING),
    "stop": (*_job(STOPPED_IDENT), ("passwords", ASKING), _ISOLATED_ELSEWHERE, _KEPT, SHOWING, LOGGING),
    "is-alive": (*_job(SOUGHT_IDENT), ("passwords", ASKING), _ISOLATED_ELSEWHERE, _KEPT, SHOWING, LOGGING),
    "transmit": (
        *_job(IDENT),
        ("passwords", ASKING),
        _ISOLATED_ELSEWHERE,
        *_REQUIRED,
        ("sending", SENDING),
        LINK,
        ("encryption", ENCRYPTION),
        ("results", RESULTS),
        SHOWING,
        LOGGING,
    ),
    "adhoc": (("module", LIKE_ANSIBLE_MODULE), *_STANDALONE),
    "check": (
        ("what to check", (*CHECKED_JOB, *GALAXY)),
        ("bare hosts", BOOTSTRAP),
        LINK,
        ("encryption", (*ENCRYPTION, *DECRYPTION)),
        LOGGING,
    ),
    "bootstrap": (("what to send", SENT), LOGGING),
    "playbook": (("tasks", LIKE_ANSIBLE_PLAYBOOK), *_REQUIRED, *_STANDALONE),
}
