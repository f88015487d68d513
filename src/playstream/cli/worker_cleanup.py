"""`playstream worker cleanup`: remove directories and images left by jobs on a worker's host.

Programs read its output: the lines about removed items are the same as in ansible-runner.
"""

from __future__ import annotations

import argparse

from playstream.cli.output import print_message
from playstream.cli.parser import Parser
from playstream.pipeline.errors import ConfigurationError, JobError
from playstream.worker.cleanup import prune_images, remove_directories, remove_images, split_list


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s [FLAGS]"
    parser.description = (
        "Remove directories left by jobs, and container images. A directory in use by a job is kept. The last line of "
        "output is (changed: True) or (changed: False)."
    )
    parser.epilog = "Pass several values as separate words, or as one word with spaces or commas."
    parser.add_flags("worker cleanup")


def run(flags: argparse.Namespace) -> int:
    """Remove directories and images; return the exit status."""
    for name, given in (
        ("--private-data-dir", flags.private_data_dir),
        ("--delete", flags.delete),
        ("--keepalive-seconds", flags.keepalive_seconds),
        ("--worker-info", flags.worker_info),
    ):
        if given:
            raise ConfigurationError(f"{name} does not apply to cleanup, which runs no job: omit it")
    if flags.grace_period < 0:
        raise ConfigurationError(f"--grace-period: expected 0 or more minutes, got {flags.grace_period}")
    executable = flags.process_isolation_executable or "podman"
    changed, complete = False, True
    if flags.file_pattern:
        done = remove_directories(
            flags.file_pattern, exclude=split_list(flags.exclude_strings or ()), grace_minutes=flags.grace_period
        )
        for path, reason in done.kept:
            print(f"kept {path}: {reason}")
        for path, reason in done.failed:
            print_message("worker cleanup", f"{path} cannot be removed: {reason}")
        if done.removed:
            print(f"Removed {len(done.removed)} private data dir(s) in pattern {flags.file_pattern}")
        changed |= bool(done.removed)
        complete = not done.failed
    if images := split_list(flags.remove_images or ()):
        count = remove_images(images, executable)
        if count:
            print(f"Removed {count} image(s)")
        changed |= bool(count)
    if flags.image_prune and prune_images(executable):
        print("Pruned images")
        changed = True
    print(f"(changed: {changed})")
    return 0 if complete else JobError.exit_status
