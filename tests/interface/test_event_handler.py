"""The handler class: which names it takes, what its methods see, and what becomes of what they return."""

# A method has to take what it is called with, used or not.
# ruff: noqa: ARG002, ARG005

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import playstream
from playstream.interface.event_handler import EVENT_NAMES, EventHandler, expand_handler
from playstream.pipeline.errors import ConfigurationError
from tests.interface.programs import INVENTORY, debug, play

SCHEMA = Path(__file__).parents[2] / "docs" / "event-schema.json"


def make(**members: Any) -> type[EventHandler]:
    """A subclass with these members."""
    return type("Mine", (EventHandler,), members)


def nothing(self: Any, event: dict[str, Any]) -> None:
    """A method that looks on."""


def test_the_events_are_those_of_the_schema() -> None:
    assert list(EVENT_NAMES) == json.loads(SCHEMA.read_text())["properties"]["event"]["enum"]


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_each_event_has_its_method(name: str) -> None:
    seen: list[Any] = []
    handler = make(**{name: lambda self, event: seen.append(event)})()
    event = {"event": name}
    assert handler(event) is True
    assert seen[0] is event


def test_the_other_events() -> None:
    class Mine(EventHandler):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def runner_on_ok(self, event: dict[str, Any]) -> None:
            self.seen.append("ok")

        def on_event(self, event: dict[str, Any]) -> None:
            self.seen.append(str(event.get("event")))

    mine = Mine()
    for event in ({"event": "runner_on_ok"}, {"event": "verbose"}, {"event": "new_in_2030"}, {}, {"event": ["x"]}):
        mine(event)
    assert mine.seen == ["ok", "verbose", "new_in_2030", "None", "['x']"]


@pytest.mark.parametrize(
    ("returned", "kept"),
    [
        (None, True),
        (True, True),
        (1, True),
        (False, False),
        (0, False),
        ("", False),
    ],
)
def test_what_a_method_returns(returned: object, kept: bool) -> None:
    assert make(verbose=lambda self, event: returned)()({"event": "verbose"}) is kept
    assert make(on_event=lambda self, event: returned)()({"event": "verbose"}) is kept


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("runner_on_okay", "did you mean 'runner_on_ok'?"),
        ("runner_on_fail", "did you mean 'runner_on_failed'?"),
        ("runer_on_ok", "did you mean 'runner_on_ok'?"),
        ("playbook_on_stat", "did you mean 'playbook_on_stats'?"),
        ("on_events", "did you mean 'on_event'?"),
        ("warnings", "did you mean 'warning'?"),
        ("v2_runner_on_ok", "write 'runner_on_ok', without the prefix"),
        ("v2_on_any", "write 'on_event', without the prefix"),
        ("v2_playbook_on_handler_task_start", "write 'playbook_on_task_start', without the prefix"),
        ("v2_runner_on_okay", "did you mean 'runner_on_ok'?"),
        ("on_file_diff", "is called 'runner_on_file_diff' here"),
        ("xyz", "docs/event-schema.json"),
    ],
)
def test_unknown_names_are_refused(name: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^Mine.{name} ") as caught:
        make(**{name: nothing})
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    "member",
    [
        staticmethod(nothing),
        classmethod(nothing),
        lambda self: None,
    ],
)
def test_every_kind_of_method_is_looked_at(member: object) -> None:
    with pytest.raises(ConfigurationError, match=r"@EventHandler\.ordinary"):
        make(report=member)


def test_what_may_have_any_name() -> None:
    class Mine(EventHandler):
        limit = 3

        class Inner:
            pass

        def __init__(self) -> None:
            self.callback = print

        @property
        def count(self) -> int:
            return 1

        @EventHandler.ordinary
        def report(self) -> str:
            return self._words()

        @staticmethod
        @EventHandler.ordinary
        def shout() -> str:
            return "!"

        def _words(self) -> str:
            return "done"

    assert Mine().report() + Mine().shout() == "done!"


def test_ordinary_is_no_event() -> None:
    with pytest.raises(ConfigurationError, match="rename it"):
        make(error=EventHandler.ordinary(lambda self: None))


def test_an_attribute_that_is_named_as_an_event() -> None:
    with pytest.raises(ConfigurationError, match="must be a method, not bool"):
        make(debug=False)
    with pytest.raises(ConfigurationError, match="runner_on_okay"):
        make(runner_on_okay=3)


def test_an_instance_may_keep_what_it_likes() -> None:
    class Mine(EventHandler):
        def __init__(self) -> None:
            self.warning = "none so far"

    assert Mine()({"event": "warning"}) is True


async def _coroutine(self: Any, event: object) -> None:
    pass


def _generator(self: Any, event: object) -> Any:
    yield


async def _async_generator(self: Any, event: object) -> Any:
    yield


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (lambda self, host, res: None, r"must accept \(self, event\)"),
        (lambda self: None, r"must accept \(self, event\)"),
        (staticmethod(lambda self, event: None), r"must accept \(self, event\)"),
        (_coroutine, "must be a regular method"),
        (_generator, "must be a regular method"),
        (_async_generator, "must be a regular method"),
    ],
)
def test_methods_that_could_not_be_called(member: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Mine.runner_on_ok {words}"):
        make(runner_on_ok=member)


def test_on_status_takes_two() -> None:
    with pytest.raises(ConfigurationError, match=r"must accept \(self, data, runner_config\)"):
        make(on_status=lambda self, data: None)


def test_heirs_and_other_bases() -> None:
    class Base(EventHandler):
        def runner_on_ok(self, event: dict[str, Any]) -> bool:
            return False

    class Mixin:
        def report(self) -> None:
            pass

    class Mine(Mixin, Base):
        pass

    assert Mine()({"event": "runner_on_ok"}) is False
    with pytest.raises(ConfigurationError, match=r"Other.runner_on_okay .*did you mean 'runner_on_ok'"):
        type("Other", (type("Misspelt", (), {"runner_on_okay": nothing}), EventHandler), {})


class Notes(EventHandler):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def runner_on_ok(self, event: dict[str, Any]) -> None:
        event["seen"] = True
        self.notes.append(event["event_data"]["res"]["msg"])

    def playbook_on_task_start(self, event: dict[str, Any]) -> bool:
        return False

    def on_status(self, data: dict[str, Any], runner_config: Any) -> None:
        self.notes.append(data["status"])


def test_spread_as_handler_and_as_event_handler() -> None:
    for name in ("handler", "event_handler"):
        notes = Notes()
        options: dict[str, Any] = {name: notes, "ident": "7"}
        expand_handler(options)
        assert options == {"ident": "7", "event_handler": notes, "status_handler": notes.on_status}


def test_spread_leaves_the_rest_alone() -> None:
    quiet = make()()
    for options in ({}, {"event_handler": print}, {"event_handler": quiet, "status_handler": print}):
        before = dict(options)
        expand_handler(options)
        assert options == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"handler": Notes}, r"write Notes\(\)"),
        ({"event_handler": Notes}, r"write Notes\(\)"),
        ({"handler": print}, "Pass a function as event_handler"),
        ({"handler": Notes(), "event_handler": print}, "one of handler and event_handler"),
        ({"handler": Notes(), "status_handler": print}, "one of status_handler and Notes.on_status"),
    ],
)
def test_spread_refuses(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        expand_handler(options)


def test_in_a_run() -> None:
    notes = Notes()
    runner = playstream.run(playbook=[play(debug("one"), debug("two"))], inventory=INVENTORY, quiet=True, handler=notes)
    assert notes.notes == ["starting", "running", "one", "two", "successful"]
    events = list(runner.events)
    assert [event["seen"] for event in events if event["event"] == "runner_on_ok"] == [True, True]
    assert not [event for event in events if event["event"] == "playbook_on_task_start"]
    assert runner.stats is not None
