"""Definitions of the flags of workers, of their cache, and of what is removed on their host."""

from __future__ import annotations

import argparse
import re

from playstream.cli.flags import (
    DECRYPTION,
    ENCRYPTION,
    LIMITS,
    LINK,
    LOGGING,
    PROGRESS,
    Group,
    Groups,
    flag,
)

_SIZE = re.compile(r"(\d{1,15})([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_UNITS = " KMGT"


def size(text: str) -> int:
    """Return a size in bytes: a number, perhaps with K, M, G or T for powers of 1024.

    Raises:
        ArgumentTypeError: it is none.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a size such as 500M or 2G, got {text!r}")
    return int(found[1]) << 10 * _UNITS.index(found[2].upper() or " ")


MAX_JOB: Group = (
    flag(
        "--max-job-seconds", own=True, type=float, metavar="N", help="stop any job after N seconds (default: no limit)"
    ),
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
LOG_FORMAT: Group = (
    flag(
        "--log-format",
        own=True,
        metavar="WORD",
        choices=("text", "json"),
        help="form of the log on standard error: text or json (default: text)",
    ),
)
LISTENING: Group = (
    flag(
        "--listen",
        own=True,
        metavar="ADDRESS",
        help="serve many jobs, one for each connection: unix:/PATH or tls://HOST:PORT. Whoever may connect can run any "
        "command as this user",
    ),
    flag(
        "--allow-user",
        own=True,
        metavar="USER",
        action="append",
        help="unix: a user who may connect, besides this one and root; may be repeated",
    ),
    flag(
        "--allow",
        own=True,
        metavar="NAME",
        action="append",
        help="tls: the name in the certificate of a client that may connect; may be repeated",
    ),
    flag("--tls-cert", own=True, metavar="FILE", help="certificate of this worker, in PEM format"),
    flag("--tls-key", own=True, metavar="FILE", help="its private key (default: in the file of --tls-cert)"),
    flag("--tls-ca", own=True, metavar="FILE", help="certificates of the CAs of the clients"),
    flag(
        "--slots", own=True, type=int, metavar="N", help="jobs that run at the same time (default: one per processor)"
    ),
    flag("--queue", own=True, type=int, metavar="N", help="jobs that wait for a slot; more are refused (default: 16)"),
    flag(
        "--arrival-seconds",
        own=True,
        type=float,
        metavar="N",
        help="close a connection that has not sent its job record after N seconds; 0 waits forever (default: 60)",
    ),
    flag(
        "--drain-seconds",
        own=True,
        type=float,
        metavar="N",
        help="after SIGTERM, let active jobs run for N seconds before they are canceled (default: 0)",
    ),
    *LOG_FORMAT,
    flag(
        "--print-unit",
        own=True,
        metavar="WORD",
        choices=("service", "socket"),
        help="print a systemd unit for these flags, service or socket, and exit",
    ),
)
START: Group = (flag("--start-on", type=int, metavar="FD"),)
"""Internal flag: a listening worker passes it to the worker of a job that waits for a slot."""
ALIVE: Group = (
    flag("--wait-on", type=int, metavar="FD"),
    flag("--alive-on", type=int, metavar="FD"),
    flag("--alive-seconds", type=float, metavar="N"),
)
"""Internal flags: the node of a mesh passes them to its workers, which wait until it has a job for them, and end their
jobs when they hear nothing of it."""
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

CACHE: Group = (
    flag(
        "--cache",
        own=True,
        metavar="DIR",
        nargs="?",
        const="",
        help="keep what jobs bring in DIR (default: playstream/trees in the user's cache), so that a sender need not "
        "send it again",
    ),
    flag(
        "--cache-size",
        own=True,
        metavar="SIZE",
        type=size,
        help="size of the cache, such as 500M or 2G; what was not used for the longest time is removed (default: 2G)",
    ),
)
CACHE_SENDER: Group = (flag("--cache-sender", metavar="NAME"),)
"""Internal flag: a listening worker passes it to its workers, to say whose division of the cache a job has."""
CACHE_PLACE: Group = (
    flag("--cache", own=True, metavar="DIR", help="the cache (default: playstream/trees in the user's cache)"),
)
CACHE_STATS: Group = (
    *CACHE_PLACE,
    flag("--json", own=True, action="store_true", help="print JSON instead of a table"),
)
CACHE_PRUNE: Group = (
    *CACHE_PLACE,
    flag("--cache-size", own=True, metavar="SIZE", type=size, help="reduce it to SIZE, such as 500M or 2G"),
    flag("--all", own=True, action="store_true", help="remove everything that no job uses now"),
)

WORKER_COMMAND_FLAGS: dict[str, Groups] = {
    "worker": (
        ("serving", (*SERVING, *PROGRESS)),
        ("cache", CACHE),
        ("listening", LISTENING),
        LINK,
        ("encryption", (*ENCRYPTION, *DECRYPTION)),
        ("limits", (*LIMITS, *MAX_JOB)),
        LOGGING,
    ),
    "worker cleanup": (("what to remove", CLEANUP), LOGGING),
    "cache": (LOGGING,),
    "cache stats": (("cache", CACHE_STATS), LOGGING),
    "cache verify": (("cache", CACHE_PLACE), LOGGING),
    "cache prune": (("cache", CACHE_PRUNE), LOGGING),
}
"""The subcommands about workers; `flags` loads them when needed."""
