"""--bootstrap when something is wrong: on the host, in what was sent, with the wheels, or on the way."""

from __future__ import annotations

import os
import py_compile
import shlex
import signal
from pathlib import Path

import pytest

from tests.links.bare import BareHost, copy_wheels, find_python
from tests.links.hosts import Host
from tests.links.test_bootstrap import use_no_index
from tests.processes import MOUNTS_ALONE, wait_until
from tests.stages import Stages

PLANTED = "import pathlib\npathlib.Path({mark!r}).touch()\n"


def send(stages: Stages, wheels: Path | None, *words: str | Path) -> tuple[int, str]:
    """Make the host ready; return the exit status and what was printed."""
    given = () if wheels is None else ("--wheels", wheels)
    done = stages.call("bootstrap", "ssh://worker-1", *given, *words)
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text, text
    return done.returncode, text


def test_what_was_changed_is_sent_anew(stages: Stages, bare: BareHost, wheels: Path, tmp_path: Path) -> None:
    """Nothing of it is executed; tests/links/test_bootstrap_files.py has each kind of change."""
    assert send(stages, wheels)[0] == 0
    before = bare.snapshot()
    mark = tmp_path / "executed"
    planted = PLANTED.format(mark=str(mark))
    version = bare.sent / "lib" / "playstream" / "_version.py"
    version.write_text(planted + version.read_text())
    (bare.sent / "lib" / "sitecustomize.py").write_text(planted)
    status, text = send(stages, wheels)
    assert (status, "is damaged there" in text, "it is sent anew" in text) == (0, True, True), text
    assert not mark.exists()
    assert bare.snapshot() == before


@pytest.mark.usefixtures("ansible")
def test_a_compiled_file_that_was_planted(
    stages: Stages, directory: Path, bare: BareHost, wheels: Path, tmp_path: Path
) -> None:
    """Python would prefer it to the source, which is unchanged; so do those that a list names that was changed too."""
    assert send(stages, wheels)[0] == 0
    before = bare.snapshot()
    mark = tmp_path / "executed"
    evil = tmp_path / "evil.py"
    evil.write_text(PLANTED.format(mark=str(mark)) + "__version__ = '0'\n")
    (compiled,) = (bare.sent / "lib" / "playstream" / "__pycache__").glob("_version.*.pyc")
    py_compile.compile(str(evil), str(compiled), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    compiled.chmod(0o600)
    (bare.sent / "compiled").write_text("[]")
    other = bare.sent / "lib" / "__pycache__" / "sitecustomize.cpython-311.pyc"
    other.write_bytes(compiled.read_bytes())
    done = stages.call("run", directory, "-p", "site.yml", "--on", "ssh://worker-1", "--bootstrap", "--wheels", wheels)
    assert (done.returncode, b"sent anew" in done.stderr) == (0, False), done.stderr
    assert not mark.exists()
    bare.wait_until_quiet()
    after = {path: value for path, value in bare.snapshot().items() if not path.startswith(".ansible")}
    assert after == before


def test_two_at_once(stages: Stages, bare: BareHost, wheels: Path) -> None:
    sending = [stages.start("bootstrap", "ssh://worker-1", "--wheels", wheels) for _ in range(2)]
    for process in sending:
        _, stderr = process.communicate(timeout=100)
        assert process.returncode == 0, stderr
    assert bare.sent.is_dir()
    status, text = send(stages, wheels)
    assert (status, "sending" in text) == (0, False)


def test_a_connection_that_is_cut(stages: Stages, bare: BareHost, host: Host, wheels: Path, tmp_path: Path) -> None:
    """The host keeps nothing, and the next attempt is a whole one."""
    real = stages.path_before[-1] / "ssh"
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / "ssh").write_text(f'#!/bin/sh\ndd bs=4096 count=40 2>&- | {shlex.quote(str(real))} "$@"\n')
    (cut / "ssh").chmod(0o755)
    stages.path_before.insert(0, cut)
    status, text = send(stages, wheels)
    assert status in {74, 75}, text
    assert "ssh://worker-1" in text
    bare.wait_until_quiet()
    assert list(bare.cache.iterdir()) == []
    stages.path_before.remove(cut)
    assert send(stages, wheels)[0] == 0


def test_what_was_left_is_removed(stages: Stages, bare: BareHost, wheels: Path) -> None:
    """By a process that was killed, and by versions that were not used for a month."""
    bare.cache.mkdir(mode=0o700, parents=True)
    for name in (".new-0123456789abcdef", ".old-0123456789abcdef", "0" * 32, "1" * 32):
        (bare.cache / name / "lib").mkdir(parents=True)
    os.utime(bare.cache / ("0" * 32), (0, 0))
    assert send(stages, wheels)[0] == 0
    names = [path.name for path in bare.cache.iterdir()]
    assert "1" * 32 in names
    assert len(names) == 2


def test_a_job_that_is_canceled_before_the_host_answers(stages: Stages, directory: Path, bare: BareHost) -> None:
    bare.set_login("echo connected >&2; exec sleep 600")
    job = stages.start(
        "run", directory, "-p", "site.yml", "-i", "x", "--on", "ssh://worker-1", "--bootstrap", "--debug"
    )
    assert job.stderr is not None
    while b"connected" not in job.stderr.readline():
        pass
    job.send_signal(signal.SIGINT)
    _, stderr = job.communicate(timeout=60)
    assert (job.returncode, b"canceled by SIGINT" in stderr) == (254, True), stderr
    assert (directory / "artifacts" / "x" / "status").read_text() == "canceled"


def test_no_python(stages: Stages, bare: BareHost) -> None:
    (bare.programs / "python3").unlink()
    bare.add_program(Path("/bin/sh"))
    bare.set_login(path=str(bare.programs))
    status, text = send(stages, None)
    assert status == 90
    assert "no Python that can run playstream was found there" in text
    assert f"Found: none. The PATH of a command over ssh is {bare.programs}" in text


def test_no_shell(stages: Stages, bare: BareHost, tmp_path: Path) -> None:
    bare.set_login(path=str(tmp_path / "nothing"))
    status, text = send(stages, None)
    assert (status, "no program can be started there" in text) == (90, True), text


def test_a_python_that_is_too_old(stages: Stages, bare: BareHost) -> None:
    (bare.programs / "python3").unlink()
    (bare.programs / "python3").write_text("#!/bin/sh\necho Python 3.9.2\nexit 1\n")
    (bare.programs / "python3").chmod(0o755)
    bare.add_program(Path("/bin/sh"))
    bare.set_login(path=str(bare.programs))
    status, text = send(stages, None)
    assert status == 90
    assert "CPython 3.11 or later with its whole standard library. Found: python3 (Python 3.9.2)" in text


def test_a_newer_python_beside_one_that_is_too_old(stages: Stages, bare: BareHost, wheels: Path) -> None:
    """Ansible's may be older than playstream's must be."""
    bare.add_program(Path(find_python()).resolve(), "python3.11")
    (bare.programs / "python3").unlink()
    (bare.programs / "python3").write_text("#!/bin/sh\necho Python 3.9.2\nexit 1\n")
    (bare.programs / "python3").chmod(0o755)
    bare.add_program(Path("/bin/sh"))
    bare.set_login(path=str(bare.programs))
    status, text = send(stages, wheels)
    assert (status, "on-path/python3.11" in text) == (0, True), text


def test_a_login_that_only_prints(stages: Stages, bare: BareHost) -> None:
    bare.set_login("echo This account is not available.; exit 1")
    status, text = send(stages, None)
    assert status == 75
    assert "This account is not available." in text


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo 'playstream-bootstrap [1]'", "has answered something else: 'playstream-bootstrap [1]'"),
        ("echo 'playstream-bootstrap {\"facts\": 1}'", "has answered something else"),
        ('echo \'playstream-bootstrap {"failed": "why"}\'', "no worker can be sent there: why"),
        ("yes | head -c 1100000", "prints more than 1048576 bytes and starts nothing"),
    ],
)
def test_a_host_that_answers_something_else(stages: Stages, bare: BareHost, does: str, said: str) -> None:
    bare.set_login(f"{does}; exit 0")
    status, text = send(stages, None)
    assert (status, said in text) == (90, True), text[-2000:]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("noexec", "no program can be loaded in"),
        ("ro", "nothing can be written in"),
        ("size=1m", "are free there. Free space there"),
        ("nr_inodes=60", "No space left on device. Free space there"),
    ],
)
def test_a_home_directory_that_cannot_be_used(
    stages: Stages, bare: BareHost, wheels: Path, options: str, said: str
) -> None:
    alone = " ".join(map(shlex.quote, MOUNTS_ALONE))
    script = shlex.quote(f'mount -t tmpfs -o {options} none {shlex.quote(str(bare.home))}; exec "$0"')
    bare.set_login(f'test -n "$ALONE" || {{ export ALONE=1; exec {alone} sh -c {script} "$0"; }}')
    status, text = send(stages, wheels)
    assert (status, said in text) == (90, True), text


def test_a_cache_of_another_user(stages: Stages, bare: BareHost, wheels: Path, tmp_path: Path) -> None:
    (bare.home / ".cache").mkdir()
    (bare.home / ".cache" / "playstream").symlink_to(tmp_path)
    status, text = send(stages, wheels)
    assert (status, "is not a directory of this user" in text) == (90, True), text


def test_no_wheel_fits(stages: Stages, bare: BareHost, wheels: Path, tmp_path: Path) -> None:
    few = copy_wheels(wheels, tmp_path / "few", "pathspec", "pexpect", "ptyprocess", "pyyaml")
    status, text = send(stages, few)
    assert status == 90
    assert f"there is no wheel of zstandard>=0.22 in {str(few)!r} that fits Python 3." in text
    assert bare.snapshot() == {}


def test_an_index_that_cannot_be_reached(
    stages: Stages, bare: BareHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    use_no_index(monkeypatch)
    status, text = send(stages, None)
    assert status == 90
    assert "pip cannot reach its index" in text
    assert "pip download --only-binary=:all: --python-version 3." in text
    assert bare.snapshot() == {}


def test_a_cache_here_that_cannot_be_written(
    stages: Stages, bare: BareHost, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    status, text = send(stages, wheels)
    assert (status, "where this side keeps what it sends, cannot be made" in text) == (90, True), text


def test_a_cache_here_that_others_can_write(
    stages: Stages, bare: BareHost, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could choose what runs on the host."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "playstream" / "wheels").mkdir(parents=True)
    (tmp_path / "playstream" / "wheels").chmod(0o777)
    status, text = send(stages, wheels)
    assert (status, "is open to others, who could change what is sent" in text) == (90, True), text


def test_the_command_is_stopped(stages: Stages, bare: BareHost) -> None:
    bare.set_login("exec sleep 600")
    sending = stages.start("bootstrap", "ssh://worker-1")
    wait_until(bare.processes)
    sending.terminate()
    _, stderr = sending.communicate(timeout=60)
    assert (sending.returncode, stderr) == (254, b"playstream bootstrap: canceled by SIGTERM\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on", "exec:sh", "--bootstrap"), "--bootstrap: a worker can only be sent over ssh://"),
        (("--on", "local:", "--bootstrap"), "pass --on LINK too, or omit it"),
        (("--bootstrap",), "--bootstrap concerns the connection to another host: pass --on LINK too"),
        (("--on", "ssh://h", "--wheels", "."), "--wheels: only used to send playstream. Pass bootstrap too"),
        (("--on", "ssh://h?command=x", "--bootstrap"), "cannot be combined with command="),
        (("--on", "ssh://h", "--bootstrap", "--wheels", "/no/such"), "--wheels: expected a directory with wheels"),
        (("--on", "ssh://h", "--bootstrap", "--wheels", "."), "contains no file *.whl"),
    ],
)
def test_what_is_refused(stages: Stages, directory: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Before anything runs."""
    (tmp_path / "empty").mkdir()
    done = stages.call("run", directory, "-p", "site.yml", *words, cwd=tmp_path / "empty")
    assert (done.returncode, said in done.stderr.decode()) == (1, True), done.stderr
    assert not (directory / "artifacts").exists()


def test_a_wrong_word_after_the_flag(stages: Stages, directory: Path) -> None:
    done = stages.call("run", directory, "-p", "site.yml", "--on", "ssh://h", "--bootstrap=all")
    assert (done.returncode, b"expected no value or ansible, got 'all'" in done.stderr) == (2, True)


def test_the_environment_of_the_host_does_not_get_in(
    stages: Stages, bare: BareHost, wheels: Path, tmp_path: Path
) -> None:
    """Python there is isolated from variables, the current directory and the user's packages."""
    mark = tmp_path / "executed"
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("json", "zlib", "sitecustomize", "usercustomize", "yaml", "playstream"):
        (evil / f"{name}.py").write_text(PLANTED.format(mark=str(mark)))
    bare.set_login(f"PYTHONPATH={evil} PYTHONSTARTUP={evil}/json.py; export PYTHONPATH PYTHONSTARTUP; cd {evil}")
    status, text = send(stages, wheels)
    assert (status, mark.exists()) == (0, False), text
    bare.wait_until_quiet()
