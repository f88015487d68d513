"""Wheels that fit a host: from this side's cache, a directory, or pip."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from playstream.links.bootstrap.cache import cache_directory
from playstream.links.bootstrap.target import Target
from playstream.links.bootstrap.wheel_file import refuse_direct_references
from playstream.pipeline.errors import BootstrapError, ConfigurationError, JobError
from playstream.pipeline.io.cancellation import LOOK_SECONDS, Cancellation, check_canceled
from playstream.pipeline.io.interpreter import find_python

_MISSING_PIP = "No module named pip"
_NOTHING_FITS = ("No matching distribution found for ", "Could not find a version that satisfies the requirement ")
_UNREACHABLE = ("Retrying (", "ConnectionError", "Could not fetch URL", "SSLError", "ProxyError", "ReadTimeoutError")
_notices = logging.getLogger("playstream.notices")


def check_directory(wheels: Path) -> None:
    """Check that a directory has wheels.

    Raises:
        ConfigurationError: it has not.
    """
    if not wheels.is_dir():
        raise ConfigurationError(f"wheels: expected a directory with wheels, got {str(wheels)!r}, which is none")
    if not any(wheels.glob("*.whl")):
        raise ConfigurationError(f"wheels: {str(wheels)!r} contains no file *.whl. Fill it with pip download")


class WheelFinder:
    """Finds wheels for one host.

    Args:
        name: the name of the link, for messages.
        target: the host.
        wheels: a directory to take all wheels from; None for pip's index.
        cancellation: a request to stop.
    """

    def __init__(self, name: str, target: Target, wheels: Path | None, cancellation: Cancellation | None) -> None:
        self._name = name
        self._target = target
        self._wheels = wheels
        self._cancellation = cancellation

    def find(self, *choices: Sequence[str]) -> list[Path]:
        """Return the wheels of some requirements, and of what those need.

        Args:
            choices: requirements; those after the first ones are tried if no wheels fit those before.

        Raises:
            BootstrapError: they cannot be found.
            Canceled: a stop was requested.
        """
        kept = cache_directory("wheels") / self._key(choices)
        if not kept.is_dir():
            self._fill(kept, choices)
        return sorted(kept.glob("*.whl"))

    def _key(self, choices: Sequence[Sequence[str]]) -> str:
        """Return the name of the directory in the cache, from everything that determines its content."""
        listing = []
        for path in sorted(self._wheels.glob("*.whl")) if self._wheels is not None else ():
            about = path.stat()
            listing.append((path.name, about.st_size, about.st_mtime_ns))
        target = self._target
        facts = [choices, target.version[:2], target.abi, target.machine, target.libc, self._wheels is None, listing]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

    def _fill(self, kept: Path, choices: Sequence[Sequence[str]]) -> None:
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=kept.parent))
        given = None
        try:
            if self._wheels is not None:
                given = Path(tempfile.mkdtemp(prefix=".given-", dir=kept.parent))
                _link_wheels(self._wheels, given)
            else:
                _notices.info("%s: getting wheels with pip for %s", self._name, self._target.name)
            for number, requirements in enumerate(choices):
                complaint = self._download(new, requirements, given)
                if complaint is None:
                    break
                if number == len(choices) - 1 or not _names_requirement(complaint):
                    raise self._explain(complaint, requirements)
            try:
                new.rename(kept)
            except OSError:
                if not kept.is_dir():  # another process may have been faster
                    raise
        finally:
            for path in (new, given):
                if path is not None:
                    shutil.rmtree(path, ignore_errors=True)

    def _download(self, directory: Path, requirements: Sequence[str], given: Path | None) -> str | None:
        """Have pip collect wheels in a directory; return what it says if it fails.

        Args:
            directory: the directory.
            requirements: what is wanted.
            given: a directory that pip takes all wheels from; None for its index.
        """
        words = [*self._find_pip(), "download", *_download_words(self._target), "--dest", str(directory)]
        if given is not None:
            words += ["--no-index", "--find-links", str(given)]
        # Without --no-input pip might ask for a password in the middle of a run.
        words += ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1", *requirements]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment()
            )
            self._wait(process)
            output.seek(0)
            text = output.read().decode(errors="replace")
        return None if process.returncode == 0 else text

    def _find_pip(self) -> list[str]:
        """Return the words that start pip: this Python's own, or one on the PATH, since it does not matter whose it is.

        Raises:
            BootstrapError: there is none.
        """
        import importlib.util  # noqa: PLC0415 - only needed when something is downloaded

        if importlib.util.find_spec("pip") is not None:
            try:
                # The current directory may be a project that is not trusted: a pip.py there must not run. With a
                # directory of wheels, nothing else from the environment counts either.
                return [find_python(), "-P" if self._wheels is None else "-I", "-m", "pip"]
            except JobError:
                pass  # embedded in another program
        for program in ("pip3", "pip"):
            if (path := shutil.which(program)) is not None:
                return [path]
        raise BootstrapError(f"{self._name}: {_no_pip()}")

    def _environment(self) -> Mapping[str, str]:
        """Return pip's environment; with a directory of wheels, without settings that would add other places."""
        if self._wheels is None:
            return os.environ
        own = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        return {**own, "PIP_CONFIG_FILE": os.devnull}

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if self._cancellation is not None and self._cancellation.reason is not None:
                    process.kill()
                    process.wait()
                    check_canceled(self._cancellation)
            else:
                return

    def _explain(self, complaint: str, requirements: Sequence[str]) -> BootstrapError:
        where = "on pip's index" if self._wheels is None else f"in {str(self._wheels)!r}"
        last = next((line.strip() for line in reversed(complaint.splitlines()) if line.strip()), "")
        if _MISSING_PIP in complaint:
            return BootstrapError(f"{self._name}: {_no_pip()}")
        if self._wheels is None and any(sign in complaint for sign in _UNREACHABLE):
            return BootstrapError(
                f"{self._name}: pip cannot reach its index, where it looks for wheels for {self._target.name}; its "
                f"last message: {last}. Check the network and pip config list, or pass --wheels DIR, a directory that "
                f"was filled where the index can be reached: {self._command(requirements)}"
            )
        if _names_requirement(complaint):
            wanted = _named_requirement(complaint)
            return BootstrapError(
                f"{self._name}: there is no wheel of {wanted} {where} that fits {self._target.name}. Install "
                "playstream there, use another Python there, or pass --wheels DIR with wheels that fit"
            )
        return BootstrapError(f"{self._name}: pip cannot get wheels for {self._target.name}; its last message: {last}")

    def _command(self, requirements: Sequence[str]) -> str:
        """Return the command that fills a directory, for messages."""
        version = ".".join(map(str, self._target.version[:2]))
        name, machine = self._target.libc[0], self._target.machine
        platform = f"musllinux_1_2_{machine}" if name == "musl" else f"manylinux2014_{machine}"
        names = " ".join(f"'{item}'" for item in requirements)
        return f"pip download --only-binary=:all: --python-version {version} --platform {platform} -d DIR {names}"


def _link_wheels(wheels: Path, given: Path) -> None:
    """Link the wheels of a directory in another one, where pip finds nothing else, such as a page with links.

    Raises:
        BootstrapError: one cannot be read, or names a place where pip should get something.
    """
    for path in sorted(wheels.glob("*.whl")):
        refuse_direct_references(path)
        (given / path.name).symlink_to(path.absolute())


def _download_words(target: Target) -> list[str]:
    """Return pip's arguments that name the host's Python."""
    version = ".".join(map(str, target.version[:2]))
    words = ["--only-binary=:all:", "--implementation", "cp", "--python-version", version, "--abi", target.abi]
    for platform in target.platforms():
        words += ["--platform", platform]
    return words


def _no_pip() -> str:
    return (
        "pip is needed on this side to collect the wheels that are sent, and it is neither in this Python nor on the "
        "PATH. Install it, with python -m ensurepip or the system's package python3-pip"
    )


def _names_requirement(complaint: str) -> bool:
    return any(sign in complaint for sign in _NOTHING_FITS)


def _named_requirement(complaint: str) -> str:
    for sign in _NOTHING_FITS:
        if sign in complaint:
            return complaint.partition(sign)[2].splitlines()[0].partition(" (")[0].strip()
    return ""
