"""Convert flags to keyword arguments of `playstream.run`."""

from __future__ import annotations

import argparse
import ast
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playstream.cli.extra_vars import read_extra_vars
from playstream.cli.link_options import link_url
from playstream.cli.output import print_message
from playstream.cli.parser import check_directory
from playstream.cli.secret_files import read_private_key, read_vault_passwords
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.inputs import parse_mapping
from playstream.pipeline.job.lookup import Delivery, Lookup
from playstream.pipeline.job.options import ANSIBLE_OPTIONS
from playstream.pipeline.job.passwords import name_vault
from playstream.pipeline.tree.directories import absolute_path

_AS_THEY_ARE = ("hosts", "cmdline", "omit_event_data", "only_failed_event_data")
_ISOLATION = (
    "process_isolation",
    "process_isolation_executable",
    "process_isolation_path",
    "process_isolation_hide_paths",
    "process_isolation_show_paths",
    "process_isolation_ro_paths",
    "directory_isolation_base_path",
    "container_image",
    "container_volume_mounts",
    "container_options",
)
_TASKS = ("playbook", "role")
"""The kinds of jobs that have tasks to choose from."""
_WHAT = {"playbook": "RUNNER_PLAYBOOK", "module": "RUNNER_MODULE", "role": "RUNNER_ROLE"}
_ASSIGNMENT = re.compile(r"""\s*([A-Za-z_]\w*)=((?:"[^"]*"|'[^']*'|[^\s"'])*)(?=\s|$)""")


def job_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the flags of `run`, `start` and `transmit`, without those that were not given.

    Args:
        flags: with `private_data_dir`, and `name` and `quiet` for warnings.

    Raises:
        ConfigurationError: there is nothing to run, flags contradict each other, or a value is invalid.
    """
    check_directory(flags.name, flags.private_data_dir)
    what = find_what(flags)
    if asks(flags):
        check_before_asking(flags)
    if not what and not os.path.exists(flags.private_data_dir / "args"):
        raise ConfigurationError(
            "expected something to run, got nothing: pass one of -p/--playbook, -m/--module and -r/--role"
        )
    _warn_of_inventory(flags)
    kind = next(iter(what), "command from the file args")
    _check_belonging(flags, kind)
    options = {name: getattr(flags, name) for name in _AS_THEY_ARE if getattr(flags, name)}
    options |= what | ansible_options(flags) | _of_module_or_role(flags, kind)
    options |= {
        "private_data_dir": flags.private_data_dir,
        "ident": flags.ident,
        "verbosity": flags.verbosity,
        "fast": flags.fast,
        "binary": flags.binary or os.environ.get("RUNNER_BINARY") or None,
        "inventory": None if flags.inventory is None else [_find_inventory(flags, item) for item in flags.inventory],
        "project_dir": _from_here(flags, flags.project_dir) if flags.project_dir else None,
        "roles_path": [_find_roles(flags, path) for item in _roles_path(flags) for path in item.split(":") if path]
        or None,
        **private_options(flags),
        **isolation_options(flags),
    }
    return {name: value for name, value in options.items() if value is not None}


def ansible_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the flags that Ansible has too; a subcommand may have some of them only."""
    given = {option.name: getattr(flags, option.name, None) for option in ANSIBLE_OPTIONS}
    return {name: value for name, value in given.items() if value not in (None, "") and value is not False}


def private_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the flags with values that are sent privately: extra variables, passwords, a key.

    Raises:
        ConfigurationError: a value is invalid, or a file cannot be read.
    """

    def warn(line: str) -> None:
        if not flags.quiet:
            print_message(flags.name, line)

    return {
        "extravars": read_extra_vars(flags.extravars or (), warn) or None,
        "ssh_key": None if flags.private_key is None else read_private_key(flags.private_key),
        "passwords": _passwords(flags) or None,
    }


def _passwords(flags: argparse.Namespace) -> dict[str, str]:
    """Return the passwords in the files that the flags name, and those that they ask for.

    Raises:
        ConfigurationError: a file cannot be used, or nobody can be asked.
    """
    found = read_vault_passwords(flags.vault_password_file or (), flags.vault_id or ())
    for vault_id in getattr(flags, "ask_vault_pass", ()):  # None is the default vault
        if name_vault(vault_id or "") in found:
            given = "" if vault_id is None else f"={vault_id}"
            raise ConfigurationError(
                f"--ask-vault-pass{given}: a file with this password is named too. Omit one of the two"
            )
    if not asks(flags):
        return found
    if hasattr(flags, "answers"):  # `start` has asked
        return {**found, **flags.answers}
    from playstream.cli.ask import ask_for_passwords  # noqa: PLC0415 - most commands ask nothing

    return {**found, **ask_for_passwords(flags)}


def asks(flags: argparse.Namespace) -> bool:
    """Return whether the flags ask for passwords."""
    return any(getattr(flags, name, None) for name in ("ask_pass", "ask_become_pass", "ask_vault_pass"))


def check_before_asking(flags: argparse.Namespace) -> None:
    """Check that there is a directory, and in it the playbook to run, so that nobody types a password in vain.

    Raises:
        ConfigurationError: there is none.
    """
    check_directory(flags.name, flags.private_data_dir)
    playbook = find_what(flags).get("playbook")
    if playbook is not None and not getattr(flags, "only_transmit_kwargs", False):
        project = _from_here(flags, flags.project_dir) if flags.project_dir else None
        Lookup(flags.private_data_dir, project, Delivery.IN_PLACE).playbook(playbook)


def isolation_options(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the options given by the flags for containers and bwrap."""
    return {name: getattr(flags, name) for name in _ISOLATION if getattr(flags, name)}


def is_sent(flags: argparse.Namespace) -> bool:
    """Return whether the job is sent to a worker, which has only what is in its private data directory."""
    return flags.name == "transmit" or link_url(flags) is not None


def find_what(flags: argparse.Namespace) -> dict[str, str]:
    """Return the playbook, module or role, from the flags or else from the environment.

    Raises:
        ConfigurationError: the environment names more than one.
    """
    given = {name: getattr(flags, name) for name in _WHAT if getattr(flags, name)}
    if given:
        return given
    found = {name: os.environ[variable] for name, variable in _WHAT.items() if os.environ.get(variable)}
    if len(found) > 1:
        raise ConfigurationError(
            f"expected one of {', '.join(_WHAT.values())} in the environment, got "
            f"{' and '.join(_WHAT[name] for name in found)}. Unset the others, or pass -p, -m or -r"
        )
    return found


def _warn_of_inventory(flags: argparse.Namespace) -> None:
    """Warn about a run's name that was probably meant as an inventory, which is what -i means to Ansible."""
    ident = flags.ident
    if not ident or flags.quiet or not ("," in ident or _is_inventory(ident, flags.private_data_dir)):
        return
    print_message(
        flags.name,
        f"warning: -i {ident!r} is the name of the run and not an inventory. To choose hosts, pass --inventory {ident}",
    )


def _is_inventory(name: str, directory: Path) -> bool:
    """Return whether this is the path of an inventory: of a file, or of any entry of the directory of inventories."""
    if os.path.isfile(name) or os.path.isfile(directory / name) or os.path.exists(directory / "inventory" / name):
        return True
    return Path(name).name == "inventory" and (os.path.isdir(name) or os.path.isdir(directory / name))


def _check_belonging(flags: argparse.Namespace, kind: str) -> None:
    """Refuse flags that select hosts or tasks but do not apply to this kind of job."""
    for name, value, kinds in (
        ("--hosts", flags.hosts, ("module", "role")),
        *((item.flag, getattr(flags, item.name), _TASKS) for item in ANSIBLE_OPTIONS if not item.for_module),
    ):
        if value and kind not in kinds:
            raise ConfigurationError(f"{name} applies to a {' or '.join(kinds)}, but this job runs a {kind}: omit it")


def _of_module_or_role(flags: argparse.Namespace, kind: str) -> dict[str, Any]:
    """Return the options that apply to a module or a role only. Warn about flags that do not apply to this job."""
    options: dict[str, Any] = {}
    for name, option, value, owner in (
        ("--args", "module_args", flags.module_args, "module"),
        ("--role-vars", "role_vars", flags.role_vars, "role"),
        ("--role-skip-facts", "role_skip_facts", flags.role_skip_facts, "role"),
    ):
        if value and kind == owner:
            options[option] = parse_variables(name, value) if option == "role_vars" else value
        elif value and not flags.quiet:
            print_message(
                flags.name, f"warning: {name} applies to a {owner}, but this job runs a {kind}: it is ignored"
            )
    return options


def _find_inventory(flags: argparse.Namespace, item: str) -> str:
    return item if "," in item else _from_here(flags, item, flags.private_data_dir / "inventory")


def _roles_path(flags: argparse.Namespace) -> Sequence[str]:
    """Return --roles-path, or else ANSIBLE_ROLES_PATH, unless the job is sent, which not all of the latter are."""
    if flags.roles_path or is_sent(flags):
        return flags.roles_path or ()
    return [os.environ.get("ANSIBLE_ROLES_PATH", "")]


def _find_roles(flags: argparse.Namespace, path: str) -> str:
    """Return a directory of roles; a directory in the project takes precedence, as in ansible-runner."""
    project = flags.private_data_dir / (_from_here(flags, flags.project_dir) if flags.project_dir else "project")
    return path if (project / path).is_dir() else _from_here(flags, path)


def _from_here(flags: argparse.Namespace, path: str, *places: Path) -> str:
    """Return `path` as an absolute path if it exists relative to the current directory, otherwise unchanged.

    If the job is sent, paths in the private data directory or in one of `places` take precedence, because these are
    sent.
    """
    if is_sent(flags) and any(os.path.exists(place / path) for place in (flags.private_data_dir, *places)):
        return path
    return absolute_path(path) if os.path.exists(path) else path


def parse_variables(source: str, text: str) -> dict[str, Any]:
    """Parse variables given as `name=value name=value`, as in ansible-runner, or as YAML or JSON.

    In the first form a value is read as a Python literal (a number, True, a quoted string) if possible, else as text.

    Args:
        source: the flag, for errors.
        text: its value.

    Raises:
        ConfigurationError: the text has none of these forms.
    """
    if not _ASSIGNMENT.match(text):
        return parse_mapping(source, text)
    return {name: _literal(value) for name, value in split_assignments(source, text)}


def split_assignments(source: str, text: str) -> list[tuple[str, str]]:
    """Split `name=value name='two words'` into names and values, keeping the quotes.

    Raises:
        ConfigurationError: part of the text is not an assignment.
    """
    found = []
    position = 0
    while text[position:].strip():
        match = _ASSIGNMENT.match(text, position)
        if match is None:
            raise ConfigurationError(
                f"{source}: expected name=value, with quotes around a value that contains spaces, got "
                f"{text[position:].strip()!r}"
            )
        found.append((match[1], match[2]))
        position = match.end()
    return found


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def roles_path_in(directory: Path, environment: str | None) -> Sequence[str]:
    """Return the directories of ANSIBLE_ROLES_PATH that are in a private data directory and are sent with it."""
    base = absolute_path(directory)
    paths = [absolute_path(os.path.expanduser(path)) for path in (environment or "").split(":") if path]
    return [path for path in paths if os.path.commonpath([base, path]) == base]
