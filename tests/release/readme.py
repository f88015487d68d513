"""The commands of README.md, run as they are written: in a checkout, and after installation from a wheel."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.matrix.debian import ROOT, do
from tests.sshd import Sshd, with_terminals

INSTALLED = "/opt/playstream"
"""The directory of the installation on the page. It is replaced by another one here, as the page allows."""
_LIMIT_SECONDS = 300
_TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
_SSH = """\
#!/bin/sh
exec '{ssh}' -F '{directory}/client' "$@"
"""
_CLIENT = """\
Host host
    HostName {address}
    Port {port}
    User {user}
    IdentityFile {directory}/user_key
    IdentitiesOnly yes
    BatchMode yes
    UserKnownHostsFile {directory}/known_hosts
"""


def script(*headings: str) -> str:
    """Return a shell script of the blocks of some sections: commands, and examples in Python.

    Args:
        headings: the sections; none for what precedes the first one.
    """
    lines: list[str] = []
    python = False
    for line in "\n".join(map(_section, headings or ("",))).splitlines():
        if line.startswith("```"):
            python = line == "```python"
            lines.append("python - <<'END'" if python else "END")
        elif python:
            lines.append(line)
        elif line.startswith("    ") and not line.startswith("    make "):
            lines.append(line[4:])
    return "\n".join(lines) + "\n"


def _section(heading: str) -> str:
    title = f"## {heading}" if heading else "# .*"
    found = re.search(rf"^{title}\n((?:.*\n)*?)(?=## |\Z)", _TEXT, re.MULTILINE)
    assert found is not None, f"README.md has no section {heading}"
    return found[1]


@contextmanager
def a_host(directory: Path, *, inside: tuple[str, ...] = (), address: str = "127.0.0.1") -> Iterator[Path]:
    """Start an sshd that `ssh host` reaches; yield the directory of that `ssh`.

    Args:
        directory: for its files; it does not exist.
        inside: words that run it on another host of a network.
        address: that host's.
    """
    directory.mkdir()
    before = (*inside, *with_terminals(directory))
    # What is sent to the host (--bootstrap) must not get into this user's own cache.
    config = f"PasswordAuthentication no\nSetEnv XDG_CACHE_HOME={directory}/cache\n"
    with closing(Sshd(directory, config, before=before, address=address)) as server:
        text = (directory / "host_key.pub").read_text()
        (directory / "known_hosts").write_text(f"[{address}]:{server.port} {text}")
        names = {
            "directory": directory,
            "address": address,
            "port": server.port,
            "user": getpass.getuser(),
            "ssh": shutil.which("ssh"),
        }
        (directory / "client").write_text(_CLIENT.format(**names))
        (directory / "bin").mkdir()
        (directory / "bin" / "ssh").write_text(_SSH.format(**names))
        (directory / "bin" / "ssh").chmod(0o755)
        yield directory / "bin"


def run(text: str, *, cwd: Path, installed: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the page; it ends at the first command that fails.

    Args:
        text: the script.
        cwd: where to run it.
        installed: what stands for INSTALLED.
        path: the PATH to begin with.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail"],
        input=text.replace(INSTALLED, str(installed)),
        cwd=cwd,
        env={**env, "PATH": path, "HOME": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )


def run_all(place: Path, installed: Path, before: str) -> subprocess.CompletedProcess[str]:
    """Run what the page shows of the pipeline, of one host and of a file, in a copy of the examples.

    Args:
        place: an empty directory.
        installed: what stands for INSTALLED, on this host and on `host`.
        before: commands that make `playstream` and `demo` known.
    """
    shutil.copytree(ROOT / "examples" / "demo", place / "examples" / "demo", ignore=shutil.ignore_patterns("artifacts"))
    with a_host(place / "host") as ssh:
        running = script("Running")
        assert script() in running, "the first command of the page is one of the section Running"
        text = f"{before}\n{running}"
        return run(text, cwd=place, installed=installed, path=f"{ssh}:/usr/bin:/bin")


def problems_after_installing(wheel: Path, folder: Path) -> list[str]:
    """Install as the page says, from a checkout and from a wheel, and run its commands; return what failed.

    Raises:
        Unprepared: this is not a checkout.
    """
    checkout, installed = folder / "checkout", folder / "opt"
    checkout.mkdir(parents=True)
    names = do(["git", "-C", str(ROOT), "ls-files", "-z"], "only a checkout can be installed from").split("\0")
    for name in filter(None, names):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, checkout / name, follow_symlinks=False)
    shutil.copy(wheel, checkout)
    python = Path(sys.executable).resolve().parent  # that the virtual environment is of the same version
    done = run(script("Installing"), cwd=checkout, installed=installed, path=f"{python}:/usr/bin:/bin")
    if done.returncode:
        return [f"README.md, Installing: ended with {done.returncode}:\n{done.stdout}"]
    place = folder / "place"
    place.mkdir()
    done = run_all(place, installed, f'export PATH="{INSTALLED}/bin:$PATH"; cd examples')
    return [f"README.md after installation: ended with {done.returncode}:\n{done.stdout}"] if done.returncode else []
