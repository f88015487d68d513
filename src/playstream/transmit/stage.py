"""A job and its tree as records."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from playstream.pipeline.errors import ConfigurationError, PlaystreamError, name_of
from playstream.pipeline.io.system import check_system
from playstream.pipeline.job.galaxy import PLACE, Installed, find_variables
from playstream.pipeline.job.inputs import ENV_FILES
from playstream.pipeline.job.job import make_job
from playstream.pipeline.job.lookup import Delivery
from playstream.pipeline.job.roles import check_role, own_role_directories
from playstream.pipeline.protocol import Failure, FileEntry, Job, Log, Record, TreeEnd
from playstream.pipeline.tree.directories import absolute_path
from playstream.pipeline.tree.ignore import Ignore
from playstream.pipeline.tree.listings import Hashed
from playstream.pipeline.tree.pack import Hasher, hash_tree, list_tree, pack
from playstream.pipeline.tree.readable import check_readable
from playstream.transmit.added import PackTree, records_with
from playstream.transmit.project import job_below, project_options, records_below
from playstream.transmit.snapshot import Snapshot

_T = TypeVar("_T")


class Transmitter:
    """One job on its way to a worker.

    Args:
        options: what to run, as for `make_job`. Without `private_data_dir` the tree is that of `project_dir`, and
            without both there is none to send.
        exclude: patterns in gitignore syntax of files that are not sent, in addition to `.playstreamignore` and
            `artifacts/`.
        only_arguments: send no tree; the worker has its own private data directory.
        awaits_galaxy: whether `add_galaxy` follows.

    Raises:
        ConfigurationError: the job cannot run as requested. Nothing was sent.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        exclude: Sequence[str] = (),
        only_arguments: bool = False,
        awaits_galaxy: bool = False,
    ) -> None:
        check_system()
        self._is_project = not only_arguments and "private_data_dir" not in options and "project_dir" in options
        if self._is_project:
            options = project_options(options)
        given = None if only_arguments else options.get("private_data_dir")
        delivery = Delivery.ARGUMENTS if given is None else Delivery.TREE
        if awaits_galaxy and given is None:
            raise ConfigurationError(
                "galaxy: expected a directory that is sent, because collections and roles travel with it, got none. "
                "Omit this option, or what keeps the directory from being sent"
            )
        self.job = make_job(options, delivery, has_env=not self._is_project, awaits_galaxy=awaits_galaxy)
        self.project = Path(absolute_path(given or ""), self.job.project_dir)
        """The directory of the playbooks on this host."""
        self._tree: tuple[Path, Ignore] | None = None
        self._installed: Installed | None = None
        if given is not None:
            directory = Path(given)
            # The files in env/ that playstream reads are sent in the job, never as files on the worker's disk.
            has_env = not self._is_project and (directory / "env").exists()
            own = [f"/env/{name}" for name in ENV_FILES] if has_env else []
            own += [f"/{PLACE}"] if awaits_galaxy and not self._is_project else []  # an earlier run's, on a worker
            ignore = Ignore.for_directory(directory, [*exclude, *own])
            check_readable(directory, ignore)
            check_sent(self.job, directory, ignore)
            self._tree = directory, ignore
        if self._is_project:
            self.job = job_below(self.job)

    def add_galaxy(self, installed: Installed | None, *, knows_galaxy: bool) -> None:
        """Add collections and roles that were installed for the job.

        Args:
            installed: what was installed; None for nothing.
            knows_galaxy: whether the worker is playstream's; another one finds them by variables.

        Raises:
            ConfigurationError: the role of the job is missing, or cannot find them there.
        """
        if self._tree is None:
            return
        directory, _ignore = self._tree
        job = replace(self.job, project_dir=".") if self._is_project else self.job
        check_role(job, directory, Delivery.TREE, os.environ, installed)
        if installed is None:
            return
        self._installed = installed
        if knows_galaxy:
            self.job = replace(self.job, galaxy=installed.place)
        else:
            base = None if self._is_project else directory
            variables = find_variables(self.job, installed, self.project, base)
            self.job = replace(self.job, envvars={**self.job.envvars, **variables})

    def records(self) -> Generator[Record, None, None]:
        """Yield the job, then its tree.

        Raises:
            PlaystreamError: the directory could not be packed completely; a Failure record was yielded before.
        """
        yield self.job
        if self._tree is not None:
            packed = self._packed(lambda root, ignore: pack(root, ignore=ignore))
            yield from _reporting(cast("Iterator[Record]", packed))

    @property
    def directory(self) -> Path | None:
        """The directory whose tree is sent; None if there is none."""
        return None if self._tree is None else Path(absolute_path(self._tree[0]))

    def measure(self) -> int:
        """Return the bytes of all files that are sent, without reading them.

        Raises:
            ConfigurationError: the directory cannot be read.
        """
        return max((record.size for record in self._packed(list_tree) if isinstance(record, TreeEnd)), default=0)

    def take_snapshot(self, snapshot: Snapshot, hasher: Hasher) -> Iterator[Record]:
        """Read the tree into a snapshot, to offer it; yield messages for the user meanwhile.

        Raises:
            PlaystreamError: the directory could not be read completely; a Failure record was yielded before.
        """

        def read() -> Iterator[Record]:
            for item in self._packed(lambda root, ignore: hash_tree(root, hasher, ignore=ignore)):
                if isinstance(item, (FileEntry, Hashed)):
                    snapshot.add(item)
                elif isinstance(item, Log):
                    yield item
            snapshot.finish()

        yield from _reporting(read())

    def _packed(self, pack_tree: PackTree) -> Iterator[Record | Hashed]:
        """Yield the records of all that is sent with the job."""
        if self._tree is None:
            return
        packed: Iterator[Record | Hashed] = pack_tree(*self._tree)
        if self._is_project:
            packed = records_below(packed)
        if self._installed is not None:
            packed = records_with(packed, self._installed, pack_tree)
        yield from packed


def _reporting(records: Iterator[_T]) -> Iterator[_T | Failure]:
    """Yield records; if that fails, yield a Failure before the error is raised."""
    try:
        yield from records
    except PlaystreamError as error:
        yield Failure(name_of(error), str(error))
        raise


_FILE_OPTIONS = {
    "-e": "extra variables",
    "--extra-vars": "extra variables",
    "-i": "inventory",
    "--inventory": "inventory",
    "--inventory-file": "inventory",
    "--vault-password-file": "vault password",
    "--vault-pass-file": "vault password",
    "--vault-id": "vault password",
    "--private-key": "private key",
    "--key-file": "private key",
}
"""Options of Ansible that name a file, and what the file contains."""


def check_sent(job: Job, directory: Path, ignore: Ignore) -> None:
    """Check that no pattern excludes what the job needs.

    Args:
        job: the job.
        directory: the private data directory.
        ignore: what is excluded.

    Raises:
        ConfigurationError: the playbook, an inventory, the role, a directory of roles, or a file that the command line
            names would not be sent; names the pattern.
    """
    root = Path(os.path.realpath(directory))
    for what, path in _named(job, directory):
        reason = _why_left_out(path, directory, root, ignore)
        if reason is not None:
            raise ConfigurationError(
                f"{what} {str(path.relative_to(directory))!r} would not reach the worker: {reason}. Change the "
                "pattern, or choose another file"
            )


def _named(job: Job, directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the things that the job names, and their paths."""
    project = directory / job.project_dir
    named = [("playbook", project / path) for path in (job.playbook, *job.more_playbooks) if path]
    named += [("inventory", directory / item) for item in job.inventory or () if "," not in item]
    named += [("roles_path", directory / path) for path in job.roles_path]
    start = project if os.path.isdir(project) else directory
    words = [*_files_in_words(job.cmdline), *_files_in_words(job.command), *_playbooks_in_words(job.command)]
    named += [(what, Path(os.path.normpath(start / path))) for what, path in words]
    for what, path in named:
        if os.path.exists(path) and path.is_relative_to(directory):
            yield what, path
    if job.role:
        places = [*own_role_directories(job, directory, project), project]
        found = [place / job.role for place in places if os.path.exists(place / job.role)]
        yield from (("role", path) for path in found[:1])  # the one that Ansible would use


def _files_in_words(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the files that options name, relative to where Ansible is started, each with its kind."""
    for word, following in zip(words, (*words[1:], ""), strict=False):
        option, separator, value = word.partition("=")
        if not word.startswith("--") and word[:2] in _FILE_OPTIONS and word[2:]:
            option, separator, value = word[:2], "=", word[2:]
        what = _FILE_OPTIONS.get(option)
        if what is None:
            continue
        value = value if separator else following
        if what == "extra variables":
            value = value[1:] if value.startswith("@") else ""
        elif option == "--vault-id":
            value = value.rpartition("@")[2]
        if value and not (what == "inventory" and "," in value):
            yield what, value


def _playbooks_in_words(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the playbooks of a whole command line."""
    if words and os.path.basename(words[0]) == "ansible-playbook":
        yield from (("playbook", word) for word in words[1:] if word.endswith((".yml", ".yaml")) and word[0] != "-")


def _why_left_out(path: Path, directory: Path, root: Path, ignore: Ignore) -> str | None:
    """Explain why an entry, or its target, is not sent; None if it is sent, or outside the directory."""
    real = Path(os.path.realpath(path))
    for place, base in ((Path(os.path.normpath(path)), directory), (real, root)):
        if place.is_relative_to(base) and place != base:
            reason = ignore.why_left_out(os.fsencode(place.relative_to(base)))
            if reason is not None:
                return reason
    return None
