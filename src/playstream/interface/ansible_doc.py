"""Query ansible-doc: get_plugin_…() and get_role_…()."""

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
    """Return the documentation of plugins, from ansible-doc.

    Args:
        plugin_names: names of the plugins.
        plugin_type: `become`, `lookup` and so on; None means `module`.
        response_format: `json` for data; `human`, the default, for text.
        snippet: return a playbook snippet instead.
        playbook_dir: directory of a playbook, to include the plugins next to it.
        module_path: directories of modules, joined by colons.
        options: as for run_command().

    Raises:
        ConfigurationError: an argument is invalid.
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
    """Run get_plugin_docs() in a new thread.

    Args:
        plugin_names: names of the plugins.
        plugin_type: as for get_plugin_docs().
        response_format: `json` for JSON, as text.
        snippet: return a playbook snippet instead.
        playbook_dir: directory of a playbook, to include the plugins next to it.
        module_path: directories of modules, joined by colons.
        options: as for run_command().

    Returns:
        The thread, and the run, whose `stdout` and `stderr` are open files.

    Raises:
        ConfigurationError: an argument is invalid.
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
    """Return the installed plugins, from ansible-doc.

    Args:
        list_files: return the file of each plugin instead of its description.
        response_format: `json` for data; `human`, the default, for text.
        plugin_type: `become`, `lookup` and so on; None means `module`.
        playbook_dir: directory of a playbook, to include the plugins next to it.
        module_path: directories of modules, joined by colons.
        options: as for run_command().

    Raises:
        ConfigurationError: an argument is invalid.
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
    """Return the roles that have an argument specification, from ansible-doc.

    Args:
        collection: return only roles of this collection.
        playbook_dir: directory of a playbook, to include the roles next to it.
        options: as for run_command().

    Returns:
        Data by role, which may be empty, and the program's errors.

    Raises:
        ConfigurationError: an argument is invalid.
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
    """Return the argument specification of a role, from ansible-doc.

    Args:
        role: name of the role, with or without the collection.
        collection: the collection, if it is not in the name.
        playbook_dir: directory of a playbook, to include the roles next to it.
        options: as for run_command().

    Returns:
        Data by role, which may be empty, and the program's errors.

    Raises:
        ConfigurationError: an argument is invalid.
        ExecutableNotFound: ansible-doc is not on the PATH.
        JobError: the answer is not JSON.

    Example:
        >>> specification, errors = get_role_argspec("baz", collection="foo.bar")  # doctest: +SKIP
    """
    name = f"{collection}.{role}" if collection else role
    return ask("ansible-doc", ["-t", "role", "-j", *_playbook_dir(playbook_dir), name], True, options)


def _docs_words(
    plugin_names: Sequence[str],
    plugin_type: str | None,
    response_format: str | None,
    snippet: bool,
    playbook_dir: str | None,
    module_path: str | None,
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
