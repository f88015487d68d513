"""Each program by the command that its documents name."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.examples.conftest import EXAMPLES

PASSWORD = "open-sesame"  # noqa: S105 - of an example
LIMIT_SECONDS = 100.0
COMMANDS = {
    "event_handler.py": "python examples/event_handler.py",
    "async_polling.py": "python examples/async_polling.py",
    "adhoc_report.py": "python examples/adhoc_report.py uname -sm",
    "extra_variables.py": "python examples/extra_variables.py",
    "extra_variables.py, rollback": (
        "python examples/extra_variables.py --version 2.4.9 --environment staging --rollback"
    ),
    "passwords.py": f"echo {PASSWORD} | python examples/passwords.py",
    "passwords.py, wrong": "echo wrong | python examples/passwords.py",
}

Ended = Mapping[str, tuple[int, str]]


@pytest.fixture(scope="module")
def ended(checkout: Path, env: dict[str, str]) -> Ended:
    """Exit status and output of every command; they run at once to save time."""
    started = {
        name: subprocess.Popen(
            ["sh", "-c", command],
            cwd=checkout,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for name, command in COMMANDS.items()
    }
    outputs = {name: process.communicate(timeout=LIMIT_SECONDS)[0] for name, process in started.items()}
    return {name: (process.returncode, outputs[name]) for name, process in started.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_is_the_documented_one(name: str) -> None:
    if "wrong" not in name:
        text = ast.get_docstring(ast.parse((EXAMPLES / name.partition(",")[0]).read_text()))
        assert text is not None
        assert COMMANDS[name] in re.sub(" +", " ", text)


def test_every_program_is_listed_and_tested() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert programs == {name.partition(",")[0] for name in COMMANDS}
    assert all(f"python examples/{name}" in listed for name in programs)


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES.rglob("*.py")])
def test_nothing_private_is_used(name: str) -> None:
    text = next(EXAMPLES.rglob(name)).read_text()
    assert not re.search(r"^\s*(from|import) playstream\.", text, re.M)
    assert not re.search(r"playstream\._|\brunner\._|\bresult\._", text)


def test_event_handler(ended: Ended) -> None:
    status, output = ended["event_handler.py"]
    assert status == 0, output
    assert output.startswith("[PLAY] Show what playstream does\n[TASK] Gathering Facts\n")
    assert "[TASK] Write files into it\n  [CHANGED] " in output
    assert "  [OK] alpha\n" in output
    end = "successful: 0\nalpha: 5 tasks were fine\nbeta: 5 tasks were fine\n"
    assert output.endswith(f"[STATS] Playbook complete\n{end}")


def test_async_polling(ended: Ended) -> None:
    status, output = ended["async_polling.py"]
    assert status == 0, output
    assert re.search(r" s: running\n", output)
    assert output.endswith("final status: successful\nreturn code: 0\nresults with a change: 6\n")


def test_adhoc_report(ended: Ended) -> None:
    status, output = ended["adhoc_report.py"]
    assert status == 0, output
    assert re.fullmatch(r"alpha  Linux (\S+)\nbeta   Linux \1\n", output)


def test_extra_variables(ended: Ended) -> None:
    said = "web1: deployed 2.5.0 in production\nweb2: deployed 2.5.0 in production\n"
    status, output = ended["extra_variables.py"]
    assert (status, _sorted(output)) == (0, _sorted(f"{said}successful: 0\n"))
    status, output = ended["extra_variables.py, rollback"]
    assert status == 0, output
    assert "web1: rolled back to 2.4.9 in staging\n" in output


def _sorted(text: str) -> list[str]:
    """Hosts come in any order."""
    return sorted(text.splitlines())


def test_passwords(ended: Ended) -> None:
    assert ended["passwords.py"] == (0, "web1: CHG-1234: the token has 16 characters\nsuccessful: 0\n")
    status, output = ended["passwords.py, wrong"]
    assert status != 0
    assert "failed: " in output
    assert "Decryption failed" in output
    assert PASSWORD not in output


def test_they_leave_nothing_but_artifacts(ended: Ended, checkout: Path) -> None:
    assert ended
    known = {path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*")}
    left = {path.relative_to(checkout / "examples") for path in (checkout / "examples").rglob("*")}
    assert {path for path in left - known if "artifacts" not in path.parts} == set()
    assert all((checkout / "examples" / name / "artifacts").is_dir() for name in ("demo", "deploy", "vault"))
