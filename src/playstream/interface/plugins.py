"""ansible-runner's plugins: installed packages that are notified of every run.

They are found by the entry points of one group. importlib.metadata is slow to load, so it is only used if a package on
the path names the group.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "ansible_runner.plugins"
"""The group of entry points. Each names a module with the functions `event_handler` and `status_handler`."""
_FUNCTIONS = ("event_handler", "status_handler")
_PACKAGE_FOLDERS = (".dist-info", ".egg-info", "EGG-INFO")


def find_plugins() -> list[EntryPoint]:
    """Return the installed plugins, sorted by name, without loading them."""
    # Imports ignore path entries that are not strings too.
    if not any(_may_hold_plugins(place) for place in sys.path if isinstance(place, str)):
        return []
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    try:
        return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    except Exception as error:  # noqa: BLE001 - the files of any installed package may be damaged
        _warn("cannot look for plugins, so the job runs without them", error, "reinstall the damaged package")
        return []


def _may_hold_plugins(place: str) -> bool:
    """Return whether an entry of the path may contain a package that names the group. An archive may."""
    try:
        names = os.listdir(place or ".")
    except OSError:
        return os.path.isfile(place)
    mark = GROUP.encode()
    for name in names:
        if name.endswith(_PACKAGE_FOLDERS):
            try:
                with open(f"{place or '.'}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123 - Path is slower
                    if mark in file.read():
                        return True
            except OSError:
                pass  # most packages have no entry points
    return False


@dataclass(slots=True)
class _Function:
    """One function of a plugin."""

    title: str
    call: Callable[[Any, dict[str, Any]], object]
    reported: bool = False


class Plugins:
    """The functions of plugins, called in the thread of a run. Their exceptions are logged and do not end the run.

    Args:
        found: the plugins, which are loaded here; one that cannot be loaded is logged.
        config: passed to them as `runner_config`.
    """

    def __init__(self, found: Iterable[EntryPoint], config: object) -> None:
        self._config = config
        self._for_events: list[_Function] = []
        self._for_statuses: list[_Function] = []
        for entry in found:
            self._load(entry)

    def _load(self, entry: EntryPoint) -> None:
        title = f"plugin {entry.name} ({entry.value})"
        try:
            plugin = entry.load()
            for_events, for_statuses = (getattr(plugin, name, None) for name in _FUNCTIONS)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything while it is loaded
            _warn(f"{title} cannot be loaded, so the job runs without it", error, "install what it needs, or remove it")
            return
        if for_events is not None:
            self._for_events.append(_Function(f"{title}: event_handler", for_events))
        if for_statuses is not None:
            self._for_statuses.append(_Function(f"{title}: status_handler", for_statuses))

    @property
    def take_events(self) -> bool:
        """True if a plugin receives events. It may change them before they are written."""
        return bool(self._for_events)

    def event(self, event: dict[str, Any]) -> None:
        """Pass an event to the plugins, after the caller's handler."""
        self._tell(self._for_events, event)

    def status(self, data: dict[str, Any]) -> None:
        """Pass a status to the plugins, before the caller's handler."""
        self._tell(self._for_statuses, data)

    def _tell(self, functions: list[_Function], data: dict[str, Any]) -> None:
        for function in functions:
            try:
                function.call(self._config, data)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a plugin must not affect the job
                if not function.reported:
                    function.reported = True
                    _warn(f"{function.title} failed", error, "the job continues, and later errors of it are not logged")


def _warn(what: str, error: BaseException, then: str) -> None:
    """Log a warning, and the traceback of the error as a debug message."""
    import logging  # noqa: PLC0415 - `playstream process` only loads it for the first message
    import traceback  # noqa: PLC0415

    # The name and message of the error, even if its __str__ raises.
    raised = "".join(traceback.format_exception_only(error)).strip()
    logger = logging.getLogger("playstream")
    logger.warning("%s: %s; %s", what, raised, then)
    logger.debug("traceback of this error:", exc_info=error)
