"""The first hour of a new user, from `git clone` to a run over ssh: what is typed, and where."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.first_hour.terminal import Shown, Terminal
from tests.matrix.debian import ROOT
from tests.release.readme import a_host

SCREENS = Path(__file__).with_name("screens")
HELLO = """\
cat > hello.yml <<'END'
- hosts: all
  gather_facts: false
  tasks:
    - name: Greet
      debug:
        msg: Hello from {{ inventory_hostname }}
    - name: Break
      fail:
        msg: no {{ word }} here
      when: word is defined
END"""
PROGRAM = """\
python - <<'END'
import playstream
r = playstream.run(private_data_dir="demo", playbook="hello.yml", quiet=True)
print(r.status, r.rc, r.results)
END"""
FIRST_RUN = (
    "git clone --quiet $ADDRESS playstream && cd playstream",
    "make demo",
    ".venv/bin/playstream run examples/demo -p site.yml",
)
"""The commands to the first own run."""
SCENES: dict[str, tuple[str, ...]] = {
    "first-run": FIRST_RUN,
    "help": (
        'export PATH="$PWD/.venv/bin:$PATH"; cd examples',
        "playstream",
        "playstream --help",
        "playstream --version",
    ),
    "mistakes": (
        "playstream run demo",
        "playstream run demo site.yml",
        "playstream run demo -p sit.yml",
        "playstream run nowhere -p site.yml",
        "playstream run demo -p site.yml --inventroy hosts",
        "playstream rnu demo -p site.yml",
        "playstream worker",
        "playstream stop demo",
    ),
    "own-playbook": (
        HELLO,
        "playstream playbook hello.yml -i localhost, -c local",
        "playstream playbook hello.yml -i localhost, -c local -e word=luck; echo $?",
        "playstream adhoc localhost -c local -a 'echo it works'",
    ),
    "results": (
        "cp hello.yml demo/project/",
        "playstream run demo -p hello.yml -i monday --store runs.db -q",
        "playstream run demo -p hello.yml -i tuesday --store runs.db -q --cmdline '-e word=luck'",
        "ls demo/artifacts/tuesday",
        "playstream runs demo",
        "playstream runs --store runs.db",
        "playstream show tue --store runs.db",
        PROGRAM,
    ),
    "over-ssh": (
        "playstream transmit demo -p hello.yml | ssh host playstream worker | \\\nplaystream process demo",
        "WORKER=$HOME/playstream/.venv/bin/playstream",
        "playstream transmit demo -p hello.yml --forks 1 | ssh host $WORKER worker | \\\nplaystream process demo",
        "ssh -tt host $WORKER worker",
        "cat demo/artifacts/status; echo",
    ),
}
"""By the name of the file that is kept: what is typed, in this order."""
_STAMPS = ("runs", "installed")
"""The files by which make knows that the virtual environment is made."""
_PLAIN = (
    (r"\d:\d\d:\d\d(?= )", "0:00:00"),
    (r"(?m)^(?:\d+ (?:s|min) ago|now) +", "just now  "),
    (r"STARTED +(?=DUR|IDENT)", "STARTED   "),
    (r"\b\d+ (?:s|min) ago|(?<=STARTED      )now|(?<=ENDED        )now", "just now"),
    (r"(?ms)^\[ERROR\]: Task failed.*?(?=^fatal: )", ""),  # by some versions of ansible-core
    (r"\b\d+(?:\.\d+)? s\b +", "0 s       "),
    (r"(?<=  )[0-9a-f]{8}(?=  )", "1234abcd"),
    (r"runs \S+ with Python [\d.]+", "runs DISTRIBUTION with Python VERSION"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{5,8}[^\s)]*", "TIME"),
    (r"process \d+", "process NUMBER"),
    (r"playstream \d+\.\d+\.\d+", "playstream VERSION"),
    (r"events: \d+", "events: N"),
    (r"(?m)^.*: playstream: (?:command )?not found$", "SHELL: playstream: not found"),
    # On a slow machine ssh has ended before everything was written to it.
    (r"(?m)^playstream transmit: the next stage has exited.*\n(?:    .*\n)*", ""),
)
"""What differs between two runs, and what is shown instead."""


_HOME = "/home/a-new-user/you"
"""What is shown instead of the home directory; it is as long, so that lines are wrapped at the same words."""


@contextmanager
def a_home() -> Iterator[Path]:
    """Make an empty home directory whose path is always as long."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        home = Path(directory, "you")
        home.mkdir()
        yield home


@dataclass(frozen=True)
class Scene:
    """A part of the hour."""

    name: str
    shown: tuple[Shown, ...]

    def text(self, home: Path) -> str:
        """What the terminal showed, with the parts that differ from run to run replaced."""
        screens = (
            "\n".join(f"$ {shown.command}".split("\n") + list(filter(None, ["\n".join(shown.lines)])))
            for shown in self.shown
        )
        return plain("\n".join(screens), home) + "\n"


def plain(text: str, home: Path) -> str:
    """Replace what differs between two runs."""
    assert len(str(home)) == len(_HOME), home
    text = text.replace(str(home), _HOME)
    for pattern, replacement in _PLAIN:
        text = re.sub(pattern, replacement, text)
    return text


def play(home: Path) -> Iterator[Scene]:
    """Play the hour in an empty directory; yield each part.

    `make demo` finds its virtual environment made: it is this one. Therefore it installs nothing.
    """
    directory = home.parent / "host"
    with a_host(directory) as ssh:
        env = {
            "ADDRESS": str(ROOT),
            "ANSIBLE_FORKS": "1",
            "GIT_CONFIG_GLOBAL": str(home.parent / "gitconfig"),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": f"{ssh}:/usr/bin:/bin",
            "TERM": "xterm-256color",
            "TMPDIR": str(home.parent / "tmp"),
        }
        (home.parent / "tmp").mkdir()
        # The checkout may be another user's, and on no branch; git gives advice on that.
        (home.parent / "gitconfig").write_text("[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n")
        terminal = Terminal(home, env)
        try:
            for name, commands in SCENES.items():
                yield Scene(name, tuple(_type(terminal, command, home) for command in commands))
        finally:
            terminal.close()


def _type(terminal: Terminal, command: str, home: Path) -> Shown:
    shown = terminal.type(command)
    if command == FIRST_RUN[0]:
        venv = home / "playstream" / ".venv"
        venv.mkdir()
        for entry in Path(sys.prefix).iterdir():
            if entry.name not in _STAMPS:
                (venv / entry.name).symlink_to(entry)
        for stamp in _STAMPS:
            (venv / stamp).touch()
    return shown
