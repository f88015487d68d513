"""Query inventories and Ansible's configuration: get_inventory() and get_ansible_config().

Each function runs one of Ansible's own programs, on this host or in a container, so that Ansible is not loaded into
this process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Unpack

from playstream.interface.commands import init_command, read_output
from playstream.interface.options import CommandOptions
from playstream.pipeline.errors import ConfigurationError, JobError

_NOTICES = ("[WARNING", "[DEPRECATION", "[ERROR")
Answer = tuple[Any, str]
"""The response (data if JSON was requested, else text), and the program's errors."""


def get_inventory(
    action: str,
    inventories: Sequence[str],
    response_format: str | None = None,
    host: str | None = None,
    playbook_dir: str | None = None,
    vault_ids: str | None = None,
    vault_password_file: str | None = None,
    output_file: str | None = None,
    export: bool | None = None,
    **options: Unpack[CommandOptions],
) -> Answer:
    """Return the contents of an inventory, from ansible-inventory.

    Args:
        action: `list` for all hosts, `host` for one, `graph` for the groups.
        inventories: paths or host lists.
        response_format: `json` for data; `yaml` or `toml` for text; None for JSON as text.
        host: the host, with action `host`.
        playbook_dir: directory of a playbook, to include the variables next to it.
        vault_ids: vault identity.
        vault_password_file: file with the vault's password.
        output_file: file to write the response to, instead of returning it.
        export: optimise for export, without merged variables.
        options: as for run_command().

    Raises:
        ConfigurationError: an argument is invalid.
        ExecutableNotFound: ansible-inventory is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> hosts, errors = get_inventory("list", ["inventory"], response_format="json")  # doctest: +SKIP
    """
    check_choice("action", action, ("graph", "host", "list"))
    check_choice("response_format", response_format, ("json", "yaml", "toml"))
    names = check_names("inventories", inventories)
    if action == "host" and host is None:
        raise ConfigurationError("host: expected the name of a host with action 'host', got None")
    if action == "graph" and response_format not in (None, "json"):
        raise ConfigurationError(f"response_format: expected None with action 'graph', got {response_format!r}")
    words = [f"--{action}", *([host] if action == "host" and host is not None else [])]
    for name in names:
        words += ["-i", name]
    if response_format in ("yaml", "toml"):
        words.append(f"--{response_format}")
    for option, value in (
        ("--playbook-dir", playbook_dir),
        ("--vault-id", vault_ids),
        ("--vault-password-file", vault_password_file),
        ("--output", output_file),
    ):
        words += [option, value] if value else []
    if export:
        words.append("--export")
    return ask("ansible-inventory", words, response_format == "json" and action != "graph", options)


def get_ansible_config(
    action: str, config_file: str | None = None, only_changed: bool | None = None, **options: Unpack[CommandOptions]
) -> tuple[str, str]:
    """Return Ansible's configuration, from ansible-config.

    Args:
        action: `list` for all settings with their documentation, `dump` for the current values, `view` for the file.
        config_file: the file; None for the one that Ansible finds.
        only_changed: with `dump`, return only values that differ from the default.
        options: as for run_command().

    Returns:
        The program's text, and its errors.

    Raises:
        ConfigurationError: an argument is invalid.
        ExecutableNotFound: ansible-config is not on the PATH.

    Example:
        >>> text, errors = get_ansible_config("dump", only_changed=True)  # doctest: +SKIP
    """
    check_choice("action", action, ("list", "dump", "view"))
    if only_changed and action != "dump":
        raise ConfigurationError(f"only_changed requires action 'dump', got {action!r}")
    words = [action, *(["-c", config_file] if config_file else []), *(["--only-changed"] if only_changed else [])]
    text, errors = ask("ansible-config", words, False, options)
    return str(text), errors


def check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not one of the choices; None is allowed."""
    if value is not None and value not in choices:
        raise ConfigurationError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")


def check_names(name: str, value: Sequence[str]) -> list[str]:
    """Check that a value is a list of strings, and return it."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"{name}: expected a list of strings, got {type(value).__name__}")
    return list(value)


def ask(program: str, words: Sequence[str], parse: bool, options: CommandOptions) -> Answer:
    """Run the program without a terminal; parse its response if it should be JSON."""
    asked: CommandOptions = {"runner_mode": "subprocess", "quiet": True, **options}
    runner = init_command(program, words, **asked)
    runner.run()
    text, errors, _ = read_output(runner)
    if not parse or not text.strip():
        return text, errors
    try:
        return json.loads(text[_start_of_json(text) :]), errors
    except ValueError as error:
        raise JobError(
            f"{program} did not print valid JSON ({error}): {text[:200]!r}. Its errors: {errors.strip()[:500]!r}"
        ) from None


def _start_of_json(text: str) -> int:
    """Find the beginning of the JSON: with runner_mode='pexpect', warnings may precede it."""
    position = 0
    for line in text.splitlines(keepends=True):
        if line.startswith(("{", "[")) and not line.startswith(_NOTICES):
            return position
        position += len(line)
    return 0
