"""The digest by which the cache finds what was installed: it covers all that the result depends on, but what is remote.

What a server or a remote repository has is not covered, so that a run does not need the network. Nor are credentials.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from playstream.galaxy.files import hash_file
from playstream.galaxy.requirements import RequirementsFile, load_items
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.small_files import read_text
from playstream.pipeline.job.ansible_config import find_ansible_config

_FORM = "1"
"""Changes when the content of the cache is made in another way."""
_PREFIX = "ANSIBLE_GALAXY_"
"""Of the variables that configure ansible-galaxy."""
_CREDENTIAL = re.compile(r"(?i)(token|password|username|secret|client_id|auth_url|token_path)$")
_USERINFO = re.compile(r"(\bhttps?://)[^\s/@'\"]+@")
"""Credentials in URLs."""
_FILE_URL = "file://"
_SECONDS = 30.0
"""How long git may take to list the references of a repository on this host."""


class Digest:
    """A digest of parts, each with its length, so that two lists of parts never look the same."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, *parts: str | bytes) -> None:
        """Add parts."""
        for part in parts:
            data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
            self._hash.update(b"%d:" % len(data) + data)

    @property
    def text(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


def digest_requirements(files: Sequence[RequirementsFile], project: Path, version: str, env: Mapping[str, str]) -> str:
    """Return the digest of what ansible-galaxy would install.

    Args:
        files: the requirements.
        project: the directory that relative paths in them start from.
        version: the version of ansible-galaxy.
        env: its environment.

    Raises:
        ConfigurationError: a file that they name cannot be read.
    """
    digest = Digest()
    digest.add(_FORM, version)
    for name, value in _settings(project, env):
        digest.add("setting", name, value)
    for file in files:
        digest.add("file", file.name, _USERINFO.sub(r"\1", file.text))
        for source in _sources(file, project):
            for part in _local_parts(project / source):
                digest.add("source", source, *part)
    return digest.text


def _settings(project: Path, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the settings of ansible-galaxy in the environment and in ansible.cfg, without credentials."""
    for name, value in sorted(env.items()):
        if name.startswith(_PREFIX) and not _CREDENTIAL.search(name):
            yield name, value
    config = find_ansible_config(env, project)
    if config.path is None:
        return
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read(config.path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return  # ansible-galaxy reads the same file and explains what is wrong with it
    for section in sorted(parser.sections()):
        if section == "galaxy" or section.startswith("galaxy_server."):
            for name, value in sorted(parser[section].items()):
                if not _CREDENTIAL.search(name):
                    yield f"{section}.{name}", value


def _sources(file: RequirementsFile, project: Path) -> Iterator[str]:
    """Yield what may be a path on this host, relative to the project, in the items of a file."""
    for item in (*file.collections, *file.roles):
        yield from _paths_in(item)
    for item in file.roles:
        if isinstance(item, Mapping) and isinstance(item.get("include"), str):
            included = item["include"]
            yield included
            path = project / included
            text = read_text(path, path.parent)
            content = None if text is None else load_items(path, text)
            for below in content if isinstance(content, list) else ():
                yield from _paths_in(below)


def _paths_in(item: Any) -> Iterator[str]:
    values = [item.get(key) for key in ("name", "source", "src", "role")] if isinstance(item, Mapping) else [item]
    for value in values:
        if not isinstance(value, str) or "\0" in value:
            continue
        text = value
        for scm in ("git+", "hg+"):
            text = text.removeprefix(scm)
        if "://" in text and not text.startswith(_FILE_URL):
            continue
        text = text.removeprefix(_FILE_URL)
        # What follows may be a version, a name, or a directory in a repository.
        yield from dict.fromkeys(filter(None, (text, text.partition("#")[0], text.partition(",")[0])))


def _local_parts(path: Path) -> Iterator[tuple[str | bytes, ...]]:
    """Yield what is at a path: the content of a file, or of a directory, or the references of a repository."""
    try:
        if path.is_file():
            yield "content", hash_file(path)
        elif path.is_dir():
            references = _list_references(path)
            if references is not None:
                yield "references", references
            if not (path / "objects").is_dir():  # a bare repository has only those
                yield from _tree_parts(path)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or path} cannot be read: {error.strerror}") from None


def _tree_parts(path: Path) -> Iterator[tuple[str | bytes, ...]]:
    for place, directories, names in os.walk(path):
        found = sorted(name for name in directories if name != ".git")
        directories[:] = found
        for name in (*found, *sorted(names)):
            file = Path(place) / name
            below = os.fspath(file.relative_to(path))
            if file.is_symlink():
                yield "link", below, os.readlink(file)
            elif file.is_file():
                yield "file", below, str(file.stat().st_mode & 0o111), hash_file(file)


def _list_references(path: Path) -> bytes | None:
    """Return the references of a git repository; None if there is none, or git cannot tell."""
    if not ((path / ".git").exists() or (path / "HEAD").exists()):
        return None
    words = ["git", "-C", os.fspath(path), "show-ref", "--head"]
    try:
        done = subprocess.run(words, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
