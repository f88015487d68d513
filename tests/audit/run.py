"""Looks up known vulnerabilities of what playstream's extras install, with pip-audit.

    python tests/audit/run.py

What the virtual environment was made with (pip, setuptools) is not the package's and is left out. Where the
vulnerability data cannot be reached, that is said in one line, and the exit status is 0; it is 1 for any known
vulnerability, and for a pip-audit that does not work.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LIMIT_SECONDS = 120
"""For all look-ups together."""
REPLY_SECONDS = 5
"""For one."""
# What pip-audit ends with when it could not speak to the service; any other ending without a result is a fault.
_UNREACHABLE = ("Could not connect", "Connection", "blocking this service", "timed out", "Name or service", "resolve")


class Broken(Exception):
    """pip-audit does not work; the message is what it said."""


class Unreachable(Exception):
    """The vulnerability data cannot be reached; the message says why."""


def installed_by_extras(name: str = "playstream") -> dict[str, str]:
    """The versions of the packages that are installed because `name` or one of its extras needs them."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    extras = distribution(name).metadata.get_all("Provides-Extra") or []
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        try:
            needed = distribution(package)
        except PackageNotFoundError:
            continue  # an extra that this environment was made without
        if package != name:
            found[package] = needed.version
        waiting += _needs(needed, extra)
    return found


def _needs(package: Distribution, extra: str) -> list[tuple[str, str]]:
    """What a package needs with one of its extras, or with '' by itself, each with an extra that is asked for."""
    needs: list[tuple[str, str]] = []
    for requirement in map(Requirement, package.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            name = canonicalize_name(requirement.name)
            needs += [(name, wanted) for wanted in ("", *requirement.extras)]
    return needs


def look_up(packages: dict[str, str]) -> list[dict[str, Any]]:
    """pip-audit's report: for each package its `vulns`, or a `skip_reason`.

    Raises:
        Unreachable: nothing came back.
        Broken: pip-audit failed otherwise.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in sorted(packages.items()))
        file.flush()
        words = [
            sys.executable,
            "-m",
            "pip_audit",
            "--requirement",
            file.name,
            "--no-deps",
            "--disable-pip",
            "--format",
            "json",
            "--timeout",
            str(REPLY_SECONDS),
            "--progress-spinner",
            "off",
        ]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Unreachable(f"no answer within {LIMIT_SECONDS} seconds") from None
    try:
        report: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = done.stderr.strip()
        if any(word in said for word in _UNREACHABLE):
            raise Unreachable(said.splitlines()[-1]) from None
        raise Broken(said or f"pip-audit ended with {done.returncode} and said nothing") from None
    if done.returncode not in (0, 1):
        raise Broken(done.stderr.strip())
    return report


def main() -> int:
    """Print what is known; the exit status."""
    packages = installed_by_extras()
    try:
        report = look_up(packages)
    except Unreachable as error:
        print(f"pip-audit: none of {len(packages)} packages could be looked up: {error}")
        return 0
    except Broken as error:
        print(f"pip-audit: {error}", file=sys.stderr)
        return 1
    unknown = [package["name"] for package in report if "skip_reason" in package]
    if len(unknown) == len(report):
        print(f"pip-audit: none of {len(packages)} packages could be looked up: no vulnerability data is reachable")
        return 0
    vulnerable = [package for package in report if package.get("vulns")]
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {fixed}", file=sys.stderr)
    left_out = f"; not looked up: {', '.join(unknown)}" if unknown else ""
    print(f"pip-audit: {len(report) - len(unknown)} packages, {len(vulnerable)} with known vulnerabilities{left_out}")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
