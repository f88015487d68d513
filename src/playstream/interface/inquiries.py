"""get_…(): what Ansible knows of its plugins, roles, configuration and inventories.

Each asks one of Ansible's own programs, here or in a container, so that nothing of Ansible is loaded into this
process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playstream.interface.commands import init_command, read_output, run_command_async
from playstream.interface.options import CommandOptions
from playstream.pipeline.errors import ConfigurationError, JobError

if TYPE_CHECKING:
    from typing_extensions import Unpack

_NOTICES = ("[WARNING", "[DEPRECATION", "[ERROR")
Answer = tuple[Any, str]
"""The response (data where JSON was asked for, else text), and the program's errors."""


def get_plugin_docs(
    plugin_names: Sequence[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **options: Unpack[CommandOptions],
) -> Answer:
    """The documentation of plugins, from ansible-doc.

    Args:
        plugin_names: their names.
        plugin_type: `module` when None; `become`, `lookup` and so on.
        response_format: `json` for data; `human`, the default, for text.
        snippet: a piece of a playbook to start from.
        playbook_dir: directory of a playbook, for the plugins beside it.
        module_path: directories of modules, joined by colons.
        options: as those of run_command().

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-doc is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> docs, errors = get_plugin_docs(["debug"], response_format="json")  # doctest: +SKIP
        >>> docs["debug"]["doc"]["short_description"]  # doctest: +SKIP
        'Print statements during execution'
    """
    words = _docs_words(plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path)
    return _ask("ansible-doc", words, response_format == "json", options)


def get_plugin_docs_async(
    plugin_names: Sequence[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **options: Unpack[CommandOptions],
) -> tuple[threading.Thread, Any]:
    """As get_plugin_docs(), in a thread of its own.

    Returns:
        The thread, and the run: its `stdout` and `stderr` are open files.

    Example:
        >>> thread, runner = get_plugin_docs_async(["debug"])  # doctest: +SKIP
        >>> thread.join()  # doctest: +SKIP
    """
    words = _docs_words(plugin_names, plugin_type, response_format, snippet, playbook_dir, module_path)
    return run_command_async("ansible-doc", words, **options)


def get_plugin_list(
    list_files: bool | None = None,
    response_format: str | None = None,
    plugin_type: str | None = None,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **options: Unpack[CommandOptions],
) -> Answer:
    """The plugins that are installed, from ansible-doc.

    Args:
        list_files: True for the file of each, in place of its description.
        response_format: `json` for data; `human`, the default, for text.
        plugin_type: `module` when None.
        playbook_dir: directory of a playbook, for the plugins beside it.
        module_path: directories of modules, joined by colons.
        options: as those of run_command().

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-doc is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> plugins, errors = get_plugin_list(response_format="json")  # doctest: +SKIP
    """
    _check_choice("response_format", response_format, ("json", "human"))
    words = ["-F" if list_files else "-l", *_doc_options(plugin_type, response_format, playbook_dir, module_path)]
    return _ask("ansible-doc", words, response_format == "json", options)


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
    """What an inventory holds, from ansible-inventory.

    Args:
        action: `list` for all hosts, `host` for one, `graph` for the groups.
        inventories: paths or host lists.
        response_format: `json` for data; `yaml` or `toml` for text; None for JSON as text.
        host: the host, with action `host`.
        playbook_dir: directory of a playbook, for the variables beside it.
        vault_ids: vault identity.
        vault_password_file: file with the vault's password.
        output_file: write there in place of answering.
        export: optimised for export, without variables of all.
        options: as those of run_command().

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-inventory is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> hosts, errors = get_inventory("list", ["inventory"], response_format="json")  # doctest: +SKIP
    """
    _check_choice("action", action, ("graph", "host", "list"))
    _check_choice("response_format", response_format, ("json", "yaml", "toml"))
    names = _check_names("inventories", inventories)
    if action == "host" and host is None:
        raise ConfigurationError("host: expected a host's name with action 'host', got none")
    if action == "graph" and response_format not in (None, "json"):
        raise ConfigurationError(f"response_format: expected none with action 'graph', got {response_format!r}")
    words = [f"--{action}", *([host] if action == "host" and host is not None else [])]
    for name in names:
        words += ["-i", name]
    if response_format in ("yaml", "toml"):
        words.append(f"--{response_format}")
    for option, value in (
        ("--playbook-dir", playbook_dir), ("--vault-id", vault_ids), ("--vault-password-file", vault_password_file),
        ("--output", output_file),
    ):
        words += [option, value] if value else []
    if export:
        words.append("--export")
    return _ask("ansible-inventory", words, response_format == "json" and action != "graph", options)


def get_ansible_config(
    action: str, config_file: str | None = None, only_changed: bool | None = None, **options: Unpack[CommandOptions]
) -> tuple[str, str]:
    """Ansible's configuration, from ansible-config.

    Args:
        action: `list` for all settings with their documentation, `dump` for those in force, `view` for the file.
        config_file: the file; the one that Ansible finds when None.
        only_changed: with `dump`, only what is not the default.
        options: as those of run_command().

    Returns:
        The program's text, and its errors.

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-config is not on the PATH.

    Example:
        >>> text, errors = get_ansible_config("dump", only_changed=True)  # doctest: +SKIP
    """
    _check_choice("action", action, ("list", "dump", "view"))
    if only_changed and action != "dump":
        raise ConfigurationError(f"only_changed: expected action 'dump' with it, got {action!r}")
    words = [action, *(["-c", config_file] if config_file else []), *(["--only-changed"] if only_changed else [])]
    text, errors = _ask("ansible-config", words, False, options)
    return str(text), errors


def get_role_list(
    collection: str | None = None, playbook_dir: str | None = None, **options: Unpack[CommandOptions]
) -> Answer:
    """The roles that have an argument specification, from ansible-doc.

    Args:
        collection: only those of this collection.
        playbook_dir: directory of a playbook, for the roles beside it.
        options: as those of run_command().

    Returns:
        Data by role, empty when there are none; and the program's errors.

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-doc is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> roles, errors = get_role_list(collection="foo.bar")  # doctest: +SKIP
    """
    words = ["-t", "role", "-l", "-j", *_playbook_dir(playbook_dir), *([collection] if collection else [])]
    return _ask("ansible-doc", words, True, options)


def get_role_argspec(
    role: str, collection: str | None = None, playbook_dir: str | None = None, **options: Unpack[CommandOptions]
) -> Answer:
    """The argument specification of a role, from ansible-doc.

    Args:
        role: its name, with the collection's in front or not.
        collection: the collection, when it is not in the name.
        playbook_dir: directory of a playbook, for the roles beside it.
        options: as those of run_command().

    Returns:
        Data by role, empty when there is none; and the program's errors.

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-doc is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> specification, errors = get_role_argspec("baz", collection="foo.bar")  # doctest: +SKIP
    """
    name = f"{collection}.{role}" if collection else role
    return _ask("ansible-doc", ["-t", "role", "-j", *_playbook_dir(playbook_dir), name], True, options)


def _docs_words(
    plugin_names: Sequence[str], plugin_type: str | None, response_format: str | None, snippet: bool,
    playbook_dir: str | None, module_path: str | None,
) -> list[str]:
    _check_choice("response_format", response_format, ("json", "human"))
    names = _check_names("plugin_names", plugin_names)
    options = _doc_options(plugin_type, response_format, playbook_dir, module_path)
    return [*options, *(["-s"] if snippet else []), *names]


def _doc_options(
    plugin_type: str | None, response_format: str | None, playbook_dir: str | None, module_path: str | None
) -> list[str]:
    words = ["-j"] if response_format == "json" else []
    words += ["-t", plugin_type] if plugin_type else []
    return [*words, *_playbook_dir(playbook_dir), *(["-M", module_path] if module_path else [])]


def _playbook_dir(playbook_dir: str | None) -> list[str]:
    return ["--playbook-dir", playbook_dir] if playbook_dir else []


def _check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ConfigurationError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")


def _check_names(name: str, value: Sequence[str]) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"{name}: expected a list of texts, got {type(value).__name__}")
    return list(value)


def _ask(program: str, words: Sequence[str], parse: bool, options: CommandOptions) -> Answer:
    """Run the program without a terminal; take its answer apart if it should be JSON."""
    asked: CommandOptions = {"runner_mode": "subprocess", "quiet": True, **options}
    runner = init_command(program, words, **asked)
    runner.run()
    text, errors, _ = read_output(runner)
    if not parse or not text.strip():
        return text, errors
    try:
        return json.loads(text[_start_of_json(text):]), errors
    except ValueError as error:
        raise JobError(
            f"{program} did not answer with JSON ({error}): {text[:200]!r}. It says: {errors.strip()[:500]!r}"
        ) from None


def _start_of_json(text: str) -> int:
    """Where JSON begins: with runner_mode='pexpect' warnings may stand before it."""
    position = 0
    for line in text.splitlines(keepends=True):
        if line.startswith(("{", "[")) and not line.startswith(_NOTICES):
            return position
        position += len(line)
    return 0
