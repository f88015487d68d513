"""Deciding what makes a job faster, from the survey alone: a pure function without IO.

What is chosen is safe for everything that the survey found. What it cannot know before the run counts as unsafe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from playstream.worker.fast.answers import Answers, Login, exceptions
from playstream.worker.fast.survey import Found, Setting, Survey, parse_version

OLDEST_MITOGEN = (0, 3, 54)
CORES = ((2, 15), (2, 22))
"""The oldest and the newest ansible-core that is tested with mitogen."""
DEFAULT_FORKS = 5
"""Ansible's own number of forks, below which it is never set."""
_FORKS_PER_PROCESSOR = 8
"""A fork mostly waits for its host."""
_PERSIST = "30m"
"""How long a shared connection stays without use. It is closed with the run; this is for a guard that was killed."""
_MAX_SOCKET = 107
_SOCKET_NAME = "/1234567890.1234567890123456"
"""What Ansible and ssh append to the directory: a slash, ten letters, and 17 characters while a socket is created."""
_SSH = frozenset({"ssh", "smart"})
_CONNECTIONS = _SSH | {"local"}
_BECOME_METHODS = frozenset(
    {"sudo", "su", "doas", "ansible.builtin.sudo", "ansible.builtin.su", "community.general.doas"}
)
_SUDO = frozenset({"sudo", "ansible.builtin.sudo"})
_SU = frozenset({"su", "ansible.builtin.su"})
_SHELLS = frozenset({"sh"})
_LINEAR = frozenset({"linear", "ansible.builtin.linear"})
_FREE = frozenset({"free", "ansible.builtin.free"})
_RESPAWN = "respawn:"
_KEYS = {
    "unchecked": "ssh does not check its key, which mitogen always does; ansible_host_key_checking: false says the "
    "same to both",
    "unknown": "its key is not known here, so ssh would ask",
    "unclear": "how ssh would check its key is not clear",
}
_PERSISTS = re.compile(r"(ControlPersist=)\w+")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the worker knows and the survey does not."""

    control_dir: str
    """The directory for the sockets of shared connections, where the job runs."""
    own_control_dir: bool = False
    """Whether playstream has set that directory already, because the job has a key of its own."""
    run_dir: str = "/"
    """The directory of the run, where the job runs."""
    sudo: Answers = field(default_factory=dict)
    """What hosts have answered about sudo in earlier runs."""
    answers_ssh: bool = False
    """Whether passwords of the job may answer questions of ssh itself, which mitogen does not pass on."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided about one thing."""

    name: str
    text: str
    """What is used, or why nothing is changed, as the rest of a line that begins with the name."""
    used: str = ""
    """What is used, for a line with all choices; empty if nothing is changed."""
    matters: bool = False
    """Whether the reason for not using it belongs into that line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to change for one run."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Variables to add to the environment of Ansible."""
    choices: tuple[Choice, ...] = ()
    """From the safest to the fastest."""
    asks: bool = False
    """Whether hosts are asked about sudo in the run."""
    logins: tuple[tuple[str, Login], ...] = ()
    """The names of these hosts in the inventory, and how ssh is given them."""

    @property
    def summary(self) -> str:
        """One line: what is used, and why the fastest way is not."""
        used = ", ".join(choice.used for choice in reversed(self.choices) if choice.used)
        reasons = []
        for choice in reversed(self.choices):
            if choice.used and choice.matters:
                break
            if choice.matters:
                reasons.append(f"no {choice.name}: {choice.text}")
        return "; ".join([f"fast: {used or 'nothing is changed'}", *reasons])

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each choice."""
        return tuple(f"{choice.name}: {'' if choice.used else 'no change, '}{choice.text}" for choice in self.choices)


def nothing(why: str) -> Plan:
    """Return the plan that changes nothing, for a job that cannot be looked at."""
    return Plan({}, (Choice("faster settings", why, matters=True),))


def make_plan(survey: Survey, around: Circumstances) -> Plan:
    """Decide what to change.

    Args:
        survey: what the job is about to do.
        around: what else is known.
    """
    if survey.idle:
        return nothing("this command line runs no tasks")
    env: dict[str, str] = {}
    choices = [_share_connections(survey, around, env), _set_forks(survey, env)]
    strategy = _set_strategy(survey, around, env)
    choices += [_set_pipelining(survey, around, env), strategy]
    return Plan(env, tuple(choices), asks="PLAYSTREAM_SUDO" in env, logins=survey.logins)


def _share_connections(survey: Survey, around: Circumstances, env: dict[str, str]) -> Choice:
    name = "shared ssh connections"
    if survey.connections and not _SSH & survey.connections.keys():
        return Choice(name, "no host is reached by ssh")
    for setting in ("ssh_args", "control_path", "control_path_dir"):
        origin = survey.setting(setting).origin
        if origin is not None and not (setting == "control_path_dir" and around.own_control_dir):
            return Choice(name, f"{setting} is set by {_by(origin)}")
    if len(f"{around.control_dir}{_SOCKET_NAME}".encode("utf-8", "surrogateescape")) > _MAX_SOCKET:
        return Choice(
            name, f"the path {around.control_dir!r} is too long for a socket; set TMPDIR to a shorter directory"
        )
    arguments = survey.setting("ssh_args").value
    if not isinstance(arguments, str) or _PERSISTS.search(arguments) is None:
        return Choice(name, "this version of Ansible shares none by default")
    env["ANSIBLE_SSH_CONTROL_PATH_DIR"] = around.control_dir
    env["ANSIBLE_SSH_ARGS"] = _PERSISTS.sub(rf"\g<1>{_PERSIST}", arguments)
    return Choice(name, "open within the run, and closed with it", name)


def _set_forks(survey: Survey, env: dict[str, str]) -> Choice:
    given = survey.setting("forks")
    if given.origin is not None:
        return Choice("forks", f"set to {given.value} by {_by(given.origin)}")
    if survey.hosts is None:
        return Choice("forks", "the number of hosts is not known")
    wanted = _FORKS_PER_PROCESSOR * survey.processors
    why = f"{survey.hosts} hosts and {survey.processors} processors"
    if survey.memory is not None and survey.resident:
        # A fork shares memory with its parent, and in the worst case comes to need as much of its own. The other half
        # is for what the tasks start here.
        fits = survey.memory // 2 // survey.resident
        if fits < wanted:
            wanted, why = fits, f"{why}, and {survey.memory >> 20} MiB of free memory"
    number = min(wanted, survey.hosts)
    if number <= DEFAULT_FORKS:
        return Choice("forks", f"Ansible's own {DEFAULT_FORKS} are enough for {why}")
    env["ANSIBLE_FORKS"] = str(number)
    return Choice("forks", f"{number}, for {why}", f"{number} forks")


def _set_pipelining(survey: Survey, around: Circumstances, env: dict[str, str]) -> Choice:
    given = survey.setting("pipelining")
    sudo = next((where for method, where in survey.become_methods.items() if method in _SUDO), None)
    why = _against_pipelining(survey)
    if given.origin is not None:
        state = "on" if given.value is True or str(given.value).lower() in ("true", "yes", "1") else "off"
        return Choice("pipelining", f"set to {state} by {_by(given.origin)}", matters=True)
    if why is None and sudo is not None and "ANSIBLE_STRATEGY" in env and not survey.strategies_chosen:
        why = f"sudo ({sudo}) may require a terminal (requiretty), and mitogen does not need pipelining"
    if why is not None:
        return Choice("pipelining", why, matters=True)
    env["ANSIBLE_PIPELINING"] = "1"
    env["PLAYSTREAM_PIPELINING"] = "1"  # for the callback plugin
    text = "modules are passed through standard input"
    if sudo is None:
        return Choice("pipelining", text, "pipelining", matters=True)
    env["PLAYSTREAM_SUDO"] = around.run_dir  # for the callback plugin
    known = [(name, around.sudo.get(login)) for name, login in survey.logins]
    number = sum(answer is not None for _, answer in known)
    text = f"{text}, with sudo ({sudo}) only where it works without a terminal; "
    if not number:
        text += "each host is asked once"
    elif number < len(known):
        text += f"known of {number} of {len(known)} hosts, and each other one is asked once"
    else:
        text += f"known of {'the host' if number == 1 else f'all {number} hosts'}"
    exception = "; ".join(f"not on {each}" for each in exceptions(known))
    used = f"pipelining where sudo needs no terminal{f' ({exception})' if exception else ''}"
    return Choice("pipelining", f"{text}; {exception}" if exception else text, used, matters=True)


def _against_pipelining(survey: Survey) -> str | None:
    """Return why modules are not to be passed through standard input; None if they can be."""
    if survey.trouble is not None:
        return f"the job cannot be read: {survey.trouble}"
    if not _SSH & survey.connections.keys():
        return "no host is reached by ssh"
    if (why := _kept_files(survey)) is not None:
        return why
    return _first(
        survey.become_methods,
        "the become method {value} ({where}) may require a terminal",
        without=_SUDO | _SU,  # Ansible does not use pipelining with su
    ) or _first(survey.unknown, "{value} is only known while the job runs ({where})")


def _set_strategy(survey: Survey, around: Circumstances, env: dict[str, str]) -> Choice:
    why = _against_installation(survey) or _against_strategy(survey) or _against_hosts(survey) or _against_tasks(survey)
    if why is None and around.answers_ssh:
        why = "a password of the job may answer a question of ssh, which mitogen does not pass on"
    if why is not None:
        return Choice("mitogen", why, matters=True)
    name = "mitogen_free" if survey.setting("strategy").value in _FREE else "mitogen_linear"
    places = survey.setting("strategy_plugins").value
    own = places if isinstance(places, tuple) else ()
    env["ANSIBLE_STRATEGY"] = name
    env["PLAYSTREAM_MITOGEN"] = around.run_dir  # for the callback plugin
    env["ANSIBLE_STRATEGY_PLUGINS"] = ":".join([*own, str(survey.strategies)])
    chosen = _first(survey.strategies_chosen, "; the strategy {value} is kept ({where})") or ""
    text = f"{name} of mitogen {survey.mitogen}, with ansible-core {survey.core}{chosen}"
    return Choice("mitogen", text, name, matters=True)


def _against_installation(survey: Survey) -> str | None:
    if survey.mitogen is None or survey.strategies is None:
        return "it is not installed for the Python of Ansible; pip install 'playstream[fast]' there installs it"
    version, core = parse_version(survey.mitogen), parse_version(survey.core)
    if version is None or version < OLDEST_MITOGEN:
        return f"its version {survey.mitogen} is older than {'.'.join(map(str, OLDEST_MITOGEN))}"
    if core is None or not CORES[0] <= core[:2] <= CORES[1]:
        oldest, newest = (".".join(map(str, each)) for each in CORES)
        return f"it is tested with ansible-core {oldest} to {newest}, and this is {survey.core}"
    return None


def _against_strategy(survey: Survey) -> str | None:
    if survey.trouble is not None:
        return f"the job cannot be read: {survey.trouble}"
    strategy = survey.setting("strategy")
    if strategy.value not in _LINEAR | _FREE:
        return f"the strategy {strategy.value} is set by {_by(strategy.origin)}"
    if not survey.default_plays:
        return _first(survey.strategies_chosen, "every play chooses its strategy, such as {value} ({where})") or (
            "there is no play"
        )
    return _kept_files(survey)


def _against_hosts(survey: Survey) -> str | None:
    become_flags = survey.setting("become_flags")
    if become_flags.origin is not None:
        return f"become_flags is set by {_by(become_flags.origin)}"
    return (
        _first(survey.connections, "it does not have the connection {value} ({where})", without=_CONNECTIONS)
        or _first(
            survey.become_methods, "it does not have the become method {value} ({where})", without=_BECOME_METHODS
        )
        or _first(survey.become_flags, "become_flags is {value} ({where})")
        or _first(survey.shells, "it does not have the shell {value} ({where})", without=_SHELLS)
        or next((f"{where}: {_KEYS.get(problem, problem)}" for problem, where in survey.host_keys.items()), None)
    )


def _against_tasks(survey: Survey) -> str | None:
    for action, where in survey.actions.items():
        if action.startswith(_RESPAWN):
            name = action.removeprefix(_RESPAWN)
            return f"{name} ({where}) may start itself again with another Python, which mitogen cannot do"
        if action in {"raw", "script"}:
            return f"{action} ({where}) may run on a host without Python"
        return f"{action} ({where}) is not tested with it"
    return _first(
        survey.timeouts, "a task that reaches its timeout ({where}) leaves its module at work, which it then waits for"
    ) or _first(survey.unknown, "{value} is only known while the job runs ({where})")


def _kept_files(survey: Survey) -> str | None:
    kept: Setting = survey.setting("keep_remote_files")
    return f"keep_remote_files is set by {_by(kept.origin)}" if kept.value is True else None


def _first(found: Found, text: str, without: frozenset[str] = frozenset()) -> str | None:
    """Return the text for the first value that is not among `without`; None if there is none."""
    return next((text.format(value=value, where=where) for value, where in found.items() if value not in without), None)


def _by(origin: str | None) -> str:
    """Return who has made a setting, for a message."""
    if origin is None:
        return "Ansible"
    return origin.removeprefix("env: ") if origin.startswith("env: ") else origin
