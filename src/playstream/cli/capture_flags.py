"""Flags of the subcommands that read captures."""

from __future__ import annotations

from playstream.cli.flags import DECRYPTION, LIMITS, LOGGING, RAW, STORED, STORED_IN, Groups, flag

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
    "diff": (
        (
            "what to compare with",
            (
                flag(
                    "--against",
                    own=True,
                    choices=["last-success"],
                    help="compare the run of the store with the last successful one before it that has the same label, "
                    "or without a label the same playbook and name of the directory",
                ),
            ),
        ),
        (
            "page",
            (
                flag(
                    "--html",
                    own=True,
                    action="store_true",
                    help="write a page for a browser, one file without scripts, instead of a table",
                ),
                flag("-o", "--output", own=True, metavar="FILE", help="write the page of --html to FILE"),
            ),
        ),
        ("store", STORED),
        ("encryption", DECRYPTION),
        ("limits", LIMITS),
        LOGGING,
    ),
    "replay": (
        (
            "what to show",
            (
                flag(
                    "--from",
                    own=True,
                    metavar="WHEN",
                    dest="start",
                    help="begin at WHEN: 90, 1:30 or 1:00:00 after the beginning, or 2026-11-01T08:30",
                ),
                flag("--host", own=True, metavar="NAME", help="show only this host's events"),
                flag("--task", own=True, metavar="NAME", help="show only the tasks with this name"),
                flag(
                    "--speed",
                    own=True,
                    metavar="N",
                    default="1",
                    help="show it N times as fast as it was; max waits for nothing (default: 1)",
                ),
            ),
        ),
        ("store", STORED_IN),
        ("encryption", DECRYPTION),
        ("limits", LIMITS),
        ("output", RAW),
        LOGGING,
    ),
    "report": (
        (
            "report",
            (
                flag(
                    "--format",
                    own=True,
                    choices=["html", "junit", "markdown", "agent", "trace"],
                    help="html for a browser, junit for CI systems, markdown for a comment, agent with failures and "
                    "little else, trace for Perfetto (default: that of FILE's name)",
                ),
                flag(
                    "-o",
                    "--output",
                    own=True,
                    metavar="FILE",
                    help="write it to FILE, which only this user can read; without it to standard output",
                ),
                flag(
                    "--hide-hosts",
                    own=True,
                    action="store_true",
                    help="html and trace: replace the names of hosts everywhere, also in results",
                ),
            ),
        ),
        ("store", STORED_IN),
        ("encryption", DECRYPTION),
        ("limits", LIMITS),
        LOGGING,
    ),
    "extract": (("encryption", DECRYPTION), ("limits", LIMITS), LOGGING),
}
