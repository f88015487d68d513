"""A link over ssh to a host on which playstream need not be installed."""

from __future__ import annotations

import base64
import json
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from playstream.links.bootstrap.conversation import MARK, Conversation
from playstream.links.bootstrap.sending import Delivery
from playstream.links.bootstrap.target import read_target
from playstream.links.link import OpenLink
from playstream.links.program import Ended, ProgramLink
from playstream.links.ssh import SshAddress, explain_ssh
from playstream.pipeline.errors import BootstrapError, PlaystreamError
from playstream.pipeline.io.cancellation import Cancellation

_THERE = "playstream.worker.bootstrap"
_MODULES = ("talk", "owners", "host", "files", "directories")
"""Modules that the program imports there, those first that the others import."""
_NO_PYTHON = "playstream-link: no Python, "
"""The beginning of what the host prints if it has no Python that can be used."""
_START = """\
import sys, types
for name, source in {modules}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
"""
_LOAD = 'import base64,zlib;exec(zlib.decompress(base64.b64decode(open(0,"rb",0,closefd=False).readline())))'
"""Runs the program in the first line of standard input, and reads nothing else from there."""
_CHECK = (
    'import sys,json,zlib,hashlib,ctypes;sys.exit(sys.version_info<(3,11)or"cpython"not in sys.implementation.name)'
)
_FIND = """\
a=`command -v ansible-playbook 2>/dev/null`; i=; \
if test -f "$a" && test -r "$a"; then { read -r l; read -r m; } <"$a"; \
case "$l" in "#"?*python*) set -- ${l#??}; i=$1; case "$i" in */env) i=$2; esac; esac; \
case "$l" in "#"?*/sh) m=${m#*exec*" "}; i=${m%% *}; \
case "$m" in '"'*) m=${m#?}; i=${m%%'"'*}; esac; esac; fi 2>/dev/null; """
"""Finds the Python that runs ansible-playbook, from the first two lines of that script."""
_CHOOSE = """\
v=; for p in "$i" python3 python3.14 python3.13 python3.12 python3.11; do \
if test -n "$p" && command -v "$p" >/dev/null 2>&1; then \
if "$p" -I -S -c {check} </dev/null >/dev/null 2>&1; then exec "$p" -I -S -B -c {load} {mark}; fi; \
v="$v $p ("`"$p" -V 2>&1 </dev/null`")"; fi; done; \
printf {missing} "$v" "$PATH" >&2; exit 127"""
"""Starts the first Python that can run playstream."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What to send to a host.

    Args:
        ansible: whether Ansible is sent too.
        wheels: a directory to take all wheels from; None for this side's cache and pip.
    """

    ansible: bool = False
    wheels: Path | None = None


class BootstrapLink:
    """A link over ssh that sends what is missing, and then starts the worker.

    Args:
        address: where the host is.
        bootstrap: what to send.
    """

    def __init__(self, address: SshAddress, bootstrap: Bootstrap) -> None:
        self.name = address.name
        self._address = address
        self._bootstrap = bootstrap

    def open(self, cancellation: Cancellation | None = None, /) -> OpenLink:
        """Make the host ready, and start the worker.

        Raises:
            LinkError: ssh cannot be started or fails.
            BootstrapError: no worker can be sent to the host.
        """
        opened = self._start()
        with _closed_on_error(opened):
            conversation, delivery = self._prepare(opened, cancellation)
            conversation.tell({"do": "start", "name": delivery.bring()})
        return opened

    def prepare(self, cancellation: Cancellation | None = None) -> str:
        """Make the host ready without starting a worker; return what is there.

        Raises:
            LinkError, BootstrapError: as for `open`.
        """
        opened = self._start()
        with _closed_on_error(opened):
            conversation, delivery = self._prepare(opened, cancellation)
            delivery.bring()
            conversation.tell({"do": "end"})
        opened.end(wait=True)
        opened.close()
        return delivery.description

    def remove(self, cancellation: Cancellation | None = None) -> tuple[list[str], list[str]]:
        """Remove everything that was sent to the host; return what was removed, and what was kept and why.

        Raises:
            LinkError, BootstrapError: as for `open`.
        """
        opened = self._start()
        with _closed_on_error(opened):
            conversation = Conversation(self.name, opened, cancellation)
            conversation.send_program(_program())
            conversation.hear()
            answer = conversation.ask({"do": "remove"})
            conversation.tell({"do": "end"})
        opened.end(wait=True)
        opened.close()
        try:
            return [str(item) for item in answer["removed"]], [str(item) for item in answer["kept"]]
        except (KeyError, TypeError):
            raise BootstrapError(f"{self.name}: the program there has answered something else") from None

    def _start(self) -> OpenLink:
        words = [*self._address.login(), remote_command(of_ansible=not self._bootstrap.ansible)]
        return ProgramLink(self.name, words, self._explain).open()

    def _prepare(self, opened: OpenLink, cancellation: Cancellation | None) -> tuple[Conversation, Delivery]:
        conversation = Conversation(self.name, opened, cancellation)
        conversation.send_program(_program())
        target = read_target(self.name, conversation.hear().get("facts") or {})
        delivery = Delivery(
            conversation,
            target,
            name=self.name,
            with_ansible=self._bootstrap.ansible,
            wheels=self._bootstrap.wheels,
            cancellation=cancellation,
        )
        return conversation, delivery

    def _explain(self, ended: Ended, error: PlaystreamError) -> PlaystreamError:
        text = "\n".join(ended.messages)
        if ended.code == 127 and _NO_PYTHON in text:
            found, _, path = text.partition(_NO_PYTHON)[2].splitlines()[0].partition("; PATH=")
            return BootstrapError(
                f"{self.name}: no Python that can run playstream was found there: CPython 3.11 or later with its whole "
                f"standard library. Found:{found or ' none'}. The PATH of a command over ssh is {path}. Install such a "
                "Python there"
            )
        if ended.code in {126, 127} and not ended.answered:
            return BootstrapError(f"{self.name}: no program can be started there{ended.last_message}")
        return explain_ssh(self._address, ended, error)


@contextmanager
def _closed_on_error(opened: OpenLink) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.end(wait=False)
        opened.close()
        raise


def remote_command(*, of_ansible: bool) -> str:
    """Return the command line for the host, whose login shell may be any: it only starts sh.

    Args:
        of_ansible: whether to prefer the Python that runs ansible-playbook there.
    """
    missing = shlex.quote(f"{_NO_PYTHON}%s; PATH=%s\\n")
    choose = _CHOOSE.format(check=shlex.quote(_CHECK), load=shlex.quote(_LOAD), mark=MARK, missing=missing)
    return f"exec sh -c {shlex.quote((_FIND if of_ansible else 'a=; i=; ') + choose)}"


def _program() -> bytes:
    """Return the program for the host, as a line."""
    sources = files(_THERE)
    modules = [(f"{_THERE}.{name}", (sources / f"{name}.py").read_text(encoding="utf-8")) for name in _MODULES]
    start = _START.format(modules=json.dumps(modules))
    program = (sources / "program.py").read_text(encoding="utf-8").replace("from __future__ import annotations\n", "")
    return base64.b64encode(zlib.compress((start + program).encode(), 9)) + b"\n"
