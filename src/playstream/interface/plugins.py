"""ansible-runner's plugins: installed packages that are told what happens in every run.

They are found by the entry points of one group. Where there are none, looking for them must cost next to nothing:
importlib.metadata takes 35 ms to load, so it is asked only when some package on the path names the group, which takes
1 ms to see with 50 packages installed.
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
    """The plugins that are installed, by name; nothing of them is loaded."""
    # What is no text on the path is passed over by imports too.
    if not any(_may_hold_plugins(place) for place in sys.path if isinstance(place, str)):
        return []
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    try:
        return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    except Exception as error:  # noqa: BLE001 - the files are those of any package that is installed
        _warn("cannot look for plugins, so the job runs without them", error, "reinstall the damaged package")
        return []


def _may_hold_plugins(place: str) -> bool:
    """Whether a place on the path has a package that names the group. True for an archive, where importlib can look."""
    try:
        names = os.listdir(place or ".")
    except OSError:
        return os.path.isfile(place)
    mark = GROUP.encode()
    for name in names:
        if name.endswith(_PACKAGE_FOLDERS):
            try:
                with open(f"{place or '.'}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123 - no time for Path
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
    """The plugins' functions, called for one run in its thread. What they raise is reported and does not end the run.

    Args:
        found: the plugins, which are loaded here; one that cannot be loaded is reported.
        config: what they get as `runner_config`.
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
        """True if some plugin is told of events. It may change them, before they are written."""
        return bool(self._for_events)

    def event(self, event: dict[str, Any]) -> None:
        """Tell the plugins of an event, which the caller's handler has seen."""
        self._tell(self._for_events, event)

    def status(self, data: dict[str, Any]) -> None:
        """Tell the plugins of a status, which the caller's handler has not seen yet."""
        self._tell(self._for_statuses, data)

    def _tell(self, functions: list[_Function], data: dict[str, Any]) -> None:
        for function in functions:
            try:
                function.call(self._config, data)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - what is wrong with a plugin is not the job's
                if not function.reported:
                    function.reported = True
                    _warn(f"{function.title} failed", error, "the job continues, and later errors of it are not logged")


def _warn(what: str, error: BaseException, then: str) -> None:
    """Log a warning, and where the error was raised for those who look for it with `debug`."""
    import logging  # noqa: PLC0415 - `playstream process` does without until something is to be said
    import traceback  # noqa: PLC0415

    # Its name and message, also of one whose own __str__ raises.
    raised = "".join(traceback.format_exception_only(error)).strip()
    logger = logging.getLogger("playstream")
    logger.warning("%s: %s; %s", what, raised, then)
    logger.debug("traceback of this error:", exc_info=error)
