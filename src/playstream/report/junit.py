"""The report as JUnit's XML, which CI systems show: a suite for each play, and a case for each task on each host."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring  # nosec B405 - nothing is parsed

from playstream.process.task_results import TaskResult
from playstream.report.collecting import Collector, RunEnd, Verdicts, explanation_of, headline
from playstream.report.failures import make_failure, name_of, task_name
from playstream.report.spool import Spool

_WITHOUT_PLAY = "run"
_RUN = "playstream"
"""The class of the case that tells an end of the run which no task explains."""


@dataclass(slots=True)
class _Suite:
    """The results of a play, which lie side by side in the file."""

    name: str
    start: int
    end: int
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class JunitReport:
    """The report as XML. It does not hold the results in memory."""

    def __init__(self) -> None:
        self._collector = Collector()
        self._spool = Spool()
        self._suites: list[_Suite] = []

    def start(self, cwd: str, env: Mapping[str, str]) -> None:
        """Do nothing: it is not told."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        result = self._collector.add(event)
        if result is None:
            return
        line = json.dumps(_case_of(result, self._collector.failed[result.host])).encode() + b"\n"
        start = self._spool.size
        self._spool.add(line)
        name = name_of(result.play or "") or _WITHOUT_PLAY
        if not self._suites or self._suites[-1].name != name:
            self._suites.append(_Suite(name, start, start))
        self._suites[-1].end = self._spool.size

    def close(self) -> None:
        """Discard the results."""
        self._spool.close()

    def pieces(self, end: RunEnd) -> Iterator[str]:
        """Yield the XML.

        Raises:
            JobError: when iterating: the results could not be stored.
        """
        verdicts = self._collector.verdicts()
        for suite in self._suites:
            for case in self._cases(suite):
                suite.kinds[_kind_of(case, verdicts)] += 1
                suite.seconds += case["seconds"] or 0.0
        kinds = sum((suite.kinds for suite in self._suites), Counter[str]())
        unexplained = not end.successful and not (kinds["failure"] or kinds["error"])
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        attributes = _attributes(kinds, self._collector.seconds or 0.0, extra_errors=int(unexplained))
        yield _opening("testsuites", {"name": headline(self._collector, end), **attributes})
        for suite in self._suites:
            yield _opening("testsuite", {"name": suite.name, **_attributes(suite.kinds, suite.seconds)})
            for case in self._cases(suite):
                yield tostring(_element(case, _kind_of(case, verdicts)), "unicode") + "\n"
            yield "</testsuite>\n"
        if unexplained:
            yield from _tell_end(end)
        yield "</testsuites>\n"

    def _cases(self, suite: _Suite) -> Iterator[dict[str, Any]]:
        return map(json.loads, self._spool.lines(suite.start, suite.end))


def _case_of(result: TaskResult, number: int) -> dict[str, Any]:
    """Return what is kept of a result; `number` tells which failure of its host it is, if it is one."""
    failed = result.status in {"failed", "unreachable"}
    return {
        "host": result.host,
        "number": number,
        "task": task_name(result),
        "path": name_of(result.path),
        "status": result.status,
        "ignored": result.ignored,
        "seconds": result.duration,
        "details": make_failure(result).details if failed else (),
    }


def _kind_of(case: Mapping[str, Any], verdicts: Verdicts) -> str:
    """Return what a case is in the report: `failure`, `error`, `skipped` or `passed`."""
    status = case["status"]
    if status == "skipped":
        return "skipped"
    unreachable = status == "unreachable"
    if status == "ok" or case["ignored"] or not verdicts.counts(case["host"], case["number"], unreachable=unreachable):
        return "passed"
    return "error" if unreachable else "failure"


def _element(case: Mapping[str, Any], kind: str) -> Element:
    attributes = {"classname": name_of(case["host"]), "name": case["task"], "time": f"{case['seconds'] or 0.0:.3f}"}
    if case["path"]:
        attributes["file"] = case["path"]
    element = Element("testcase", attributes)
    details = [(name, text) for name, text in case["details"]]
    text = "\n".join(f"{name}: {value}" for name, value in details)
    if kind in {"failure", "error"}:
        message = next((value for name, value in details if name.endswith("msg")), case["status"])
        child = SubElement(element, kind, {"message": " ".join(message.split()), "type": case["status"]})
        child.text = text
    elif kind == "skipped":
        SubElement(element, "skipped")
    elif text:
        SubElement(element, "system-out").text = f"{'ignored' if case['ignored'] else 'rescued or ignored'}\n{text}"
    return element


def _attributes(kinds: Counter[str], seconds: float, *, extra_errors: int = 0) -> dict[str, str]:
    return {
        "tests": str(sum(kinds.values()) + extra_errors),
        "failures": str(kinds["failure"]),
        "errors": str(kinds["error"] + extra_errors),
        "skipped": str(kinds["skipped"]),
        "time": f"{seconds:.3f}",
    }


def _opening(name: str, attributes: Mapping[str, str]) -> str:
    """Return the start of an element whose content follows."""
    return (
        tostring(Element(name, dict(attributes)), "unicode", short_empty_elements=False).removesuffix(f"</{name}>")
        + "\n"
    )


def _tell_end(end: RunEnd) -> Iterator[str]:
    """Yield a suite with one case, because no task tells why the run has failed."""
    yield _opening("testsuite", {"name": _RUN, **_attributes(Counter(), 0.0, extra_errors=1)})
    case = Element("testcase", {"classname": _RUN, "name": "run", "time": "0.000"})
    message = explanation_of(end) or f"the run ended with status {end.status}"
    SubElement(case, "error", {"message": message, "type": end.status}).text = message
    yield tostring(case, "unicode") + "\n</testsuite>\n"
