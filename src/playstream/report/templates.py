"""What the pages have in common: templates of Jinja2 in the package, and the hashes in their policies."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from playstream.pipeline.errors import JobError
from playstream.pipeline.io.interpreter import pip_install

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def load_template(package: str, name: str) -> Template:
    """Return a template, which escapes what it shows.

    Args:
        package: the package that has it.
        name: the name of its file there.

    Raises:
        JobError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an extra
    except ImportError:
        raise JobError(f"HTML requires Jinja2, which is not installed: run {pip_install('report')}") from None
    loader = PackageLoader(package, "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(name)


@cache
def read_part(package: str, name: str) -> str:
    """Return the text of a file in a package, such as a style sheet; `name` may have slashes."""
    return files(package).joinpath(*name.split("/")).read_text(encoding="utf-8")


def source_of(text: str) -> str:
    """Return how a Content-Security-Policy names the text of an element that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
