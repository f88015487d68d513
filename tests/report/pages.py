"""Reading a page with a parser that refuses what a browser would have to repair, or load from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}
_ADDRESSES = {"href", "src", "action", "srcset", "poster", "data"}
_FORBIDDEN = {"script", "iframe", "object", "embed", "link", "base", "form", "svg", "img", "noscript"}


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Its own, without those of its children."""

    def all(self, tag: str) -> list[Element]:
        """All elements below it with this tag, in their order."""
        found = [child for child in self.children if child.tag == tag]
        return [*found, *(each for child in self.children for each in child.all(tag) if each not in found)]

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        parts = [*self.texts, *(child.text for child in self.children)]
        return " ".join(" ".join(parts).split())

    @property
    def shape(self) -> tuple[object, ...]:
        """The tags, without text and attributes."""
        return (self.tag, *(child.shape for child in self.children))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]
        self.declared: list[str] = []

    def handle_decl(self, decl: str) -> None:
        assert self.root.children == []
        self.declared.append(decl)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute of {tag} is there twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"{tag} ends in {self._open[-1].tag}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].texts.append(data)

    def handle_comment(self, _data: str) -> None:
        raise AssertionError("a comment")

    def handle_pi(self, _data: str) -> None:
        raise AssertionError("an instruction")

    def unknown_decl(self, _data: str) -> None:
        raise AssertionError("a marked section")

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"{self._open[-1].tag} does not end"


def read_page(text: str) -> Element:
    """Read a page without scripts.

    Raises:
        AssertionError: its elements do not nest, it may run a script, or loads something.
    """
    text.encode()
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.declared == ["DOCTYPE html"]
    (html,) = reader.root.children
    assert [child.tag for child in html.children] == ["head", "body"]
    assert html.attributes == {"lang": "en"}
    _check_policy(html)
    ids: list[str] = []
    for element in _walk(html):
        assert element.tag not in _FORBIDDEN, element.tag
        for name, value in element.attributes.items():
            assert not name.startswith("on"), name
            assert name != "style"
            assert name not in _ADDRESSES or value.startswith("#"), value
        ids += [element.attributes["id"]] if "id" in element.attributes else []
    assert len(set(ids)) == len(ids)
    for link in html.all("a"):
        assert link.attributes["href"][1:] in ids
    return html


def _check_policy(html: Element) -> None:
    head = html.children[0]
    kinds = [(each.tag, each.attributes.get("http-equiv", "")) for each in head.children]
    (style,) = html.all("style")
    (policy,) = (each for each in head.children if each.attributes.get("http-equiv") == "Content-Security-Policy")
    assert kinds.index(("meta", "Content-Security-Policy")) < [kind for kind, _ in kinds].index("style")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.attributes["content"].split(";"))
    name = base64.b64encode(hashlib.sha256("".join(style.texts).encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{name}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    styles = "".join(style.texts)
    assert not re.search(r"url\(|@import|expression", styles)
    assert "color-scheme: light dark" in styles
    assert "@media (max-width" in styles
    (view,) = (each for each in head.children if each.attributes.get("name") == "viewport")
    assert view.attributes["content"] == "width=device-width, initial-scale=1"


def _walk(element: Element) -> list[Element]:
    return [element, *(each for child in element.children for each in _walk(child))]
