"""receptor as people have it: the daemon of Debian 13's package and receptorctl from PyPI.

Debian 12 has no package of it, but runs Debian 13's program. So the sources of packages that this machine has are read
with the other release's name, in a private directory: the machine's own are not touched, and apt checks signatures as
ever. Nothing here needs root.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RELEASE = "trixie"
"""The release whose package is taken."""
RECEPTORCTL = "receptorctl==1.5.5"

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "receptor"
_APT = Path("/etc/apt")
_OS_RELEASE = Path("/etc/os-release")

_ONE_LINE = re.compile(r"^deb\s+((?:\[[^\]]*\]\s+)?\S+)\s+(\S+)\s+(.+)$", re.MULTILINE)
"""A source in the one-line form: options and address, suite, components."""


class Unprepared(Exception):
    """receptor could not be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Receptor:
    """Where the programs are."""

    daemon: Path
    receptorctl: Path

    @property
    def python_path(self) -> Path:
        """The directory from which the Python library `receptorctl` is imported."""
        return next(self.receptorctl.parents[1].glob("lib/python*/site-packages"))


def receptor() -> Receptor:
    """receptor's programs, fetched when they are first asked for and kept.

    Processes that ask at the same time wait for one.

    Raises:
        Unprepared: they cannot be had.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    found = Receptor(CACHE / RELEASE / "usr" / "bin" / "receptor", CACHE / "receptorctl" / "bin" / "receptorctl")
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.daemon.exists():
            _fetch_daemon(CACHE / RELEASE)
        # The mark comes last: an environment without it is one whose making was broken off.
        mark = CACHE / "receptorctl" / "installed"
        if not mark.exists() or mark.read_text() != RECEPTORCTL:
            _install_receptorctl(CACHE / "receptorctl")
            mark.write_text(RECEPTORCTL)
    return found


def sources_of_release(apt: Path, codename: str) -> dict[str, str]:
    """The machine's own sources of Debian, with RELEASE in the place of its release: texts by file name.

    Sources whose suite has another name, such as other publishers', are left out.

    Args:
        apt: the directory with `sources.list` and `sources.list.d`.
        codename: of this machine's release.
    """
    texts: dict[str, str] = {}
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if not path.exists():
            continue
        if path.suffix == ".sources":
            text = _translate_paragraphs(path.read_text(), codename)
        elif path.suffix == ".list":
            text = _translate_lines(path.read_text(), codename)
        else:
            continue
        if text:
            texts[path.name] = text
    return texts


def _translate_lines(text: str, codename: str) -> str:
    wanted = [match[1] for match in _ONE_LINE.finditer(text) if match[2] == codename and "main" in match[3].split()]
    return "".join(f"deb {source} {RELEASE} main\n" for source in wanted)


def _translate_paragraphs(text: str, codename: str) -> str:
    kept = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        wanted = (
            "deb" in fields.get("Types", "").split()
            and codename in fields.get("Suites", "").split()
            and "main" in fields.get("Components", "").split()
            and fields.get("Enabled", "yes") != "no"
        )
        if wanted:
            for name, value in (("Types", "deb"), ("Suites", RELEASE), ("Components", "main")):
                paragraph = re.sub(rf"^{name}:.*$", f"{name}: {value}", paragraph, flags=re.MULTILINE)  # noqa: PLW2901
            kept.append(paragraph.strip() + "\n")
    return "\n".join(kept)


def _fetch_daemon(target: Path) -> None:
    """Unpack the package of receptor into `target`."""
    print(f"fetching receptor from Debian's {RELEASE}", file=sys.stderr)
    match = re.search(r'^VERSION_CODENAME="?(\w+)', _OS_RELEASE.read_text(), re.MULTILINE)
    texts = sources_of_release(_APT, match[1] if match else "")
    if not texts or shutil.which("apt-get") is None:
        raise Unprepared(
            f"expected Debian's own sources of packages below {_APT}, with a suite that is called as this release, and "
            f"found none. Put Debian {RELEASE}'s program at {target}/usr/bin/receptor by hand"
        )
    work = CACHE / "apt"
    shutil.rmtree(work, ignore_errors=True)
    for name in ("sources", "lists/partial", "cache/archives/partial", "download"):
        (work / name).mkdir(parents=True)
    for name, text in texts.items():
        (work / "sources" / name).write_text(text)
    apt_get = [
        "apt-get",
        "--quiet=2",
        "-o",
        "Dir::Etc::sourcelist=/dev/null",
        "-o",
        f"Dir::Etc::sourceparts={work / 'sources'}",
        "-o",
        f"Dir::State::lists={work / 'lists'}",
        "-o",
        f"Dir::Cache={work / 'cache'}",
        "-o",
        "Debug::NoLocking=1",
        "-o",
        "APT::Sandbox::User=",
        "-o",
        "APT::Update::Error-Mode=any",
        "-o",
        "Acquire::Languages=none",
    ]
    try:
        _run([*apt_get, "update"], work)
        _run([*apt_get, "download", "receptor"], work / "download")
        (package,) = (work / "download").glob("receptor_*.deb")
        _run(["dpkg-deb", "-x", str(package), str(work / "unpacked")], work)
        shutil.rmtree(target, ignore_errors=True)
        (work / "unpacked").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _install_receptorctl(folder: Path) -> None:
    """It asks for a version of click of its own, so it gets an environment of its own."""
    print(f"installing {RECEPTORCTL}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, RECEPTORCTL], folder)


def _run(words: Sequence[str], directory: Path) -> None:
    done = subprocess.run(
        words,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        hint = ""
        if "NO_PUBKEY" in done.stdout:
            hint = (
                f"\nThis machine does not know the keys that {RELEASE} is signed with. An up-to-date Debian 12 does: "
                "apt-get update && apt-get install debian-archive-keyring"
            )
        raise Unprepared(f"{words[0]} has failed ({' '.join(words[-2:])}):\n{last}{hint}")
