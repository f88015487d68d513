"""Builds the sdist and the wheel, and checks what they hold and what they say about themselves."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.metadata import Metadata
from packaging.version import Version

from playstream.cli.documents import SCRIPTS
from playstream.cli.flags import list_commands
from tests.matrix.debian import ROOT, do

DIST = ROOT / "dist"
_BESIDE_THE_PACKAGE = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg", "setup.py"}
"""What else an sdist holds: what names the project and its licence, and how it is built."""
_LABELS = {"changelog", "documentation", "download", "funding", "homepage", "issues", "releasenotes", "source"}
"""The labels of project URLs that package indexes know, as they are compared: in lower case, without spaces."""


def build() -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, into dist/ in place of earlier ones; return both.

    Raises:
        Unprepared: they cannot be built.
    """
    for earlier in DIST.glob("playstream-*"):
        earlier.unlink()
    words = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(DIST), str(ROOT)]
    do(words, "the distributions cannot be built")
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    return sdist, wheel


def check(sdist: Path, wheel: Path) -> list[str]:
    """Return what is wrong with the distributions, a line for each problem.

    Raises:
        Unprepared: this is not a checkout, so it is not known what belongs in them.
    """
    listed = do(["git", "-C", str(ROOT), "ls-files", "src/playstream"], "only a checkout can be checked").split()
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in (member.name for member in archive if member.isfile())}
        text = archive.extractfile(f"{sdist.name.removesuffix('.tar.gz')}/PKG-INFO")
        assert text is not None
        of_sdist = text.read()
    packed = {name for name in held if not name.startswith("src/playstream.egg-info/")} - _BESIDE_THE_PACKAGE
    problems = differences(sdist.name, listed, packed)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/"
        of_wheel = archive.read(f"{info}METADATA")
    package = [name.removeprefix("src/") for name in listed] + list(made_files(wheel.name))
    problems += differences(wheel.name, package, [name for name in names if not name.startswith(info)])
    if of_sdist != of_wheel:
        problems.append("the metadata of the sdist and of the wheel differ")
    return problems + metadata_problems(of_wheel) + _problems_that_tools_find(sdist, wheel)


def made_files(wheel_name: str) -> Iterator[str]:
    """Yield the files of a wheel that are made when it is built: completion scripts and man pages."""
    yield from (f"playstream/cli/completions/{name}" for name in SCRIPTS.values())
    pages = "-".join(wheel_name.split("-")[:2]) + ".data/data/share/man/man1"
    for command in ("", *list_commands()):
        yield f"{pages}/{'-'.join(['playstream', *command.split()])}.1"


def differences(where: str, expected: Iterable[str], held: Iterable[str]) -> list[str]:
    """Return a problem for each file that is missing in a distribution, or does not belong there."""
    missing, unexpected = set(expected) - set(held), set(held) - set(expected)
    return [
        *(f"{where}: {name} is missing" for name in sorted(missing)),
        *(f"{where}: {name} does not belong there" for name in sorted(unexpected)),
    ]


def metadata_problems(text: bytes) -> list[str]:
    """Return what is wrong with the metadata of a distribution, as far as the standards and the project say."""
    try:
        metadata = Metadata.from_email(text)
    except ExceptionGroup as group:
        return [f"metadata: {error}" for error in group.exceptions]
    problems = []
    if not metadata.license_expression or not metadata.license_files:
        problems.append("metadata: there is no licence expression, or no licence file")
    if metadata.description_content_type != "text/markdown" or not metadata.description:
        problems.append("metadata: README.md is not the description")
    supported = metadata.requires_python
    named = re.findall(r"^Programming Language :: Python :: (\d+\.\d+)$", "\n".join(metadata.classifiers or ()), re.M)
    if supported is None or not named or not all(Version(version) in supported for version in named):
        problems.append(f"metadata: Requires-Python is {supported}, the classifiers name {', '.join(named) or 'none'}")
    for label, address in (metadata.project_urls or {}).items():
        if label.lower().replace(" ", "") not in _LABELS or not address.startswith("https://"):
            problems.append(f"metadata: package indexes do not know the project URL {label!r}, or it is not https")
    return problems


def open_points(wheel: Path) -> list[str]:
    """Return what the metadata leaves open. A package index accepts that; a reader of its page misses it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(name))
    if metadata.project_urls:
        return []
    return [
        "there are no project URLs: [project.urls] in pyproject.toml",
        "the links of README.md are relative: on the page of a package index they lead nowhere",
    ]


def _problems_that_tools_find(sdist: Path, wheel: Path) -> list[str]:
    """twine renders the description as a package index does; validate-pyproject knows the classifiers."""
    commands = {
        "twine": ["check", "--strict", str(sdist), str(wheel)],
        "validate_pyproject": [str(ROOT / "pyproject.toml")],
    }
    problems = []
    for module, words in commands.items():
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            problems.append(f"{module}: {done.stdout.strip()}")
    return problems
