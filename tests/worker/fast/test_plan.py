"""What `--fast` chooses, by what the survey found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.worker.fast.answers import Answer, Login
from playstream.worker.fast.plan import CORES, Circumstances, Plan, make_plan, nothing
from playstream.worker.fast.survey import Setting, Survey
from tests.worker.fast.surveys import FAST, SETTINGS, survey, with_setting

AROUND = Circumstances(control_dir="/tmp/ps/run/cp", run_dir="/tmp/ps/run")
SHARED = {"ANSIBLE_SSH_CONTROL_PATH_DIR", "ANSIBLE_SSH_ARGS"}
MITOGEN = {"ANSIBLE_STRATEGY", "ANSIBLE_STRATEGY_PLUGINS", "PLAYSTREAM_MITOGEN"}
PIPELINING = {"ANSIBLE_PIPELINING", "PLAYSTREAM_PIPELINING"}
FORKS = {"ANSIBLE_FORKS"}
ASKING = PIPELINING | {"PLAYSTREAM_SUDO"}
ALL = SHARED | FORKS | PIPELINING | MITOGEN


def plan(found: Survey, **around: Any) -> Plan:
    return make_plan(found, Circumstances(**{"control_dir": AROUND.control_dir, "run_dir": AROUND.run_dir, **around}))


def test_everything_is_chosen_if_nothing_is_in_the_way() -> None:
    made = plan(FAST)
    assert made.env == {
        "ANSIBLE_SSH_CONTROL_PATH_DIR": "/tmp/ps/run/cp",
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=30m",
        "ANSIBLE_FORKS": "12",
        "ANSIBLE_PIPELINING": "1",
        "PLAYSTREAM_PIPELINING": "1",
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": "/home/user/.ansible/plugins/strategy:/usr/share/ansible/plugins/strategy:"
        "/venv/ansible_mitogen/plugins/strategy",
        "PLAYSTREAM_MITOGEN": "/tmp/ps/run",
    }
    assert made.summary == "fast: mitogen_linear, pipelining, 12 forks, shared ssh connections"
    assert made.lines == (
        "shared ssh connections: open within the run, and closed with it",
        "forks: 12, for 12 hosts and 2 processors",
        "pipelining: modules are passed through standard input",
        "mitogen: mitogen_linear of mitogen 0.3.54, with ansible-core 2.19.14",
    )


def test_the_free_strategy_stays_free() -> None:
    for name in ("free", "ansible.builtin.free"):
        assert plan(with_setting("strategy", name)).env["ANSIBLE_STRATEGY"] == "mitogen_free"
    assert plan(with_setting("strategy", "ansible.builtin.linear")).env["ANSIBLE_STRATEGY"] == "mitogen_linear"


WITHOUT_MITOGEN: dict[str, tuple[Survey, str]] = {
    "not installed": (survey(mitogen=None), "pip install 'playstream[fast]'"),
    "too old": (survey(mitogen="0.3.53"), "its version 0.3.53 is older than 0.3.54"),
    "no version": (survey(mitogen="unknown"), "its version unknown is older than"),
    "an older core": (survey(core="2.14.18"), "it is tested with ansible-core 2.15 to 2.22, and this is 2.14.18"),
    "a newer core": (survey(core="2.23.0"), "it is tested with ansible-core 2.15 to 2.22, and this is 2.23.0"),
    "no core": (survey(core="?"), "and this is ?"),
    "another strategy": (with_setting("strategy", "host_pinned", "env: ANSIBLE_STRATEGY"), "set by ANSIBLE_STRATEGY"),
    "a user's mitogen": (with_setting("strategy", "mitogen_linear"), "set by /etc/ansible/ansible.cfg"),
    "strategies of plays": (
        survey(default_plays=0, strategies_chosen={"free": "site.yml:1"}),
        "every play chooses its strategy, such as free (site.yml:1)",
    ),
    "winrm": (survey(connections={"ssh": "a", "winrm": "host win1"}), "the connection winrm (host win1)"),
    "a network device": (survey(connections={"network_cli": "host sw1"}), "the connection network_cli (host sw1)"),
    "containers": (survey(connections={"community.docker.docker": "host c1"}), "community.docker.docker (host c1)"),
    "pfexec": (survey(become_methods={"pfexec": "host sun1"}), "the become method pfexec (host sun1)"),
    "flags of sudo": (survey(become_methods={"sudo": "a"}, become_flags={"-i": "site.yml:3"}), "become_flags is -i"),
    "flags in a file": (with_setting("become_flags", "-H"), "become_flags is set by /etc/ansible/ansible.cfg"),
    "powershell": (survey(shells={"powershell": "host win1"}), "the shell powershell (host win1)"),
    "fish": (survey(shells={"fish": "host f1"}), "the shell fish (host f1)"),
    "an unchecked key": (survey(host_keys={"unchecked": "host h1"}), "ansible_host_key_checking: false says the same"),
    "an unknown key": (survey(host_keys={"unknown": "host h1"}), "host h1: its key is not known here"),
    "an unclear key": (survey(host_keys={"unclear": "host h1"}), "host h1: how ssh would check its key is not clear"),
    "raw": (survey(actions={"raw": "site.yml:4"}), "raw (site.yml:4) may run on a host without Python"),
    "script": (survey(actions={"script": "site.yml:4"}), "script (site.yml:4) may run on a host without Python"),
    "reboot": (survey(actions={"reboot": "site.yml:4"}), "reboot (site.yml:4) is not tested with it"),
    "a time limit": (survey(timeouts={"3": "site.yml:4"}), "a task that reaches its timeout (site.yml:4) leaves its"),
    "respawn": (survey(actions={"respawn:apt": "site.yml:4"}), "apt (site.yml:4) may start itself again"),
}


@pytest.mark.parametrize("case", WITHOUT_MITOGEN)
def test_without_mitogen_the_rest_is_chosen(case: str) -> None:
    found, reason = WITHOUT_MITOGEN[case]
    made = plan(found)
    assert not made.env.keys() & MITOGEN
    assert made.env.keys() >= FORKS
    assert reason in made.summary
    assert made.summary.startswith("fast: ")
    assert [line for line in made.lines if line.startswith("mitogen: no change, ")]


def test_a_password_that_ssh_asks_for_is_not_for_mitogen() -> None:
    made = plan(FAST, answers_ssh=True)
    assert made.env.keys() == ALL - MITOGEN
    assert "may answer a question of ssh" in made.summary


NEITHER = {
    "a vault": survey(unknown={"what a vault contains whose password is asked for": "the command line"}),
    "trouble": survey(trouble="AnsibleError: no such file"),
    "kept files": with_setting("keep_remote_files", True, "env: ANSIBLE_KEEP_REMOTE_FILES"),
}


@pytest.mark.parametrize("case", NEITHER)
def test_what_is_not_known_leaves_modules_as_they_are(case: str) -> None:
    made = plan(NEITHER[case])
    assert made.env.keys() == SHARED | FORKS
    assert "no mitogen: " in made.summary
    assert "no pipelining: " in made.summary


def test_sudo_may_require_a_terminal_which_mitogen_has() -> None:
    made = plan(survey(become_methods={"sudo": "site.yml:1"}))
    assert made.env.keys() == ALL - PIPELINING
    assert not made.asks
    assert made.summary == "fast: mitogen_linear, 12 forks, shared ssh connections"
    assert "sudo (site.yml:1) may require a terminal (requiretty), and mitogen" in made.lines[2]


def test_without_mitogen_hosts_are_asked_about_sudo() -> None:
    made = plan(survey(become_methods={"sudo": "site.yml:1", "su": "site.yml:2"}, mitogen=None))
    assert made.env.keys() == SHARED | FORKS | ASKING
    assert made.env["PLAYSTREAM_SUDO"] == AROUND.run_dir
    assert made.asks
    assert (
        made.summary
        == "fast: pipelining where sudo needs no terminal, 12 forks, shared ssh connections"
        + (made.summary[made.summary.index("; no mitogen: ") :])
    )
    assert "with sudo (site.yml:1) only where it works without a terminal" in made.lines[2]


def test_what_is_known_of_hosts_is_said() -> None:
    logins = tuple((f"h{number}", Login(f"192.0.2.{number}")) for number in range(3))
    found = survey(become_methods={"sudo": "site.yml:1"}, mitogen=None, logins=logins)
    known = {logins[0][1]: Answer.WORKS, logins[1][1]: Answer.TERMINAL, Login("198.51.100.1"): Answer.TERMINAL}
    made = plan(found, sudo=known)
    assert made.env.keys() == SHARED | FORKS | ASKING
    assert made.logins == logins
    exception = "not on h1, where it requires a terminal (requiretty)"
    assert made.summary.startswith(f"fast: pipelining where sudo needs no terminal ({exception}), 12 forks, ")
    assert made.lines[2].endswith(f"; known of 2 of 3 hosts, and each other one is asked once; {exception}")
    made = plan(found, sudo={**known, logins[2][1]: Answer.WORKS})
    assert made.lines[2].endswith(f"; known of all 3 hosts; {exception}")


def test_a_play_with_another_strategy_needs_pipelining() -> None:
    made = plan(survey(become_methods={"sudo": "site.yml:1"}, strategies_chosen={"host_pinned": "site.yml:9"}))
    assert made.env.keys() == ALL | ASKING
    assert made.asks


def test_sudo_beside_another_method_is_not_asked_about() -> None:
    made = plan(survey(become_methods={"sudo": "site.yml:1", "doas": "site.yml:2"}, mitogen=None))
    assert made.env.keys() == SHARED | FORKS
    assert not made.asks


@pytest.mark.parametrize("method", ["doas", "community.general.doas", "pbrun"])
def test_other_become_methods_are_not_pipelined(method: str) -> None:
    made = plan(survey(become_methods={method: "site.yml:1"}))
    assert "ANSIBLE_PIPELINING" not in made.env


def test_su_is_never_pipelined_by_ansible_itself() -> None:
    assert plan(survey(become_methods={"su": "site.yml:1"})).env.keys() == ALL


OWN = {
    "forks": FORKS,
    "pipelining": PIPELINING,
    "ssh_args": SHARED,
    "control_path": SHARED,
    "control_path_dir": SHARED,
    "keep_remote_files": set(),
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("origin", ["env: ANSIBLE_X", "/etc/ansible/ansible.cfg", "the command line"])
def test_a_setting_of_the_user_is_kept(name: str, origin: str) -> None:
    made = plan(with_setting(name, SETTINGS[name].value, origin))
    assert made.env.keys() == ALL - OWN[name]
    if OWN[name]:
        assert any(origin.removeprefix("env: ") in line for line in made.lines)


def test_the_directory_of_a_job_with_a_key_is_playstreams_own() -> None:
    found = with_setting("control_path_dir", "/tmp/ps/run/cp", "env: ANSIBLE_SSH_CONTROL_PATH_DIR")
    assert plan(found, own_control_dir=True).env.keys() == ALL
    assert plan(found).env.keys() == ALL - SHARED


def test_a_socket_with_a_long_path_is_not_made() -> None:
    made = plan(FAST, control_dir="/" + "d" * 90)
    assert made.env.keys() == ALL - SHARED
    assert "set TMPDIR to a shorter directory" in made.lines[0]
    assert plan(FAST, control_dir="/" + "d" * 78).env.keys() == ALL


@pytest.mark.parametrize(
    ("hosts", "processors", "memory", "resident", "forks"),
    [
        (1, 8, 8 << 30, 60 << 20, None),
        (5, 8, 8 << 30, 60 << 20, None),
        (6, 1, 8 << 30, 60 << 20, "6"),
        (100, 1, 8 << 30, 60 << 20, "8"),
        (100, 4, 8 << 30, 60 << 20, "32"),
        (1000, 64, 1 << 40, 60 << 20, "512"),
        (100, 4, 1 << 30, 60 << 20, "8"),
        (100, 4, 256 << 20, 60 << 20, None),
        (100, 4, 0, 60 << 20, None),
        (100, 4, None, None, "32"),
        (None, 4, 8 << 30, 60 << 20, None),
    ],
)
def test_forks_fit_hosts_processors_and_memory(
    hosts: int | None, processors: int, memory: int | None, resident: int | None, forks: str | None
) -> None:
    made = plan(survey(hosts=hosts, processors=processors, memory=memory, resident=resident))
    assert made.env.get("ANSIBLE_FORKS") == forks


def test_a_job_on_this_host_needs_no_connections() -> None:
    made = plan(survey(connections={"local": "host localhost"}, hosts=1))
    assert made.env.keys() == MITOGEN
    assert made.lines[0] == "shared ssh connections: no change, no host is reached by ssh"


def test_what_runs_no_tasks_is_not_changed() -> None:
    made = plan(survey(idle=True))
    assert made.env == {}
    assert made.summary == "fast: nothing is changed; no faster settings: this command line runs no tasks"


def test_nothing_says_why() -> None:
    assert nothing("of this").lines == ("faster settings: no change, of this",)


def test_a_play_with_a_strategy_keeps_it() -> None:
    made = plan(survey(strategies_chosen={"free": "site.yml:9"}))
    assert made.env["ANSIBLE_STRATEGY"] == "mitogen_linear"
    assert made.lines[-1].endswith("; the strategy free is kept (site.yml:9)")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20)
FOUND = st.dictionaries(
    TEXTS | st.sampled_from(["ssh", "local", "winrm", "sudo", "su", "raw", "sh"]), TEXTS, max_size=3
)
VALUES = st.none() | st.booleans() | st.integers(0, 1000) | TEXTS | st.lists(TEXTS, max_size=3).map(tuple)
SURVEYS = st.builds(
    Survey,
    core=st.sampled_from(["2.14.1", "2.15.0", "2.19.14", "2.22.0rc1", "2.23.0", "x"]),
    mitogen=st.sampled_from([None, "0.3.53", "0.3.54", "0.4.0", "y"]),
    strategies=st.sampled_from([None, "/venv/plugins"]),
    processors=st.integers(1, 256),
    memory=st.none() | st.integers(0, 1 << 40),
    resident=st.none() | st.integers(0, 1 << 32),
    idle=st.booleans(),
    hosts=st.none() | st.integers(0, 5000),
    trouble=st.none() | TEXTS,
    default_plays=st.integers(0, 3),
    settings=st.fixed_dictionaries(
        {name: st.builds(Setting, st.just(item.value) | VALUES, st.none() | TEXTS) for name, item in SETTINGS.items()}
    ),
    connections=FOUND,
    become_methods=FOUND,
    become_flags=FOUND,
    shells=FOUND,
    actions=FOUND,
    timeouts=FOUND,
    strategies_chosen=FOUND,
    host_keys=FOUND,
    logins=st.lists(st.tuples(TEXTS, st.builds(Login, st.sampled_from(["h1", "h2"]))), max_size=3).map(tuple),
    unknown=FOUND,
)


@given(SURVEYS, st.booleans(), st.dictionaries(st.just(Login("h1")), st.sampled_from(Answer)))
def test_no_survey_leads_to_more_than_is_safe(found: Survey, answers_ssh: bool, sudo: dict[Login, Answer]) -> None:
    made = plan(found, answers_ssh=answers_ssh, sudo=sudo)
    env = made.env
    assert env.keys() <= ALL | ASKING
    assert made.asks == (env.keys() >= ASKING)
    assert made.asks <= (not found.become_methods.keys().isdisjoint({"sudo", "ansible.builtin.sudo"}))
    if env.keys() & ASKING == PIPELINING:
        assert found.become_methods.keys() <= {"su", "ansible.builtin.su"}
    assert all(value and "\0" not in value for value in env.values())
    assert "\n" not in made.summary
    assert not any("\n" in line for line in made.lines)
    assert not (found.idle and env)
    for names, settings in ((FORKS, ["forks"]), (PIPELINING, ["pipelining"]), (SHARED, ["ssh_args", "control_path"])):
        if any(found.setting(name).origin is not None for name in settings):
            assert not env.keys() & names
    if env.keys() >= FORKS:
        assert found.hosts is not None
        assert 5 < int(env["ANSIBLE_FORKS"]) <= found.hosts
    if env.keys() & (MITOGEN | PIPELINING):
        assert not found.unknown
        assert found.trouble is None
    if env.keys() & MITOGEN:
        assert env.keys() >= MITOGEN
        assert found.core.startswith(tuple(f"2.{minor}." for minor in range(CORES[0][1], CORES[1][1] + 1)))
        assert found.mitogen in {"0.3.54", "0.4.0"}
        assert found.connections.keys() <= {"ssh", "local", "smart"}
        assert not found.actions
        assert not found.host_keys
        assert not answers_ssh
        assert found.default_plays
