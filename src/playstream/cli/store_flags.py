"""Flags of the subcommands that look after a store."""

from __future__ import annotations

from playstream.cli.flags import LIMITS, LOGGING, STORED_IN, Groups, flag

STORE_COMMAND_FLAGS: dict[str, Groups] = {
    "store": (LOGGING,),
    "store prune": (
        (
            "which runs to remove",
            (
                flag(
                    "--older-than",
                    own=True,
                    metavar="WHEN",
                    help="remove only runs that started before WHEN: 90d, 12h, 2026-11-01, 2026-11-01T08:30",
                ),
                flag("--keep", own=True, metavar="N", type=int, help="keep the N newest runs, whatever their age"),
                flag("--dry-run", own=True, action="store_true", help="only say what would be removed"),
            ),
        ),
        ("store", STORED_IN),
        LOGGING,
    ),
    "store export": (
        ("store", STORED_IN),
        (
            "output",
            (flag("-o", "--output", own=True, metavar="FILE", help="write to FILE instead of standard output"),),
        ),
        LOGGING,
    ),
    "store import": (("store", STORED_IN), ("limits", LIMITS), LOGGING),
}
