"""`playstream transmit`: a job and its private data directory as a stream on standard output."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playstream.cli.subcommand import Subcommands
from playstream.pipeline.errors import ConfigurationError


def add_parser(subcommands: Subcommands) -> None:
    """Add this subcommand to the command line."""
    parser = subcommands.add_parser(
        "transmit",
        help="write a job and its private data directory to standard output",
        description="Write a job and its private data directory as a stream to standard output, for a worker.",
    )
    parser.add_argument("private_data_dir", metavar="DIR", type=Path, help="with project/, inventory/ and env/")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-p", "--playbook", help="playbook to run, relative to DIR/project")
    what.add_argument("-m", "--module", help="module to run")
    what.add_argument("-r", "--role", help="role to run, of DIR/project/roles or --roles-path")
    parser.add_argument("-a", "--args", dest="module_args", help="arguments of the module")
    parser.add_argument("-i", "--ident", help="name of the run; a new uuid when left out")
    parser.add_argument("--hosts", help="host pattern of a module or role; all when left out")
    parser.add_argument("--inventory", action="append", default=[],
                        help="path in DIR, or hosts with a comma; DIR/inventory when left out; may be repeated")
    parser.add_argument("--limit", help="run on these of the hosts only")
    parser.add_argument("--tags", help="run only tasks with these tags")
    parser.add_argument("--skip-tags", help="leave out tasks with these tags")
    parser.add_argument("--forks", type=int, help="hosts to work on at once")
    parser.add_argument("-v", dest="verbosity", action="count", default=0, help="more output; may be repeated")
    parser.add_argument("--cmdline", help="further words for Ansible's command line")
    parser.add_argument("--project-dir", help="directory of the playbooks; DIR/project when left out")
    parser.add_argument("--roles-path", action="append", default=[], help="directory in DIR with roles; may be "
                        "repeated")
    parser.add_argument("--role-vars", help="variables of the role, as YAML or JSON")
    parser.add_argument("--role-skip-facts", action="store_true", help="do not gather facts before the role")
    parser.add_argument("--omit-event-data", action="store_true", help="events without their data")
    parser.add_argument("--only-failed-event-data", action="store_true", help="event data of failures only")
    parser.add_argument("--omit-env-files", action="store_true", help="do not read DIR/env")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN",
                        help="leave out what matches, in gitignore syntax, besides DIR/.playstreamignore; may be "
                        "repeated")
    parser.add_argument("--only-transmit-kwargs", action="store_true",
                        help="send the arguments without the directory; the worker has a --private-data-dir")
    parser.set_defaults(run=_run, name="transmit")


def _run(options: argparse.Namespace) -> int:
    from playstream.interface.transmit import transmit  # noqa: PLC0415 - only what this subcommand needs is loaded
    from playstream.pipeline.inputs import parse_mapping  # noqa: PLC0415
    from playstream.pipeline.job import Arguments  # noqa: PLC0415
    from playstream.pipeline.links.stdio import claim_output  # noqa: PLC0415

    if sys.stdout.isatty():
        raise ConfigurationError(
            "standard output is a terminal, and a stream is not for reading. Pipe it into a worker: playstream "
            "transmit … | ssh host playstream worker | playstream process …, or redirect it to a file"
        )
    arguments = Arguments(
        ident=options.ident,
        playbook=options.playbook,
        module=options.module,
        module_args=options.module_args,
        role=options.role,
        role_vars=parse_mapping("--role-vars", options.role_vars or ""),
        role_skip_facts=options.role_skip_facts,
        hosts=options.hosts,
        project_dir=options.project_dir,
        inventory=options.inventory or None,
        roles_path=options.roles_path,
        limit=options.limit,
        tags=options.tags,
        skip_tags=options.skip_tags,
        forks=options.forks,
        verbosity=options.verbosity,
        cmdline=options.cmdline,
        omit_event_data=options.omit_event_data,
        only_failed_event_data=options.only_failed_event_data,
        suppress_env_files=options.omit_env_files,
    )
    transmit(
        options.private_data_dir,
        arguments,
        claim_output(),
        exclude=options.exclude,
        only_arguments=options.only_transmit_kwargs,
    )
    return 0
