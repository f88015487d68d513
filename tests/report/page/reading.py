"""Reads a page as a browser does: its head, its columns and its results."""

from __future__ import annotations

import base64
import gzip
import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from playstream.report.collecting import RunEnd
from playstream.report.page.collecting import PageReport
from tests.report.events import BAD, render


class Parts(HTMLParser):
    """The elements of a page, with the text in each that holds text alone."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[tuple[str, dict[str, str | None], str]] = []
        self.policy = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        self.texts.append((tag, values, ""))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser calls it so
        self.texts.append(("", {}, ""))  # what follows is not in the element

    def handle_data(self, data: str) -> None:
        if self.texts:
            tag, values, text = self.texts[-1]
            self.texts[-1] = tag, values, text + data

    def data(self, ident: str) -> str:
        """The text of a script with data."""
        (text,) = (text for tag, values, text in self.texts if tag == "script" and values.get("id") == ident)
        return text


@dataclass
class Page:
    """What is in a page."""

    text: str
    head: dict[str, Any]
    columns: dict[str, array[int]]
    blocks: list[list[Any]]

    def rows(self) -> list[tuple[str, str, str]]:
        """The host, the task and the outcome of each result."""
        return [
            (self.head["hosts"][host], self.head["tasks"][task][0], self.head["outcomes"][outcome])
            for host, task, outcome in zip(
                *(self.columns[name] for name in ("host", "task", "outcome")),
                strict=True,
            )
        ]

    def body(self, number: int) -> tuple[dict[str, Any], list[list[str]]] | None:
        """What a module has returned, and its diffs."""
        block = self.columns["block"][number]
        if block < 0:
            return None
        result, diffs = self.blocks[block][self.columns["slot"][number]]
        return result, diffs

    def marked(self, name: str) -> list[int]:
        """The numbers of the results that have a mark."""
        return [number for number, marks in enumerate(self.columns["marks"]) if marks & self.head["marks"][name]]

    def everything(self) -> str:
        """All texts in the page, decompressed."""
        shown = json.dumps([self.head, self.blocks], ensure_ascii=False)
        return self.text + shown


def read_page(text: str) -> Page:
    """Read a page."""
    parts = Parts(text)
    data = gzip.decompress(base64.b64decode(parts.data("data"), validate=True))
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    columns = {}
    for name, (code, at, count) in head["columns"].items():
        numbers = array(code)
        start = 4 + size + at
        numbers.frombytes(data[start : start + count * numbers.itemsize])
        columns[name] = numbers
    blocks = [json.loads(gzip.decompress(base64.b64decode(line))) for line in parts.data("blocks").split()]
    return Page(text, head, columns, blocks)


def page_of(events: Iterable[Mapping[str, Any]], end: RunEnd = BAD, report: PageReport | None = None) -> Page:
    """The page of a run."""
    return read_page(render(report or PageReport(home="/home/somebody"), events, end))
