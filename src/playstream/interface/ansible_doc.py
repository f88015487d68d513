"""get_plugin_…() and get_role_…(): what ansible-doc knows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Unpack

from playstream.interface.ansible_queries import Answer, ask, check_choice, check_names
from playstream.interface.commands import run_command_async
from playstream.interface.options import CommandOptions
from playstream.interface.runner import Runner


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
    return ask("ansible-doc", words, response_format == "json", options)


def get_plugin_docs_async(
    plugin_names: Sequence[str],
    plugin_type: str | None = None,
    response_format: str | None = None,
    snippet: bool = False,
    playbook_dir: str | None = None,
    module_path: str | None = None,
    **options: Unpack[CommandOptions],
) -> tuple[threading.Thread, Runner]:
    """As get_plugin_docs(), in a thread of its own.

    Args:
        plugin_names: their names.
        plugin_type: as get_plugin_docs()'s, like those that follow.
        response_format: `json` for JSON, as text.
        snippet: a piece of a playbook to start from.
        playbook_dir: directory of a playbook, for the plugins beside it.
        module_path: directories of modules, joined by colons.
        options: as those of run_command().

    Returns:
        The thread, and the run: its `stdout` and `stderr` are open files.

    Raises:
        ConfigurationError: an argument is wrong.
        ExecutableNotFound: ansible-doc is not on the PATH.

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
    check_choice("response_format", response_format, ("json", "human"))
    words = ["-F" if list_files else "-l", *_doc_options(plugin_type, response_format, playbook_dir, module_path)]
    return ask("ansible-doc", words, response_format == "json", options)


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
    return ask("ansible-doc", words, True, options)


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
    return ask("ansible-doc", ["-t", "role", "-j", *_playbook_dir(playbook_dir), name], True, options)


def _docs_words(
    plugin_names: Sequence[str], plugin_type: str | None, response_format: str | None, snippet: bool,
    playbook_dir: str | None, module_path: str | None,
) -> list[str]:
    check_choice("response_format", response_format, ("json", "human"))
    names = check_names("plugin_names", plugin_names)
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
