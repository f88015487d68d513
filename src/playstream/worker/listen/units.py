"""Units of systemd for a listening worker, and for the node of a mesh."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.io.addresses import TlsAddress, UnixAddress

NAME = "playstream-worker"
"""The name of the units; both have to have the same one."""
NODE_NAME = "playstream-node"
"""The name of the unit of a node."""
_SERVICE = """\
# Save as /etc/systemd/system/{name}.service, then: systemctl daemon-reload && systemctl enable --now {name}
# Jobs can run any command as the user below. Set User= and Group= to one that exists.
[Unit]
Description={description}
Documentation=man:{page}(1)
After=network-online.target
Wants=network-online.target
{unit}
[Service]
Type=notify
NotifyAccess=main
{user}Environment={path}
ExecStart={command}
# Only the main process gets SIGTERM: it lets jobs end, and cancels them when the time of --drain-seconds is over.
KillMode=mixed
TimeoutStopSec={stop}
WatchdogSec=30
Restart=on-failure
{service}UMask=0077

[Install]
WantedBy=multi-user.target
"""
_OF_LISTENER = """\
ExecReload=/bin/kill -HUP $MAINPID
RuntimeDirectory=playstream
RuntimeDirectoryMode=0755
"""
_OF_NODE = """\
RestartSec=5
# The node was removed from the mesh, or its configuration is not valid: starting it again would not help.
RestartPreventExitStatus=1 86
StateDirectory=playstream
StateDirectoryMode=0700
"""
_ALWAYS = """\
# A mesh that cannot be reached is tried again, for as long as it takes.
StartLimitIntervalSec=0
"""
_SOCKET = """\
# Save as /etc/systemd/system/{name}.socket, beside {name}.service, then: systemctl enable --now {name}.socket
[Unit]
Description=Socket of the listening worker of playstream

[Socket]
ListenStream={place}
{more}
[Install]
WantedBy=sockets.target
"""
_PLAIN = re.compile(r"[\w@+=:,./-]+", re.ASCII)
_STOP_SECONDS = 20
"""What ending takes beside the time for draining."""


def print_unit(kind: str, address: UnixAddress | TlsAddress, flags: Sequence[str]) -> None:
    """Print a unit.

    Args:
        kind: `service` or `socket`.
        address: what the worker listens on.
        flags: its flags.
    """
    drain = float(flags[flags.index("--drain-seconds") + 1]) if "--drain-seconds" in flags else 0.0
    words = ["worker", *flags]
    service = _service(NAME, "Listening worker of playstream", words, drain, service=_OF_LISTENER)
    print(_socket(address, flags) if kind == "socket" else service, end="")  # noqa: T201 - asked for


def print_node_unit(name: str, flags: Sequence[str], drain_seconds: float | None) -> None:
    """Print the unit of the node of a mesh.

    Args:
        name: its name in the mesh.
        flags: its flags.
        drain_seconds: how long it lets its jobs run after SIGTERM; None until they end.
    """
    description = f"Node {name} of a mesh of playstream"
    unit = _service(NODE_NAME, description, ["node", *flags], drain_seconds, unit=_ALWAYS, service=_OF_NODE)
    print(unit, end="")  # noqa: T201 - asked for


def _service(
    name: str, description: str, words: Sequence[str], drain: float | None, *, unit: str = "", service: str
) -> str:
    program = Path(sys.argv[0])
    is_script = program.name == "playstream" and program.is_file()
    start = [str(program.absolute())] if is_script else [sys.executable, "-P", "-m", "playstream"]
    programs = os.path.dirname(start[0])
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return _SERVICE.format(
        name=name,
        description=description,
        page=f"playstream-{words[0]}",
        unit=unit,
        service=service,
        user="" if os.geteuid() == 0 else f"User={_user()}\n",
        path=_quote(f"PATH={programs}:{usual}"),
        command=" ".join(map(_quote, [*start, *words])),
        stop="infinity" if drain is None else int(drain) + _STOP_SECONDS,
    )


def _user() -> str:
    import pwd  # noqa: PLC0415 - seldom asked for

    return pwd.getpwuid(os.geteuid()).pw_name


def _socket(address: UnixAddress | TlsAddress, flags: Sequence[str]) -> str:
    if isinstance(address, UnixAddress):
        mode = "0666" if "--allow-user" in flags else "0600"
        return _SOCKET.format(name=NAME, place=address.path, more=f"SocketMode={mode}\nDirectoryMode=0755\n")
    host = f"[{address.host}]" if ":" in address.host else address.host
    place = f"{host}:{address.port}" if host else str(address.port)
    return _SOCKET.format(name=NAME, place=place, more="")


def _quote(word: str) -> str:
    """Quote a word of a command line for systemd, which expands % and $ itself."""
    text = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
