"""Puts a page together: the template, the styles, the scripts and the data of a run."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from playstream.report.templates import load_template, read_part, source_of

if TYPE_CHECKING:
    from jinja2 import Template

STYLES = ("vendor/uPlot.min.css", "assets/page.css", "assets/parts.css")
SCRIPTS = (
    "vendor/uPlot.iife.min.js",
    "vendor/virtual-core.js",
    *(
        f"assets/{name}.js"
        for name in (
            *("elements", "data", "run", "address", "tables", "tree", "detail", "summary", "failures", "changes"),
            *("pace", "bars", "timeline", "forks", "hosts", "results", "main"),
        )
    ),
)
"""In the order in which a browser runs them: each may use what those before it define."""
_TEMPLATE = "page.html.j2"


def load_page() -> Template:
    """Return the template.

    Raises:
        JobError: Jinja2 is not installed.
    """
    return load_template(__package__ or "", _TEMPLATE)


def render(template: Template, title: str, data: bytes, blocks: Sequence[bytes]) -> Iterator[str]:
    """Yield the page.

    Args:
        template: as `load_page` returns it.
        title: the title of the page.
        data: the columns of the run.
        blocks: the results in it.
    """
    styles, scripts = ([read_part(__package__ or "", name) for name in names] for names in (STYLES, SCRIPTS))
    yield from template.generate(
        title=title,
        policy=policy_of(scripts, styles),
        styles=styles,
        scripts=scripts,
        data=_as_text(data),
        blocks=map(_as_text, blocks),
    )


def policy_of(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Return the Content-Security-Policy: only these scripts and styles, nothing from elsewhere, no HTML from text."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(source_of, scripts))}",
            f"style-src {' '.join(map(source_of, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()
