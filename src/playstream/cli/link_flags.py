"""Definitions of the flags of runs on other hosts: the link, what is sent, and the connection."""

from __future__ import annotations

from playstream.cli.flags import (
    DECRYPTION,
    ENCRYPTION,
    KEEPALIVE,
    LIMITS,
    LIVENESS,
    PROGRESS,
    Group,
    duration,
    flag,
    optional_word,
)

EXCLUDE: Group = (
    flag(
        "--exclude",
        own=True,
        action="append",
        default=[],
        metavar="PATTERN",
        help="do not send files that match PATTERN "
        "(gitignore syntax), in addition to DIR/.playstreamignore; may be repeated",
    ),
)
WHEELS: Group = (
    flag(
        "--wheels",
        own=True,
        metavar="DIR",
        help="send wheels from DIR only (default: from a cache, which pip fills)",
    ),
)
BOOTSTRAP: Group = (
    flag(
        "--bootstrap",
        own=True,
        metavar="WORD",
        nargs="?",
        const=True,
        type=optional_word("ansible"),
        help="ssh://: first send playstream, so that the host needs nothing but Python 3.11 and Ansible; "
        "--bootstrap=ansible sends Ansible too",
    ),
    *WHEELS,
)
MESH: Group = (
    flag(
        "--start-within",
        own=True,
        metavar="DURATION",
        type=duration,
        help="nats://: do not start the job any more if no node has within DURATION, such as 90s, 30m or 12h (default: "
        "it waits for five times --liveness-seconds)",
    ),
    flag(
        "--need",
        own=True,
        metavar="WORD",
        action="append",
        default=[],
        help="nats://: run the job on a node that has WORD, such as podman or 'ansible-core>=2.16'; may be repeated",
    ),
    flag(
        "--no-encryption",
        own=True,
        action="store_true",
        help="nats://: do not encrypt the job and its results: the server, its disk and its backups have all of both, "
        "with passwords and keys. Only for nodes that accept it",
    ),
)
ON: Group = (
    flag(
        "--on",
        own=True,
        metavar="LINK",
        help="run the job on another host: ssh://[USER@]HOST[:PORT], or exec:COMMAND for a command that connects to a "
        "worker (or set PLAYSTREAM_ON; default: this host)",
    ),
    *BOOTSTRAP,
    *MESH,
    *EXCLUDE,
    *PROGRESS,
    *KEEPALIVE,
    *LIVENESS,
    *ENCRYPTION,
    *DECRYPTION,
    *LIMITS,
)
DETACH: Group = (
    flag(
        "--detach",
        own=True,
        action="store_true",
        help="nats://: return when all of the job is on the server, and print its name, for playstream mesh attach",
    ),
    flag(
        "--max-job-bytes",
        own=True,
        type=int,
        metavar="N",
        help="--detach: maximum bytes of the job (default: 1 GiB)",
    ),
)
SENT: Group = (
    flag("--ansible", own=True, action="store_true", help="send Ansible too, in a virtual environment"),
    *WHEELS,
    flag("--remove", own=True, action="store_true", help="remove everything that was sent"),
)
