"""Any job at all, as no encoder would send it: the worker refuses it, or makes it ready, and nothing else happens.

`make fuzz` runs these too; see fuzz.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.errors import ConfigurationError, PlaystreamError, RemoteProtocolError
from playstream.pipeline.job.ident import is_text
from playstream.pipeline.job.inputs import read_env_files
from playstream.pipeline.job.job import add_env_files, check_job
from playstream.pipeline.protocol import FileData, Job, Record, Status, StatusName, codec
from playstream.pipeline.protocol.order import Direction
from playstream.pipeline.runner_dialect.kwargs import read_kwargs
from playstream.worker.environment import fact_cache_dir
from playstream.worker.launch import prepare
from playstream.worker.prompts import list_replies
from playstream.worker.spool import Spool
from tests.pipeline.protocol.wire import RawStream, record_bytes
from tests.stress.hostile.place import Place, call_worker, open_place
from tests.stress.hostile.streams import NOW, directory, file, native_tree
from tests.stress.hostile.test_any_input import DEEP, HOSTILE_TEXTS, VALUES, mutated, with_values

LEVELS = st.integers(1, 1200)
"""Of JSON: from what everybody reads to what nobody does."""
TEXTS = (
    HOSTILE_TEXTS
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "\udc80",
            "-",
            "--",
            "~",
            "~nobody-of-this-name/x",
            "$HOME",
            "a,b",
            "ns.collection.name",
            "x.yml",
            ".",
            "project",
            "project/site.yml",
            "{{ x }}",
            "\n",
            "/bin/true",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nx",
            "-----BEGIN PRIVATE KEY-----\udc80",
        ]
    )
)
NESTED = st.builds(
    lambda kind, depth: kind[0] * depth + "1" + kind[1] * depth, st.sampled_from([("[", "]"), ('{"a":', "}")]), LEVELS
)
SETTINGS = st.dictionaries(
    st.sampled_from(
        [
            "fact_cache",
            "fact_cache_type",
            "job_timeout",
            "idle_timeout",
            "pexpect_timeout",
            "suppress_output_file",
            "directory_isolation_cleanup",
            "process_isolation_executable",
            "process_isolation_path",
            "process_isolation_hide_paths",
            "process_isolation_show_paths",
            "process_isolation_ro_paths",
            "container_image",
            "container_volume_mounts",
            "container_options",
            "container_workdir",
            "host_cwd",
            "container_auth_data",
            "x",
        ]
    ),
    VALUES | TEXTS | st.lists(TEXTS, max_size=2) | st.sampled_from(["podman", "bwrap", "docker"]),
    max_size=4,
)
PATHS = st.sampled_from(
    [
        "/etc",
        "x",
        "..",
        "~",
        "~nobody-of-this-name",
        "$HOME",
        "$NOTHING/x",
        "x" * 300,
        "\udc80",
        "/",
        "",
        "ü",
        "a:b",
        "-v",
    ]
)
ISOLATED = st.fixed_dictionaries(
    {
        "process_isolation": st.just(True),
        "process_isolation_executable": st.sampled_from(["podman", "bwrap", "bwrap", "/nowhere/bwrap", "~/bwrap"]),
        "container_image": st.just("image"),
    },
    optional={
        "container_volume_mounts": st.lists(PATHS.map("{}:/x".format) | PATHS.map("/etc:/{}:ro".format), max_size=2),
        "container_auth_data": st.fixed_dictionaries({"host": st.just("h"), "username": TEXTS, "password": TEXTS}),
        "container_options": st.lists(PATHS, max_size=1),
        "process_isolation_hide_paths": PATHS,
        "process_isolation_ro_paths": PATHS | st.lists(PATHS, max_size=2),
        "process_isolation_path": PATHS,
        "host_cwd": PATHS,
    },
)
COPIED = st.fixed_dictionaries({"directory_isolation_base_path": TEXTS | st.just("copies")})
NAMED = st.dictionaries(
    TEXTS
    | st.sampled_from(
        [
            "PATH",
            "HOME",
            "ANSIBLE_HOME",
            "ANSIBLE_CONFIG",
            "ANSIBLE_CALLBACK_PLUGINS",
            "ANSIBLE_ROLES_PATH",
            "ANSIBLE_CACHE_PLUGIN",
            "LD_LIBRARY_PATH",
            "PLAYSTREAM_SPOOL",
            "TMPDIR",
        ]
    ),
    st.sampled_from(
        [
            "",
            "/",
            "x",
            ":",
            "a:b",
            "\0",
            "\udc80",
            "\ud800",
            "x" * 300,
            "\n",
            "ü",
            "$HOME",
            "~nobody-of-this-name",
            "~/x",
        ]
    ),
    max_size=3,
)
PASSWORDS = st.dictionaries(
    TEXTS
    | st.sampled_from(
        [
            "ssh",
            "become",
            "vault",
            "vault:x",
            "ssh_key",
            "^x",
            "(",
            "[a-z]+",
            "ü+",
            "\\u0041",
            "(?u)x",
            "x{99999999999999999999}",
            "(" * 3000 + ")" * 3000,
            "(?P<ü>x)",
        ]
    ),
    TEXTS,
    max_size=3,
)
_BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXTS,
    "float": st.floats(0, 9) | st.floats(-1e18, 1e18),
    "int": st.integers(0, 9) | st.integers(),
    "bool": st.booleans(),
    "Mapping[str, Any]": st.dictionaries(TEXTS, VALUES, max_size=2),
    "tuple[str, ...]": st.lists(TEXTS, max_size=3),
    "tuple[Mapping[str, Any], ...]": st.lists(st.dictionaries(TEXTS, VALUES, max_size=2), max_size=2),
}
_BY_NAME = {"settings": SETTINGS | ISOLATED | COPIED, "envvars": NAMED, "passwords": PASSWORDS}
WHATS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"module": "ping"},
        {"playbook": "site.yml"},
        {"plays": [{"hosts": "all"}]},
        {"role": "x"},
        {"command": ["true"]},
        {},
    ]
)
BINARIES = st.sampled_from(["/bin/true", "true", "no-such-program", "/bin", "/etc/passwd", "\0", ""])


def _jobs(changes: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda ident, what, changed: {"ident": ident, **what, **changed}, st.just("run") | TEXTS, WHATS, changes
    )


def _some_fields(*, of_their_type: bool) -> st.SearchStrategy[dict[str, Any]]:
    by_name = {
        item.name: _BY_NAME[item.name] if item.name in _BY_NAME else _BY_TYPE[str(item.type).removesuffix(" | None")]
        for item in fields(Job)
    }
    return st.sets(st.sampled_from(sorted(by_name)), max_size=4).flatmap(
        lambda names: st.fixed_dictionaries(
            {name: by_name[name] if of_their_type else by_name[name] | VALUES for name in sorted(names)}
        )
    )


JOB_VALUES = _jobs(_some_fields(of_their_type=False))
LIKELY_JOBS = _jobs(
    st.builds(
        lambda changes, settings: {**changes, "tree": True, "settings": settings},
        _some_fields(of_their_type=True),
        SETTINGS | ISOLATED | COPIED,
    )
)
"""Those that are more often accepted, so that more is done with them."""
JOB_TEXTS = JOB_VALUES.map(lambda values: json.dumps(values).encode()) | st.builds(
    lambda name, nested: f'{{"ident": "run", "module": "ping", "{name}": {nested}}}'.encode(),
    st.sampled_from(["extravars", "role_vars", "settings", "plays"]),
    NESTED,
)
"""The payload of a Job record: NaN, halves of characters and values of any kind, which no encoder lets through."""
PAYLOADS = (
    JOB_TEXTS
    | JOB_TEXTS.flatmap(mutated)
    | DEEP
    | st.binary(max_size=40)
    | with_values(["ident", "x"]).map(lambda values: json.dumps(values).encode())
)


def read_job(payload: bytes) -> Job | None:
    """The job as the worker takes it; None when it is refused."""
    try:
        job = codec.decode(codec.Kind.JOB, 0, payload)
    except RemoteProtocolError as error:
        assert "\x1b" not in str(error)
        return None
    assert isinstance(job, Job)
    try:
        return check_job(job)
    except ConfigurationError:
        return None


def check_promises(job: Job) -> None:
    """What the rest of the worker relies on."""
    assert "/" not in job.ident
    assert job.ident not in {"", ".", ".."}
    assert len(os.fsencode(job.ident)) <= 200
    assert len([what for what in (job.playbook or job.plays, job.module, job.role) if what]) == 1 or job.command
    assert job.forks is None or job.forks >= 1
    assert 0 <= job.verbosity <= 7
    for item in fields(job):
        value = getattr(job, item.name)
        for text in [value] if isinstance(value, str) else value if isinstance(value, tuple) else ():
            assert not isinstance(text, str) or is_text(text)
    for name, value in job.envvars.items():
        assert name
        assert "=" not in name
        assert is_text(name + value)
    # What is written into a file or typed has to have an encoding.
    for text in (*job.inventory_contents, job.ssh_key or "", *job.passwords, *job.passwords.values()):
        text.encode()
    for data in (job.extravars, job.role_vars, list(job.plays), job.settings):
        json.dumps(data, allow_nan=False)
    assert not (job.settings.get("fact_cache") or "x").startswith("/")
    assert ".." not in (job.settings.get("fact_cache") or "x").split("/")


@given(PAYLOADS)
def test_any_native_job(payload: bytes) -> None:
    job = read_job(payload)
    if job is not None:
        check_promises(job)


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """The directory that relative paths of a job's settings start from."""
    usual = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(usual)


def make_ready(job: Job, place: Place) -> None:
    """All that the worker does before it starts something; OSError is what the stage explains as a JobError."""
    spool = Spool()
    try:
        project = spool.private_data_dir / "project"
        project.mkdir()
        (project / "site.yml").write_text("[]\n")
        list_replies(job.passwords)
        try:
            launch = prepare(job, spool)
        except (PlaystreamError, OSError):
            return
        command = launch.command
        assert command.argv
        assert all(map(is_text, command.argv))
        assert all(name and "=" not in name and is_text(name + value) for name, value in command.env.items())
        assert launch.paths.artifact_dir.parent == spool.private_data_dir / "artifacts"
        assert fact_cache_dir(job, launch.paths).is_relative_to(launch.paths.artifact_dir)
        codec.encode(
            Status(StatusName.STARTING, NOW, command=command.shown_argv, env=command.shown_env, cwd=str(command.cwd))
        )
        for directory in launch.remove:
            assert directory.is_relative_to(place.target)
    finally:
        spool.remove()


def is_harmless(job: Job) -> bool:
    """Whether no more than a place's own project would be copied, and to nowhere else."""
    base = job.settings.get("directory_isolation_base_path")
    return not base or (job.project_dir == "project" and not base.startswith(("/", "~")) and ".." not in base)


@given(JOB_TEXTS | LIKELY_JOBS.map(lambda values: json.dumps(values).encode()))
def test_any_job_made_ready(payload: bytes) -> None:
    job = read_job(payload)
    if job is None or not is_harmless(job):
        return
    with open_place() as place, working_in(place.target):
        make_ready(job, place)


@given(JOB_TEXTS, BINARIES, st.booleans())
def test_any_job_served(payload: bytes, binary: str, own_directory: bool) -> None:
    """The whole stage. What it starts is /bin/true: a job may name any program."""
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return
    values = {**values, "binary": binary, "command": [binary] if values.get("command") else [], "tree": False}
    job = read_job(json.dumps(values).encode())
    if job is not None and (job.settings.get("process_isolation") or job.ssh_key or not is_harmless(job)):
        return
    stream = RawStream().content(record_bytes(codec.Kind.JOB, json.dumps(values).encode())).end(records=1)
    with open_place() as place, working_in(place.target):
        answer = call_worker(place, stream.data, own_directory=own_directory)
        assert answer.error is not None or job is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"inventory_contents": ("\udc80",)},
        {"ssh_key": "-----BEGIN PRIVATE KEY-----\udc80"},
        {"passwords": {"ssh": "\udc80"}},
        {"passwords": {"\udc80": "x"}},
        {"settings": {"fact_cache_type": "\0"}},
        {"settings": {"process_isolation_ro_paths": ["\ud800"]}},
        {"settings": {"process_isolation_ro_paths": "\ud800"}},
        {"settings": {"container_auth_data": {"host": "h", "username": "u", "password": "\udc80"}}},
        {"passwords": {"\\u0041": "x"}},
        {"passwords": {"(?u)x": "x"}},
        {"passwords": {"x{99999999999999999999}": "x"}},
        {"passwords": {"(" * 3000 + ")" * 3000: "x"}},
        {"passwords": {"(?P<ü>x)": "x"}},
        {"extravars": {"a": json.loads("[" * 300 + "]" * 300)}},
        {"plays": ({"a": json.loads("[" * 300 + "]" * 300)},)},
        {"role_vars": {"a": json.loads("[" * 300 + "]" * 300)}},
        {"settings": {"a": json.loads("[" * 300 + "]" * 300)}},
    ],
)
def test_what_cannot_be_written_typed_or_nested(changes: dict[str, Any]) -> None:
    job = Job("run", module=None if "plays" in changes else "ping")
    with pytest.raises(ConfigurationError) as caught:
        check_job(replace(job, **changes))
    assert next(iter(changes)) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("passwords", '"ssh": "\\udc80"\n'),
        ("ssh_key", None),
        ("settings", '"fact_cache_type": "\\0"\n'),
        ("envvars", '"A": "\\ud800"\n'),
    ],
)
def test_files_of_the_workers_own_directory_are_checked_too(tmp_path: Path, name: str, text: str | None) -> None:
    """They are added to a job that came without a tree; an escape of YAML's says what no file of text holds."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / name).write_text(text or "no key")
    with pytest.raises(ConfigurationError, match=name):
        check_job(add_env_files(Job("run", module="ping"), read_env_files(tmp_path)))


def test_an_ansible_cfg_with_a_nul_in_it() -> None:
    """What it adds to is a variable, which can have none; the setting's file is named."""
    config = b"[defaults]\ncallback_plugins=a\0b"
    tree: list[Record] = [directory(b"project"), file(b"project/ansible.cfg", len(config)), FileData(config)]
    with open_place() as place:
        answer = call_worker(place, native_tree(tree, Direction.JOB), own_directory=False)
        assert answer.error is ConfigurationError
        assert "ansible.cfg: expected no NUL" in answer.message


@pytest.mark.parametrize("name", ["HOME", "ANSIBLE_CONFIG"])
def test_a_home_of_nobody(name: str) -> None:
    with open_place() as place, working_in(place.target):
        make_ready(check_job(Job("run", module="ping", envvars={name: "~nobody-of-this-name/x"})), place)


@pytest.mark.parametrize("config", [b"[defaults]\ncallback_plugins = ~nobody-of-this-name/x\n", b"\0" * (2 << 20)])
def test_an_ansible_cfg_that_is_read_as_none(config: bytes) -> None:
    pieces = [FileData(config[start : start + (1 << 20)]) for start in range(0, len(config), 1 << 20)]
    tree: list[Record] = [directory(b"project"), file(b"project/ansible.cfg", len(config)), *pieces]
    with open_place() as place:
        answer = call_worker(place, native_tree(tree, Direction.JOB), own_directory=False)
        assert answer.error is None, answer.message


@pytest.mark.parametrize(
    "kwargs",
    [
        {"role": "x", "roles_path": ["~nobody-of-this-name/x"]},
        {"extravars": "/dev/zero"},
        {"extravars": "/nowhere/x"},
        {"passwords": {"x{99999999999999999999}": "x"}},
    ],
)
def test_keyword_arguments_that_cannot_be_looked_up(tmp_path: Path, kwargs: dict[str, Any]) -> None:
    given_ = {"module": "ping", **kwargs} if "role" not in kwargs else kwargs
    with pytest.raises(ConfigurationError):
        read_kwargs(given_, tmp_path)
