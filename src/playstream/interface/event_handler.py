"""Base class of event handlers with a method for each kind of event."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, TypeVar

from playstream.pipeline.errors import ConfigurationError, did_you_mean

EVENT_NAMES = (
    "playbook_on_start",
    "playbook_on_vars_prompt",
    "playbook_on_play_start",
    "playbook_on_no_hosts_matched",
    "playbook_on_no_hosts_remaining",
    "playbook_on_task_start",
    "playbook_on_include",
    "playbook_on_notify",
    "playbook_on_stats",
    "runner_on_start",
    "runner_on_ok",
    "runner_on_failed",
    "runner_on_skipped",
    "runner_on_unreachable",
    "runner_item_on_ok",
    "runner_item_on_failed",
    "runner_item_on_skipped",
    "runner_retry",
    "runner_on_file_diff",
    "runner_on_async_poll",
    "runner_on_async_ok",
    "runner_on_async_failed",
    "verbose",
    "debug",
    "deprecated",
    "warning",
    "system_warning",
    "error",
)
"""Every kind of event; docs/event-schema.json describes them."""
_OWN_NAMES = ("on_event", "on_status")
_ANSIBLES_NAMES = {
    "on_any": "on_event",
    "on_file_diff": "runner_on_file_diff",
    "playbook_on_handler_task_start": "playbook_on_task_start",
}
"""Ansible's callbacks whose events have other names."""
_CALLBACK_PREFIXES = ("runner_", "playbook_", "v2_")
_ORDINARY = "__playstream_ordinary__"

_NOT_PLAIN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)

_Function = TypeVar("_Function", bound=Callable[..., Any])


class EventHandler:
    """Handles the events of a run.

    Subclass it and define methods with the names of events, which are those of Ansible's callbacks:
    `runner_on_ok(self, event)`, `runner_on_failed(self, event)` and so on. Each receives the event, a dict.
    `on_event(self, event)` receives events without a method, and `on_status(self, data, runner_config)` the statuses.

    Pass an instance as `run(handler=...)`, or wherever an event handler is expected: it is callable. The methods are
    called in the thread of the run.

    A method that returns a false value other than None drops the event, from the disk and from `Runner.events`. A
    method that returns nothing keeps it. (A plain function that returns nothing drops it, as in ansible-runner. A
    method only looks at one kind of event, which should not remove the event from the results.)

    Names are checked when the class is created, so that a misspelt method is not silently ignored. A public method must
    have the name of an event, or be `on_event` or `on_status`; start other names with an underscore, or decorate the
    method with `@EventHandler.ordinary`. Methods inherited from other bases may have any name that does not look like a
    callback (`runner_`, `playbook_`, `v2_`). Attributes that are not methods may have any name.

    Raises:
        ConfigurationError: raised when a subclass is created: a public method has another name or wrong parameters.

    Example:
        >>> class Failures(EventHandler):
        ...     def __init__(self):
        ...         self.hosts = []
        ...
        ...     def runner_on_failed(self, event):
        ...         self.hosts.append(event["event_data"]["host"])
        >>> failures = Failures()
        >>> failures({"event": "runner_on_failed", "event_data": {"host": "node1"}})
        True
        >>> failures.hosts
        ['node1']
    """

    _defined: ClassVar[frozenset[str]] = frozenset()
    """The events that the class has methods for."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__mro__:
            if base is cls:
                _check_own(cls)
            elif not issubclass(base, EventHandler):
                _check_foreign(cls, base)
        cls._defined = frozenset(name for name in EVENT_NAMES if callable(getattr(cls, name, None)))

    @staticmethod
    def ordinary(function: _Function) -> _Function:
        """Mark a public method as one that does not handle events.

        Args:
            function: the method.

        Returns:
            The method.

        Example:
            >>> class Failures(EventHandler):
            ...     @EventHandler.ordinary
            ...     def report(self):
            ...         return "all went well"
            >>> Failures().report()
            'all went well'
        """
        setattr(function, _ORDINARY, True)
        return function

    def __call__(self, event: dict[str, Any], /) -> bool:
        """Pass an event to its method.

        Args:
            event: the event, which the method may change.

        Returns:
            Whether to keep the event.
        """
        name = event.get("event")
        known = isinstance(name, str) and name in self._defined
        result = getattr(self, str(name))(event) if known else self.on_event(event)
        return result is None or bool(result)

    def on_event(self, event: dict[str, Any]) -> object:
        """Handle an event that has no method.

        Args:
            event: the event, which may be changed.

        Returns:
            False to drop the event.
        """

    def on_status(self, data: dict[str, Any], runner_config: Any) -> object:
        """Handle a new status.

        Args:
            data: contains `status`, and for `starting` also `command`, `env`, `cwd` and perhaps `tree`.
            runner_config: the RunnerConfig; in a `process` stage an object with `settings`, `command`, `cwd` and `env`.
        """


def expand_handler(options: dict[str, Any]) -> None:
    """Convert `handler`, or an EventHandler given as `event_handler`, to the handlers that the run calls.

    Args:
        options: keyword arguments of run() or run_command(); changed in place.

    Raises:
        ConfigurationError: a class was given instead of an instance, or two functions for the same purpose.
    """
    handler, event_handler = options.pop("handler", None), options.get("event_handler")
    for name, value in (("handler", handler), ("event_handler", event_handler)):
        if isinstance(value, type) and issubclass(value, EventHandler):
            raise ConfigurationError(
                f"{name}: expected an instance, got the class {value.__name__}: write {value.__name__}()"
            )
    if handler is not None:
        if not isinstance(handler, EventHandler):
            raise ConfigurationError(
                "handler: expected an instance of a subclass of playstream.EventHandler, got "
                f"{type(handler).__name__}. Pass a function as event_handler"
            )
        if event_handler is not None:
            raise ConfigurationError("expected one of handler and event_handler, got both")
        options["event_handler"] = event_handler = handler
    if isinstance(event_handler, EventHandler) and type(event_handler).on_status is not EventHandler.on_status:
        if options.get("status_handler") is not None:
            raise ConfigurationError(
                f"expected one of status_handler and {type(event_handler).__name__}.on_status, got both"
            )
        options["status_handler"] = event_handler.on_status


def _check_own(cls: type) -> None:
    for name, value in vars(cls).items():
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        ordinary = bool(getattr(function, _ORDINARY, False))
        if name in EVENT_NAMES or name in _OWN_NAMES:
            if ordinary:
                raise _trouble(cls, name, "is the name of an event, so the method cannot be ordinary: rename it")
            _check_method(cls, name, value, function)
        elif not ordinary and _is_unknown(name, function):
            raise _trouble(cls, name, _advice(name))


def _is_unknown(name: str, function: object) -> bool:
    if name.startswith("_"):
        return False
    return name.startswith(_CALLBACK_PREFIXES) or (callable(function) and not isinstance(function, type))


def _check_foreign(cls: type, base: type) -> None:
    for name in vars(base):
        if name.startswith(_CALLBACK_PREFIXES) and name not in EVENT_NAMES:
            raise _trouble(cls, name, _advice(name))


def _check_method(cls: type, name: str, value: object, function: Any) -> None:
    """Check that a method can be called with its arguments, because its event may come late, or never."""
    if not callable(function):
        raise _trouble(cls, name, f"is the name of an event, so it must be a method, not {type(value).__name__}")
    if any(is_other(function) for is_other in _NOT_PLAIN):
        raise _trouble(cls, name, "must be a regular method, not a coroutine or a generator")
    if not isinstance(function, FunctionType):
        return
    first = () if isinstance(value, staticmethod) else (None,)
    try:
        if name == "on_status":
            inspect.signature(function).bind(*first, None, runner_config=None)
        else:
            inspect.signature(function).bind(*first, None)
    except TypeError:
        wanted = "(self, data, runner_config)" if name == "on_status" else "(self, event)"
        raise _trouble(cls, name, f"must accept {wanted}, not {inspect.signature(function)}") from None


def _advice(name: str) -> str:
    known = name.removeprefix("v2_")
    known = _ANSIBLES_NAMES.get(known, known)
    if name.startswith("v2_") and known in (*EVENT_NAMES, *_OWN_NAMES):
        return (
            f"is the name of Ansible's own callback: write {known!r}, without the prefix. The method receives an "
            "event, a dict, instead of Ansible's objects"
        )
    if known != name and known in (*EVENT_NAMES, *_OWN_NAMES):
        return f"is called {known!r} here"
    guess = did_you_mean(known, (*EVENT_NAMES, *_OWN_NAMES)) or "; docs/event-schema.json lists the events."
    return (
        f"is not the name of an event{guess} Start the name of a method for other purposes with an underscore, or "
        "decorate the method with @EventHandler.ordinary"
    )


def _trouble(cls: type, name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{cls.__qualname__}.{name} {why}")
