"""ansible-runner, and an old Ansible, as people have them: from PyPI, each in a virtual environment of its own."""

from __future__ import annotations

import fcntl
import importlib.metadata
import subprocess
import sys
import venv
from pathlib import Path

CURRENT = "2.4.3"
"""The version whose behaviour is compared with ours."""

ROOT = Path(__file__).resolve().parents[1]
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"  # a checkout may serve two systems
CACHE = ROOT / ".cache" / "ansible-runner" / _PYTHON

_OLD_CORE = "ansible-core==2.15.*"
_PKG_RESOURCES = "setuptools<81"  # the last that has pkg_resources, which these import

_REQUIREMENTS = {
    "2.0.4": (_OLD_CORE, _PKG_RESOURCES),
    "2.1.4": (_OLD_CORE, _PKG_RESOURCES),
    "2.2.2": (_OLD_CORE, _PKG_RESOURCES),
    "2.3.6": ("ansible-core==2.17.*", _PKG_RESOURCES),
}
"""What an old version is installed with: an ansible-core that it works with, on Python 3.11. Others get the
ansible-core of the running environment, so that both sides of a comparison run the same Ansible."""


class Unprepared(Exception):
    """An environment could not be made; the message says why."""


def ansible_runner_python(version: str = CURRENT) -> Path:
    """The Python that has ansible-runner, with the executables `ansible-runner` and `ansible-playbook` beside it.

    Args:
        version: of ansible-runner, as on PyPI.

    Raises:
        Unprepared: it cannot be made.
    """
    requirements = _REQUIREMENTS.get(version, (f"ansible-core=={_own_ansible_core()}",))
    return environment(CACHE / version, f"ansible-runner=={version}", *requirements)


def old_core_python() -> Path:
    """The Python that has an ansible-core older than those that are supported, with its programs beside it.

    Raises:
        Unprepared: it cannot be made.
    """
    return environment(ROOT / ".cache" / f"old-core-{_PYTHON}", "ansible-core==2.13.*")


def environment(folder: Path, *wanted: str) -> Path:
    """The Python of a virtual environment that is made when it is first asked for and kept.

    Processes that ask at the same time wait for one.

    Args:
        folder: where it is.
        wanted: what pip installs.

    Raises:
        Unprepared: it cannot be made.
    """
    python, mark = folder / "bin" / "python", folder / "installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The mark comes last: an environment without it is one whose making was broken off.
        if not mark.exists() or mark.read_text().split() != list(wanted):
            _install(folder, python, list(wanted))
            mark.write_text("\n".join(wanted) + "\n")
    return python


def _own_ansible_core() -> str:
    try:
        return importlib.metadata.version("ansible-core")
    except importlib.metadata.PackageNotFoundError:
        raise Unprepared("ansible-core is not installed beside playstream: pip install 'playstream[ansible]'") from None


def _install(folder: Path, python: Path, wanted: list[str]) -> None:
    print(f"installing {' and '.join(wanted)}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    done = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise Unprepared(f"pip cannot install {' and '.join(wanted)}; is the package index reachable?\n{last}")
