"""Runs ansible-runner's own integration tests on ansible-runner and on playstream.compat, and compares.

    python -m tests.peer [PYTEST_ARGUMENT …]

The tests are taken from PyPI each time. What ansible-runner itself does not pass on this machine (container images that
would have to be downloaded, hosts on the internet) is not runnable here. Of the rest playstream has to pass everything
but the tests that docs/compat.md lists, and has to fail those, so that the list is exact.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

from tests.ansible_runner_env import CURRENT, ROOT, environment

CACHE = ROOT / ".cache" / "peer"
PAGE = ROOT / "docs" / "compat.md"
HEADING = "## ansible-runner's own tests"
TOOLS = ("pytest>=8", "pytest-mock", "pytest-timeout", "cryptography", "packaging")
INI = "[pytest]\nmarkers =\n    test_all_runtimes: one test for each container runtime\n"
SIDES = ("theirs", "ours")
Outcomes = dict[str, tuple[str, str]]


def main(arguments: list[str]) -> int:
    """Run both sides and print what differs; the exit status is 1 when the list is not exact."""
    # Both sides run the Ansible that is installed here.
    core = f"ansible-core=={importlib.metadata.version('ansible-core')}"
    python = environment(CACHE / "env", f"ansible-runner=={CURRENT}", core, *TOOLS, "--editable", str(ROOT))
    with tempfile.TemporaryDirectory(prefix="peer-") as directory:
        place = Path(directory)
        tests = _download(python, place)
        running = [(side, _start(side, python, place / side, tests, arguments)) for side in SIDES]
        for side, process in running:
            print(f"{side}: pytest's exit status is {process.wait()}", flush=True)
        theirs, ours = (_read(place / side / "outcomes.json") for side in SIDES)
    return _compare(theirs, ours, expected(), whole=not arguments)


def expected() -> set[str]:
    """The tests that docs/compat.md says are not passed, as in pytest's names, without parameters."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition(HEADING)[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def _download(python: Path, place: Path) -> Path:
    words = ["pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(place)]
    done = subprocess.run(
        [python, "-m", *words, f"ansible-runner=={CURRENT}"], capture_output=True, text=True, check=False
    )
    archive = next(place.glob("*.tar.gz"), None)
    if archive is None:
        raise SystemExit(
            f"pip cannot download ansible-runner {CURRENT}; is the package index reachable?\n{done.stderr}"
        )
    with tarfile.open(archive) as tar:
        tar.extractall(place / "sdist", filter="data")
    (tests,) = (place / "sdist").glob("*/test")
    return tests


def _start(side: str, python: Path, place: Path, tests: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start the tests of one side, in a copy of their own."""
    shutil.copytree(tests, place / "test")
    (place / "pytest.ini").write_text(INI)
    (place / "bin").mkdir()
    if side == "ours":
        command = place / "bin" / "ansible-runner"
        command.write_text(f'#!/bin/sh\nexec {python} -m playstream.compat -m ansible_runner "$@"\n')
        command.chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{place}/bin:{python.parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parent),
        "PEER_SIDE": side,
        "PEER_OUTCOMES": str(place / "outcomes.json"),
    }
    env.pop("RUNNER_TEST_IMAGE_NAME", None)
    words = [
        "-m",
        "pytest",
        "-p",
        "outcomes",
        "-q",
        "--tb=line",
        "--timeout=300",
        "-p",
        "no:cacheprovider",
        f"--basetemp={place / 'tmp'}",
        *(arguments or ["test/integration"]),
    ]
    with (place / "log").open("wb") as log:
        return subprocess.Popen([python, *words], cwd=place, env=env, stdout=log, stderr=log)


def _read(path: Path) -> Outcomes:
    if not path.exists():
        log = path.with_name("log").read_text(errors="replace")
        raise SystemExit(f"the tests did not run to their end:\n{log[-2000:]}")
    outcomes: Outcomes = {name: tuple(told) for name, told in json.loads(path.read_text()).items()}
    return outcomes


def _compare(theirs: Outcomes, ours: Outcomes, listed: set[str], *, whole: bool) -> int:
    passed = {name for name, (outcome, _) in theirs.items() if outcome == "passed"}
    failed = {name for name in passed if ours.get(name, ("missing", ""))[0] != "passed"}
    for name in sorted(theirs.keys() - passed):
        print(f"not runnable here: {name}: {theirs[name][1]}")
    for name in sorted(failed):
        outcome, why = ours.get(name, ("missing", ""))
        print(f"{'as listed' if _plain(name) in listed else 'DIFFERS'}: {name}: {outcome} {why}")
    runnable, differing = ({_plain(name) for name in names} for names in (passed, failed))
    stale = sorted(listed & runnable - differing) if whole else []
    for name in stale:
        print(f"LISTED AND PASSED: {name}; take it out of {PAGE.name}")
    for side, outcomes in (("ansible-runner", theirs), ("playstream", ours)):
        counts = Counter(outcomes[name][0] if name in outcomes else "missing" for name in passed)
        print(f"{side}: {counts['passed']} passed of {len(passed)}")
    print(f"not runnable here: {len(theirs) - len(passed)}")
    return 1 if stale or any(_plain(name) not in listed for name in failed) else 0


def _plain(name: str) -> str:
    """A test's name without its directory and parameters."""
    return name.partition("[")[0].removeprefix("test/integration/")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
