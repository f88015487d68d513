"""Definitions of the flags of runs on other hosts: the link, what is sent, and the connection."""

from __future__ import annotations

import argparse

from playstream.cli.flags import DECRYPTION, ENCRYPTION, KEEPALIVE, LIMITS, LIVENESS, PROGRESS, Group, flag
from playstream.pipeline.errors import did_you_mean


def _bootstrap(text: str) -> str:
    """Return what is sent beside playstream, given to `--bootstrap`.

    Raises:
        ArgumentTypeError: it is something else.
    """
    if text != "ansible":
        raise argparse.ArgumentTypeError(f"expected no value or ansible, got {text!r}{did_you_mean(text, ['ansible'])}")
    return text


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
        type=_bootstrap,
        help="ssh://: first send playstream, so that the host needs nothing but Python 3.11 and Ansible; "
        "--bootstrap=ansible sends Ansible too",
    ),
    *WHEELS,
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
    *EXCLUDE,
    *PROGRESS,
    *KEEPALIVE,
    *LIVENESS,
    *ENCRYPTION,
    *DECRYPTION,
    *LIMITS,
)
SENT: Group = (
    flag("--ansible", own=True, action="store_true", help="send Ansible too, in a virtual environment"),
    *WHEELS,
    flag("--remove", own=True, action="store_true", help="remove everything that was sent"),
)
