"""docs/listening.md: its commands work as they are written, with other places for the files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.matrix.debian import ROOT
from tests.processes import wait_until
from tests.stages import LIMIT_SECONDS, Stages

TEXT = (ROOT / "docs" / "listening.md").read_text(encoding="utf-8")
BLOCKS = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"(?:^    .*\n)+", TEXT, re.MULTILINE)]


def commands(*starts: str) -> list[str]:
    """The commands of the page that begin so, each with its continued lines."""
    joined = "".join(BLOCKS).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith(starts)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the demo, for the commands."""
    made = tmp_path / "place"
    made.mkdir()
    shutil.copytree(ROOT / "examples" / "demo", made / "demo", ignore=lambda *_: {"artifacts"})
    return made


def shell(script: str, stages: Stages, place: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-euc", script],
        env={**stages.env, "HOME": str(place)},
        cwd=place,
        check=check,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


def serve(command: str, stages: Stages, place: Path) -> subprocess.Popen[bytes]:
    """Start a listener of the page."""
    log = place / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(["sh", "-euc", f"exec {command}"], env=stages.env, cwd=place, stderr=stderr)
    wait_until(lambda: b" listening " in log.read_bytes() or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return process


def test_a_unix_socket(stages: Stages, place: Path) -> None:
    listen, run = commands("playstream worker", "playstream run")[:2]

    def here(command: str) -> str:
        return command.replace("/run/playstream", str(place)).replace("--allow-user deploy", "--allow-user daemon")

    process = serve(here(listen), stages, place)
    done = shell(here(run), stages, place)
    assert "PLAY RECAP" in done.stdout
    process.terminate()
    assert process.wait(60) == 0
    lines = [line.split(" ", 1)[1] for line in (place / "log").read_text().splitlines()]
    shown = [
        line.split(" ", 1)[1] for line in "".join(BLOCKS).splitlines() if re.match(r"2026-\S+ (started|ended)", line)
    ]
    assert [names(line) for line in shown] == [names(line) for line in lines if line.startswith(("started", "ended"))]


def names(line: str) -> list[str]:
    """The event and the names of its values."""
    return [line.split(maxsplit=1)[0], *re.findall(r"(\w+)=", line)]


def test_tls(stages: Stages, place: Path) -> None:
    """The CA of the page, for this host."""

    def here(command: str) -> str:
        return command.replace("worker1.example.com", "localhost").replace(":7433", f":{port}").replace("tls/", "")

    port = 0
    (authority,) = (block for block in BLOCKS if block.startswith("openssl req"))
    shell(here(authority), stages, place)
    check_strictly(place)
    (again,) = commands("  openssl req")
    (place / "ca.pem").unlink()
    shell(again, stages, place)
    check_strictly(place)
    listen = next(line for line in commands("playstream worker") if "tls://" in line)
    process = serve(here(listen), stages, place)
    found = re.search(r"tls://0\.0\.0\.0:(\d+)", (place / "log").read_text())
    assert found is not None
    port = int(found[1])
    export, run = commands("export PLAYSTREAM_TLS")[0], commands("playstream run")[1]
    done = shell(f"{here(export)}\n{here(run)}", stages, place)
    assert "PLAY RECAP" in done.stdout
    process.terminate()
    assert process.wait(60) == 0


def check_strictly(place: Path) -> None:
    """Check the certificates as Python 3.13 does by default."""
    for name in ("localhost", "laptop"):
        words = ["openssl", "verify", "-x509_strict", "-CAfile", str(place / "ca.pem"), str(place / f"{name}.pem")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_units(stages: Stages, place: Path) -> None:
    service, unit = (line for line in commands("playstream worker") if "--print-unit" in line)
    assert "ExecStart=" in shell(service, stages, place).stdout
    assert "ListenStream=" in shell(unit, stages, place).stdout


def test_every_event_is_in_the_table() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src/playstream/worker/listen").glob("*.py"))
    source += (ROOT / "src/playstream/cli/listen.py").read_text()
    written = set(re.findall(r"[\"']([a-z-]+)[\"'](?: if \w+ else [\"']([a-z-]+)[\"'])?", "".join(calls(source))))
    events = {name for pair in written for name in pair if name}
    table = TEXT[TEXT.index("| Event | Meaning |") :]
    assert len(events) > 8
    assert {f"`{event}`" for event in events} <= set(re.findall(r"`[a-z-]+`", table))


def calls(source: str) -> list[str]:
    """The first argument of each call that logs an event."""
    return re.findall(r"log\.write\(\s*(\"[^,\n]+?)\s*(?:,|\))", source)


def test_the_help_says_what_a_client_can_do(stages: Stages) -> None:
    text = " ".join(stages.call("worker", "--help").stdout.decode().split())
    assert "Whoever may connect can run any command as this user" in text
