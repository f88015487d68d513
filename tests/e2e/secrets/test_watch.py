"""The watch sees what it is to see: else its silence would mean nothing."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.secrets.markers import make_markers
from tests.e2e.secrets.rules import Places, not_allowed
from tests.e2e.secrets.watch import Watch
from tests.processes import wait_until


def test_a_secret_in_each_kind_of_place(tmp_path: Path) -> None:
    markers = make_markers(["one", "two", "three", "four", "five", "six"])
    private = tmp_path / "private"
    private.mkdir()
    spool = Path(tempfile.mkdtemp(prefix="playstream-", dir=private))
    spool.chmod(0o755)
    deleted = tmp_path / "deleted"
    shared = Path("/dev/shm") / markers["one"]
    with (
        Watch(markers, [tmp_path], private) as watch,
        subprocess.Popen(
            ["sh", "-c", 'exec 3<>"$0"; rm "$0"; echo "$2" >&3; read -r end', deleted, markers["one"], markers["two"]],
            stdin=subprocess.PIPE,
            env={**os.environ, "X": markers["three"]},
        ) as process,
    ):
        (tmp_path / "file").write_text(markers["four"])
        (tmp_path / "encoded").write_bytes(base64.b64encode(f"name:{markers['five']}!".encode()))
        shared.write_text(markers["six"])
        wanted = {
            ("one", "argv"),
            ("two", "deleted"),
            ("three", "environ"),
            ("four", "file"),
            ("five", "file"),
            ("six", "file"),
        }
        try:
            wait_until(lambda: wanted <= {(finding.secret, finding.kind) for finding in watch.findings})
            wait_until(lambda: watch.open_to_others)
        finally:
            shared.unlink()
            process.communicate(b"end\n")
    assert watch.spools == {spool.name}
    assert watch.open_to_others == {f"{spool} 755"}
    refused = not_allowed(watch.findings, Places(tmp_path / "demo", private, tmp_path))
    assert wanted <= {(finding.secret, finding.kind) for finding in refused}
