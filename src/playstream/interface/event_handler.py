"""A class for handlers of events, with a method for each kind."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, TypeVar

from playstream.pipeline.errors import ConfigurationError

EVENT_NAMES = (
    "playbook_on_start", "playbook_on_vars_prompt", "playbook_on_play_start", "playbook_on_no_hosts_matched",
    "playbook_on_no_hosts_remaining", "playbook_on_task_start", "playbook_on_include", "playbook_on_notify",
    "playbook_on_stats", "runner_on_start", "runner_on_ok", "runner_on_failed", "runner_on_skipped",
    "runner_on_unreachable", "runner_item_on_ok", "runner_item_on_failed", "runner_item_on_skipped", "runner_retry",
    "runner_on_file_diff", "runner_on_async_poll", "runner_on_async_ok", "runner_on_async_failed", "verbose", "debug",
    "deprecated", "warning", "system_warning", "error",
)
"""Every kind of event; docs/event-schema.json describes them."""
_OWN_NAMES = ("on_event", "on_status")
_ANSIBLES_NAMES = {
    "on_any": "on_event", "on_file_diff": "runner_on_file_diff",
    "playbook_on_handler_task_start": "playbook_on_task_start",
}
"""Callbacks of Ansible's whose events are called differently."""
_CALLBACK_PREFIXES = ("runner_", "playbook_", "v2_")
_ORDINARY = "__playstream_ordinary__"

_NOT_PLAIN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)

_Function = TypeVar("_Function", bound=Callable[..., Any])


class EventHandler:
    """Takes the events of a run.

    Subclass it and define methods that are named as the events, which are named as Ansible's callbacks:
    `runner_on_ok(self, event)`, `runner_on_failed(self, event)` and so on. Each takes the event, a dict.
    `on_event(self, event)` takes those that have no method, `on_status(self, data, runner_config)` the statuses.

    An instance goes to `run(handler=...)`, or wherever an event handler is expected: it is callable. The methods are
    called in the thread of the run.

    A method that returns False, or another false value but None, drops the event: it is kept neither on disk nor in
    `Runner.events`. One that returns nothing keeps it. (A plain function that returns nothing drops it, as with
    ansible-runner. A method is there to look at one kind of event; that should not take it out of the results.)

    Names are checked when the class is made, so that a misspelt callback is no callback that never comes. A public
    method is the name of an event, or `on_event`, or `on_status`; the name of any other begins with an underscore, or
    it is declared with `@EventHandler.ordinary`. What a class inherits from other bases may be named as it likes, but
    not like a callback (`runner_`, `playbook_`, `v2_`). Attributes that are no methods are free, too.

    Raises:
        ConfigurationError: when a subclass is made: a public method has another name, or cannot take what it will be
            called with.

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
        """Declare a public method that takes no events.

        Args:
            function: the method.

        Returns:
            The same.

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
        """Show an event to its method.

        Args:
            event: it may be changed by the method.

        Returns:
            True if it is to be kept.
        """
        name = event.get("event")
        known = isinstance(name, str) and name in self._defined
        result = getattr(self, str(name))(event) if known else self.on_event(event)
        return result is None or bool(result)

    def on_event(self, event: dict[str, Any]) -> object:
        """Takes the events that have no method.

        Args:
            event: it may be changed.

        Returns:
            False drops it.
        """

    def on_status(self, data: dict[str, Any], runner_config: Any) -> object:
        """Takes each new status.

        Args:
            data: with `status`, and with `starting` also `command`, `env` and `cwd`.
            runner_config: the RunnerConfig; in a `process` stage a small object with `settings`, `command`, `cwd` and
                `env`.
        """


def expand_handler(options: dict[str, Any]) -> None:
    """Put `handler`, or an EventHandler that is given as `event_handler`, where the run looks for it.

    Args:
        options: keyword arguments of run() and its relatives; changed in place.

    Raises:
        ConfigurationError: a class was given in place of its instance, or two functions for the same.
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
    """That it can be called as it will be; else that would be seen when the event comes, if ever."""
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
    close = difflib.get_close_matches(known, (*EVENT_NAMES, *_OWN_NAMES), n=1)
    guess = f"; did you mean {close[0]!r}?" if close else "; docs/event-schema.json lists the events."
    return (
        f"is not the name of an event{guess} Start the name of a method for other purposes with an underscore, or "
        "decorate the method with @EventHandler.ordinary"
    )


def _trouble(cls: type, name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{cls.__qualname__}.{name} {why}")
