"""Units of systemd for a listening worker."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from playstream.pipeline.io.addresses import TlsAddress, UnixAddress

NAME = "playstream-worker"
"""The name of the units; both have to have the same one."""
_SERVICE = """\
# Save as /etc/systemd/system/{name}.service, then: systemctl daemon-reload && systemctl enable --now {name}
# Jobs can run any command as the user below. Set User= and Group= to one that exists.
[Unit]
Description=Listening worker of playstream
Documentation=man:playstream-worker(1)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
{user}Environment={path}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
# Only the listener gets SIGTERM: it lets jobs end, and cancels them when the time of --drain-seconds is over.
KillMode=mixed
TimeoutStopSec={stop}
WatchdogSec=30
Restart=on-failure
RuntimeDirectory=playstream
RuntimeDirectoryMode=0755
UMask=0077

[Install]
WantedBy=multi-user.target
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
    print(_socket(address, flags) if kind == "socket" else _service(flags), end="")  # noqa: T201 - asked for


def _service(flags: Sequence[str]) -> str:
    program = Path(sys.argv[0])
    is_script = program.name == "playstream" and program.is_file()
    start = [str(program.absolute())] if is_script else [sys.executable, "-P", "-m", "playstream"]
    programs = os.path.dirname(start[0])
    drain = float(flags[flags.index("--drain-seconds") + 1]) if "--drain-seconds" in flags else 0.0
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return _SERVICE.format(
        name=NAME,
        user="" if os.geteuid() == 0 else f"User={_user()}\n",
        path=_quote(f"PATH={programs}:{usual}"),
        command=" ".join(map(_quote, [*start, "worker", *flags])),
        stop=int(drain) + _STOP_SECONDS,
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
