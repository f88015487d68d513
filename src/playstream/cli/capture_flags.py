"""Flags of the subcommands that read captures."""

from __future__ import annotations

from playstream.cli.flags import DECRYPTION, LIMITS, LOGGING, Groups, flag

CAPTURE_COMMAND_FLAGS: dict[str, Groups] = {
    "inspect": (
        (
            "output",
            (
                flag(
                    "--json",
                    own=True,
                    action="store_true",
                    help="print JSON lines instead of a table: one object for each record, and one with the totals",
                ),
                flag(
                    "--wide",
                    own=True,
                    action="store_true",
                    help="show whole values on a terminal too, as in a pipe",
                ),
            ),
        ),
        ("encryption", DECRYPTION),
        ("limits", LIMITS),
        LOGGING,
    ),
    "extract": (("encryption", DECRYPTION), ("limits", LIMITS), LOGGING),
}
