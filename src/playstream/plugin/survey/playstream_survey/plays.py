# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the plays of playbooks, or the one of a module, and the hosts that they run on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible import constants as C  # noqa: N812 - ansible's own name for it
from ansible import context
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.role import Role
from ansible.playbook.role.include import RoleInclude
from ansible.template import Templar

from .facts import Facts, short
from .host_keys import Target, check
from .hosts import CONNECTION, Values, note_scope, note_values
from .includes import is_template
from .tasks import Tasks

_MAX_ROLES = 500
_SSH = ("ssh", "smart", "ansible.builtin.ssh")
_NO = (False, "no", "false", "False", 0, "0")


def survey_playbooks(
    names: Sequence[str],
    loader: Any,
    inventory: Any,
    variables: Any,
    facts: Facts,
    report: Mapping[str, Any],
) -> int:
    """Note what playbooks use; return the number of hosts that they run on."""
    chosen: dict[str, Any] = {}
    becomes = bool(context.CLIARGS.get("become"))
    delegates = False
    for name in names:
        path = _find_playbook(name)
        loader.set_basedir(os.path.dirname(os.path.abspath(path)))
        playbook = Playbook.load(path, variable_manager=variables, loader=loader)
        for play in playbook.get_plays():
            known = variables.get_vars(play=play)
            tasks = Tasks(loader, facts, loader.get_basedir(), known)
            _note_play(play, tasks, facts, loader, variables, known)
            becomes = becomes or tasks.becomes
            delegates = delegates or tasks.delegates
            for host in _list_hosts(play, loader, inventory, known):
                chosen.setdefault(host.name, (host, play.connection, play.remote_user))
    count = len(chosen)
    if delegates:
        # A task may run on any host of the inventory, whatever the plays and the limit say.
        for host in inventory.get_hosts(ignore_limits=True):
            chosen.setdefault(host.name, (host, *_given_login()))
    _note_hosts(chosen.values(), loader, variables, facts, report, becomes=becomes)
    return count


def survey_targets(
    pattern: str, module: str, loader: Any, inventory: Any, variables: Any, facts: Facts, report: Mapping[str, Any]
) -> int:
    """Note what a module on hosts uses; return the number of hosts."""
    facts.default_plays = 1
    tasks = Tasks(loader, facts, loader.get_basedir(), variables.get_vars())
    tasks.has_python = False
    tasks.note_action(module, {}, "the command line", None)
    tasks.note_timeout(context.CLIARGS.get("task_timeout"), "the command line")
    hosts = inventory.get_hosts(pattern)
    chosen = [(host, *_given_login()) for host in hosts]
    _note_hosts(chosen, loader, variables, facts, report, becomes=bool(context.CLIARGS.get("become")))
    return len(hosts)


def _given_login() -> tuple[Any, Any]:
    """Return the connection and the remote user of the command line, or of Ansible's settings."""
    return context.CLIARGS["connection"], context.CLIARGS.get("remote_user")


def _find_playbook(name: str) -> str:
    """Return the path of a playbook, which may be in a collection."""
    from ansible.utils.collection_loader._collection_finder import (  # noqa: PLC0415 - as ansible-playbook itself
        _get_collection_playbook_path,
    )

    found = None if os.path.exists(name) else _get_collection_playbook_path(name)
    return name if found is None else os.fsdecode(found[1])


def _note_play(play: Any, tasks: Tasks, facts: Facts, loader: Any, variables: Any, known: Mapping[str, Any]) -> None:
    where = play.get_path() or str(play.get_name())
    written = play.get_ds()
    if isinstance(written, Mapping) and written.get("strategy"):
        facts.note(facts.strategies, written["strategy"], where)
    else:
        facts.default_plays += 1
    note_scope(play.vars, loader, facts, where, known)
    for name in play.vars_files or ():
        tasks.note_vars_file(name, where)
    tasks.has_python = _gathers_facts(play)
    for block in play.compile():
        _note_block(block, tasks)
    for handler in [*play.handlers, *play.compile_roles_handlers()]:
        _note_block(handler, tasks)
    for role in _all_roles(play.get_roles()):
        _note_role(role, loader, facts, known)
    _note_included_roles(play, tasks, loader, facts, variables, known)


def _gathers_facts(play: Any) -> bool:
    """Return whether the play begins with gathering facts, for which a host needs Python."""
    if play.gather_facts is None:
        return bool(C.DEFAULT_GATHERING != "explicit")
    return play.gather_facts not in _NO


def _note_block(part: Any, tasks: Tasks) -> None:
    if isinstance(part, Block):
        for item in [*part.block, *part.rescue, *part.always]:
            _note_block(item, tasks)
    else:
        tasks.note_task(part)


def _all_roles(roles: Iterable[Any]) -> list[Any]:
    found: dict[int, Any] = {}
    pending = list(roles)
    while pending and len(found) < _MAX_ROLES:
        role = pending.pop()
        if id(role) not in found:
            found[id(role)] = role
            pending += role.get_direct_dependencies()
    return list(found.values())


def _note_role(role: Any, loader: Any, facts: Facts, known: Mapping[str, Any]) -> None:
    where = f"role {role.get_name()}"
    for name in ("_default_vars", "_role_vars"):
        note_scope(getattr(role, name, None), loader, facts, where, known)


def _note_included_roles(
    play: Any, tasks: Tasks, loader: Any, facts: Facts, variables: Any, known: Mapping[str, Any]
) -> None:
    """Note the roles that tasks include at run time, and those that they include in turn."""
    seen: set[str] = set()
    while tasks.included_roles:
        name, where = tasks.included_roles.pop()
        if name in seen:
            continue
        seen.add(name)
        if not name or is_template(name) or len(seen) > _MAX_ROLES:
            facts.note(facts.unknown, f"which role {name!r} is", where)
            continue
        try:
            definition = RoleInclude.load(name, play=play, variable_manager=variables, loader=loader)
            role = Role.load(definition, play, from_include=True)
            blocks = role.compile(play=play)
            handlers = role.get_handler_blocks(play=play)
        except Exception as error:  # noqa: BLE001 - Ansible reports it if the role is included
            facts.note(facts.unknown, f"the role {name!r}: {short(error)}", where)
            continue
        for part in [*blocks, *handlers]:
            _note_block(part, tasks)
        for each in _all_roles([role]):
            _note_role(each, loader, facts, known)
        # `tasks_from` chooses another file of the role.
        for path in _other_files(role):
            tasks.include_tasks({"_raw_params": path}, f"{path}:", role._role_path)


def _other_files(role: Any) -> list[str]:
    directory = os.path.join(role._role_path, "tasks")
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [os.path.join(directory, name) for name in names if name.endswith((".yml", ".yaml"))]


def _list_hosts(play: Any, loader: Any, inventory: Any, known: Mapping[str, Any]) -> list[Any]:
    pattern = play.hosts
    try:
        pattern = Templar(loader=loader, variables=dict(known)).template(pattern)
        return list(inventory.get_hosts(pattern))
    except Exception:  # noqa: BLE001 - only known at run time: any host may be meant
        return list(inventory.get_hosts(ignore_limits=True))


def _note_hosts(
    chosen: Iterable[tuple[Any, Any, Any]],
    loader: Any,
    variables: Any,
    facts: Facts,
    report: Mapping[str, Any],
    *,
    becomes: bool,
) -> None:
    """Note how hosts are reached."""
    targets = []
    for host, connection, user in chosen:
        where = f"host {host.name}"
        try:
            found = Values(variables.get_vars(host=host, include_hostvars=False), loader, facts, where)
        except Exception as error:  # noqa: BLE001 - such as a vault without its password
            facts.note(facts.unknown, f"the variables of hosts: {short(error)}", where)
            continue
        note_values(found, facts, where)
        becomes = becomes or found.get("ansible_become", "ansible_sudo") not in (None, *_NO)
        used = found.get(CONNECTION) or connection or C.DEFAULT_TRANSPORT
        facts.note(facts.connections, used, where)
        if used in _SSH:
            own = found.get("ansible_user", "ansible_ssh_user")
            port = found.get("ansible_port", "ansible_ssh_port")
            port = C.DEFAULT_REMOTE_PORT if port is None else port
            facts.note_login(host.name, _address(host.name, found), port, user if own is None else own)
            if (target := _make_target(host.name, found, report["settings"])) is not None:
                targets.append(target)
    if becomes:
        facts.note(facts.become_methods, context.CLIARGS.get("become_method") or "sudo", "Ansible's default")
    else:
        facts.become_methods.clear()
        facts.logins.clear()
    if targets and report["mitogen"] is not None:
        facts.host_keys.update(check(targets))


def _address(name: str, values: Values) -> str:
    return str(values.get("ansible_host", "ansible_ssh_host") or name)


def _make_target(name: str, values: Values, settings: Mapping[str, Any]) -> Target | None:
    """Return how ssh is given a host; None if Ansible lets mitogen ignore its key."""

    def setting(key: str, *names: str) -> Any:
        own = values.get(*names)
        return settings[key]["value"] if own is None else own

    checking = setting("host_key_checking", "ansible_ssh_host_key_checking", "ansible_host_key_checking")
    if checking in _NO:
        return None
    texts = (
        setting("ssh_args", "ansible_ssh_args"),
        setting("ssh_common_args", "ansible_ssh_common_args"),
        setting("ssh_extra_args", "ansible_ssh_extra_args"),
    )
    words: list[str] = []
    for text in texts:
        words += shlex.split(str(text or ""))
    port, user = values.get("ansible_port", "ansible_ssh_port"), values.get("ansible_user", "ansible_ssh_user")
    return Target(
        name,
        _address(name, values),
        None if port is None else str(port),
        None if user is None else str(user),
        tuple(words),
        str(setting("ssh_executable", "ansible_ssh_executable") or "ssh"),
    )
