"""Definitions of the flags of the mesh: its directory, identities and nodes."""

from __future__ import annotations

from playstream.cli.flags import (
    CAPTURE,
    FORMAT,
    LIMITS,
    LOGGING,
    RESULTS,
    SHOWING_ALL,
    STORE,
    SUMMARY,
    Group,
    Groups,
    flag,
    optional_word,
)
from playstream.cli.worker_flags import LOG_FORMAT, MAX_JOB

DIRECTORY: Group = (
    flag(
        "--directory",
        own=True,
        metavar="DIR",
        default=".",
        help="the directory that mesh init has made (default: the current one)",
    ),
)
MESH_IDENTITY: Group = (
    flag(
        "--identity",
        own=True,
        metavar="FILE",
        help="the file of the identity, NAME.playstream (or set PLAYSTREAM_MESH)",
    ),
)
SERVERS: Group = (
    flag(
        "--server",
        own=True,
        metavar="HOST[:PORT]",
        action="append",
        help="a server, by the name or address at which nodes reach it; several are a cluster "
        "(default: localhost:4222)",
    ),
    flag(
        "--listen",
        own=True,
        metavar="ADDRESS",
        help="the address that the servers listen on (default: all of the host)",
    ),
    flag(
        "--lost-after",
        own=True,
        type=float,
        metavar="N",
        help="a node counts as lost, and ends its jobs, after N seconds without the mesh, from 3 to 600 (default: 6, "
        "or 20 with several servers, which need up to 10 to go on without one of them)",
    ),
)
GROUPS: Group = (
    flag(
        "--group",
        own=True,
        metavar="NAME",
        action="append",
        help="node: a group whose jobs it runs; may be repeated",
    ),
)
STREAMS: Group = (
    flag(
        "--replicas",
        own=True,
        type=int,
        metavar="N",
        help="servers that keep each new stream (default: 3 of a cluster)",
    ),
    flag(
        "--keep",
        own=True,
        metavar="DURATION",
        help="keep jobs and their results for DURATION after they have arrived, such as 12h or 30d, from now on and in "
        "all groups (default: as before; 7d in a new mesh)",
    ),
    flag(
        "--max-waiting-bytes",
        own=True,
        type=int,
        metavar="N",
        help="room for what the jobs of each group consist of that no node has read yet (default: as before; 1.25 GiB "
        "for a new group)",
    ),
    flag(
        "--max-result-bytes",
        own=True,
        type=int,
        metavar="N",
        help="room for the results of each group (default: as before; 4 GiB for a new group)",
    ),
)
ATTACHED: Group = (
    *MESH_IDENTITY,
    flag(
        "--from",
        own=True,
        dest="from_event",
        type=int,
        metavar="N",
        help="show the job from the event with the counter N on; the artifacts have all of it (default: 1)",
    ),
)
JOB_IDENT: Group = (
    flag("-i", "--ident", own=True, help="write the artifacts to artifacts/IDENT (default: the name of the job)"),
)

STATUS: Group = (
    flag("--watch", own=True, action="store_true", help="show it again every 2 seconds, until Ctrl-C"),
    flag("--json", own=True, action="store_true", help="print JSON instead of tables"),
)
JOBS: Group = (flag("--json", own=True, action="store_true", help="print JSON, one line for each job"),)
RUNNING: Group = (
    flag(
        "--slots", own=True, type=int, metavar="N", help="jobs that run at the same time (default: one per processor)"
    ),
    *LOG_FORMAT,
)
SERVICE: Group = (
    flag(
        "--drain-seconds",
        own=True,
        type=float,
        metavar="N",
        help="after SIGTERM, let active jobs run for N seconds before they are canceled (default: until they end)",
    ),
    flag(
        "--print-unit",
        own=True,
        metavar="WORD",
        nargs="?",
        const="service",
        type=optional_word("service"),
        help="print a systemd unit for these flags, and exit",
    ),
)
ACCEPTING: Group = (
    flag(
        "--require-signature",
        own=True,
        action="store_true",
        help="run only jobs that a submitter of the mesh has signed, and each of them once",
    ),
    flag(
        "--feature",
        own=True,
        metavar="NAME",
        action="append",
        default=[],
        help="say that this node has NAME, which jobs may need (--need NAME); may be repeated",
    ),
    flag(
        "--no-encryption",
        own=True,
        action="store_true",
        help="run jobs that are not encrypted, too: the server and its disk have all of them and of their results",
    ),
)
NODE: Group = (*MESH_IDENTITY, *RUNNING, *SERVICE, *ACCEPTING)

MESH_COMMAND_FLAGS: dict[str, Groups] = {
    "mesh": (LOGGING,),
    "mesh up": (("node", RUNNING), LOGGING),
    "mesh init": (("servers", SERVERS), LOGGING),
    "mesh add": (("mesh", (*DIRECTORY, *GROUPS)), LOGGING),
    "mesh remove": (("mesh", DIRECTORY), LOGGING),
    "mesh renew": (("mesh", DIRECTORY), LOGGING),
    "node": (("node", NODE), ("limits", (*LIMITS, *MAX_JOB)), LOGGING),
    "mesh status": (("mesh", MESH_IDENTITY), ("output", STATUS), LOGGING),
    "mesh logs": (("mesh", MESH_IDENTITY), LOGGING),
    "mesh check": (("mesh", (*MESH_IDENTITY, *STREAMS)), LOGGING),
    "mesh jobs": (("mesh", MESH_IDENTITY), ("output", JOBS), LOGGING),
    "mesh cancel": (("mesh", MESH_IDENTITY), LOGGING),
    "mesh attach": (
        ("mesh", ATTACHED),
        ("results", (*JOB_IDENT, *RESULTS, *SUMMARY, *FORMAT, *STORE, *CAPTURE)),
        ("limits", LIMITS),
        SHOWING_ALL,
        LOGGING,
    ),
}
"""The subcommands about the mesh; `flags` loads them when needed."""
