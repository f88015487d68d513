"""What is installed when, what is found in the cache, and what is left there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from playstream.galaxy.cache import Cache
from playstream.galaxy.provision import provide
from playstream.pipeline.errors import ConfigurationError, ExecutableNotFound, GalaxyError
from playstream.pipeline.job.galaxy import Installed
from tests.galaxy.material import build_collection, commit_role, put_program
from tests.processes import children, is_running, wait_until
from tests.stages import LIMIT_SECONDS

LOGGED = 'echo "$@" >> {log}; exec "$REAL" "$@"'
WAITING = 'echo "$@" >> {log}; test "$1" = role || read word < {gate}; exec "$REAL" "$@"'
NEWER = """"$REAL" "$@"; status=$?
if test -e {newer} -a "$1" = role; then echo "# new" >> "$6/greet/tasks/main.yml"; fi
exit $status"""
PROVIDE = """
import sys
from pathlib import Path
from playstream.galaxy.provision import provide
provide(Path(sys.argv[1]), {})
"""


def get(directory: Path, *, refresh: bool = False) -> Installed:
    found = provide(directory / "project", {}, refresh=refresh)
    assert found is not None
    return found


def names_in(cache: Path) -> set[str]:
    """What is at the top, and how many contents there are."""
    return {path.name for path in cache.iterdir()} if cache.exists() else set()


def contents(cache: Path) -> list[Path]:
    return [path for path in (cache / "content").iterdir() if path.is_dir()]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command lines with which ansible-galaxy is started."""
    log = tmp_path / "log"
    log.touch()
    place = put_program(tmp_path / "programs", LOGGED.format(log=log))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    return log


def test_a_collection_and_a_role(directory: Path, cache: Path, log: Path) -> None:
    found = get(directory)
    assert found.directory.parent == cache / "content"
    tools = found.directory / "collections" / "ansible_collections" / "mine" / "tools"
    assert json.loads((tools / "MANIFEST.json").read_text())["collection_info"]["version"] == "1.0.0"
    assert "hello" in (found.directory / "roles" / "greet" / "tasks" / "main.yml").read_text()
    assert cache.stat().st_mode & 0o777 == 0o700
    assert names_in(cache) == {"keys", "content"}
    began = log.read_text()
    assert len(began.splitlines()) == 2
    assert get(directory).directory == found.directory
    assert log.read_text() == began, "the second time it is in the cache"


def test_what_is_covered_by_the_digest(directory: Path, material: Path, log: Path) -> None:
    """Each of these gives another content, or at least a new installation."""
    first = get(directory)
    build_collection(material / "source", material, "1.0.0", "something else")
    second = get(directory)
    assert second.name != first.name, "a tarball at the same path"
    commit_role(material / "role", "goodbye")
    third = get(directory)
    assert "goodbye" in (third.directory / "roles" / "greet" / "tasks" / "main.yml").read_text()
    runs = len(log.read_text().splitlines())
    (directory / "project" / "ansible.cfg").write_text("[galaxy]\nignore_certs = true\n")
    get(directory)
    assert len(log.read_text().splitlines()) == runs + 2, "a setting of ansible-galaxy"
    (directory / "project" / "ansible.cfg").write_text("[galaxy]\nignore_certs = true\n[defaults]\nforks = 3\n")
    get(directory)
    assert len(log.read_text().splitlines()) == runs + 2, "a setting of something else"


@pytest.fixture
def light(directory: Path, material: Path) -> Path:
    """A project that requires the role only, which takes half the time."""
    text = f"- {{src: 'git+file://{material / 'role'}', version: main, name: greet}}\n"
    (directory / "project" / "requirements.yml").write_text(text)
    return directory


CHANGING = """"$REAL" "$@"; status=$?
test ! -e {once} || {{ rm {once}; git -C {role} -c user.name=x -c user.email=x commit -q --allow-empty -m more; }}
exit $status"""


def test_a_source_that_changes_meanwhile(
    light: Path, material: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tmp_path / "once"
    once.touch()
    place = put_program(tmp_path / "programs", CHANGING.format(once=once, role=material / "role"))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    with pytest.raises(GalaxyError, match="changed while it was installed"):
        get(light)
    assert not contents(cache)
    get(light)
    assert len(contents(cache)) == 1


def test_credentials_are_not_covered(light: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = light / "project" / "ansible.cfg"
    text = "[galaxy]\nserver_list = hub\n[galaxy_server.hub]\nurl = https://hub.invalid/\ntoken = {}\n"
    config.write_text(text.format("one"))
    monkeypatch.setenv("ANSIBLE_GALAXY_SERVER_HUB_TOKEN", "one")
    get(light)
    config.write_text(text.format("two"))
    monkeypatch.setenv("ANSIBLE_GALAXY_SERVER_HUB_TOKEN", "two")
    get(light)
    assert len(log.read_text().splitlines()) == 1
    assert "one" not in log.read_text()


@pytest.mark.parametrize("damage", ["removed", "changed", "added"])
def test_damage_is_noticed(light: Path, log: Path, damage: str) -> None:
    found = get(light)
    path = found.directory / "roles" / "greet" / "tasks" / "main.yml"
    if damage == "removed":
        path.unlink()
    elif damage == "changed":
        path.write_text("- debug: msg=changed\n")
    else:
        path.with_name("other.yml").write_text("[]\n")
    again = get(light)
    assert "hello" in (again.directory / "roles" / "greet" / "tasks" / "main.yml").read_text()
    assert not (again.directory / "roles" / "greet" / "tasks" / "other.yml").exists()
    assert len(log.read_text().splitlines()) == 2


def test_what_python_compiles_is_no_damage(light: Path, log: Path) -> None:
    found = get(light)
    (found.directory / "roles" / "greet" / "__pycache__").mkdir()
    (found.directory / "roles" / "greet" / "__pycache__" / "x.pyc").touch()
    get(light)
    assert len(log.read_text().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "[", '{"content": "../../x"}', '{"content": 1}', "[" * 100_000])
def test_a_damaged_key(light: Path, cache: Path, log: Path, text: str) -> None:
    found = get(light)
    (key,) = (cache / "keys").glob("*.json")
    key.write_text(text)
    assert get(light).name == found.name
    assert len(log.read_text().splitlines()) == 2


def test_refresh_installs_again_and_keeps_what_is_in_use(
    directory: Path, material: Path, cache: Path, log: Path
) -> None:
    """The content of a server is not covered by the digest; here the program itself has something newer."""
    put_program(log.parent / "programs", NEWER.format(newer=log.parent / "newer"))
    first = get(directory)
    (log.parent / "newer").touch()
    assert get(directory).name == first.name
    second = get(directory, refresh=True)
    assert second.name != first.name
    assert first.directory.exists(), "somebody uses it"
    assert get(directory).name == second.name
    place = first.directory
    del first
    get(directory, refresh=True)
    assert not place.exists(), "nobody uses it any more"
    assert contents(cache) == [second.directory]


def test_two_at_once_install_once(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    place = put_program(tmp_path / "programs", WAITING.format(log=log, gate=gate))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    words = [sys.executable, "-c", PROVIDE, str(directory / "project")]
    first = subprocess.Popen(words)
    wait_until(log.exists)
    second = subprocess.Popen(words)
    wait_until(lambda: has_open(second.pid, ".lock"))
    gate.write_text("go\n")
    assert (first.wait(LIMIT_SECONDS), second.wait(LIMIT_SECONDS)) == (0, 0)
    assert len(log.read_text().splitlines()) == 2


def has_open(pid: int, ending: str) -> bool:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(entry))
        except OSError:
            pass  # it was closed meanwhile
    return any(target.endswith(ending) for target in found)


def test_what_a_killed_installation_leaves_is_removed(
    directory: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    place = put_program(tmp_path / "programs", WAITING.format(log=log, gate=gate))
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    first = subprocess.Popen([sys.executable, "-c", PROVIDE, str(directory / "project")])
    wait_until(log.exists)
    (program,) = children(first.pid)
    first.kill()
    first.wait()
    os.kill(program, signal.SIGKILL)
    assert any(name.startswith("installing-") for name in names_in(cache))
    put_program(tmp_path / "programs", LOGGED.format(log=log))
    get(directory)
    assert names_in(cache) == {"keys", "content"}


def test_a_requirement_that_does_not_exist(
    directory: Path, material: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (material / "mine-tools.tar.gz").unlink()
    with pytest.raises(GalaxyError) as caught:
        get(directory)
    assert "cannot install the collections of" in str(caught.value)
    assert "project/requirements.yml" in str(caught.value)
    assert "mine-tools.tar.gz" in str(caught.value), "the last message of ansible-galaxy"
    assert any("mine-tools.tar.gz" in record.message for record in caplog.records)
    assert names_in(cache) == {"keys", "content"}
    assert list((cache / "keys").glob("*.json")) == contents(cache) == []


def test_passwords_in_urls_are_not_shown(
    directory: Path, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of ansible-galaxy names the URL. Nobody listens there."""
    requirements = directory / "project" / "requirements.yml"
    requirements.write_text('roles:\n  - {src: "git+http://me:sesame@127.0.0.1:9/role.git", name: greet}\n')
    caplog.set_level("DEBUG", "playstream")
    with pytest.raises(GalaxyError) as caught:
        get(directory)
    shown = str(caught.value) + caplog.text
    assert "127.0.0.1:9" in shown
    assert "sesame" not in shown
    assert "sesame" not in "".join(map(str, cache.rglob("*")))


def test_without_ansible_galaxy(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("playstream.worker.command.find_python", lambda: str(tmp_path / "python"))
    with pytest.raises(ExecutableNotFound) as caught:
        get(directory)
    assert "ansible-galaxy was not found on this host's PATH" in str(caught.value)


def test_no_requirements(directory: Path) -> None:
    (directory / "project" / "requirements.yml").unlink()
    with pytest.raises(ConfigurationError) as caught:
        provide(directory / "project", {})
    for name in ("requirements.yml", "collections/requirements.yml", "roles/requirements.yml"):
        assert name in str(caught.value)


@pytest.mark.parametrize("text", ["", "---\n", "collections: []\n", "{}\n"])
def test_requirements_that_name_nothing(directory: Path, text: str) -> None:
    (directory / "project" / "requirements.yml").write_text(text)
    assert provide(directory / "project", {}) is None


def test_a_cache_that_others_could_change(tmp_path: Path) -> None:
    root = tmp_path / "open"
    root.mkdir()
    root.chmod(0o755)
    with pytest.raises(ConfigurationError, match="open to others"):
        Cache(root)


def test_a_cache_whose_path_ansible_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="colon"):
        Cache(tmp_path / "a:b")


def test_nobody_can_be_asked(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no terminal, so that git and ssh fail instead of waiting in the background."""
    log = tmp_path / "log"
    place = put_program(tmp_path / "programs", f'ps -o tty= -p $$ > {log}; cat >> {log}; exec "$REAL" "$@"')
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    get(directory)
    assert log.read_text().split() == ["?"]


def test_a_canceled_installation_ends_its_processes(
    directory: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even those that ignore the first signals."""
    log = tmp_path / "log"
    place = put_program(tmp_path / "programs", f"trap '' INT TERM; sleep 1000 & echo $! $$ > {log}; wait; wait")
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    process = subprocess.Popen(
        [sys.executable, "-c", PROVIDE, str(directory / "project")], stderr=subprocess.PIPE, process_group=0
    )
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    pids = list(map(int, log.read_text().split()))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert b"KeyboardInterrupt" in stderr
    wait_until(lambda: not any(map(is_running, pids)))
    assert names_in(cache) == {"keys", "content"}
