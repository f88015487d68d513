"""The program that makes the hosts of a network, and passes their packets on until its control socket is closed.

python -m tests.network.relay FD MTU SEED ADDRESS…

Each host is a network namespace with a TUN device, which delivers the packets of its kernel to this process. The
namespaces have no names: only this process holds them, so that they end with it, however it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from tests.network.wires import Wires

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
_DEVICE = "wire"
_BURST = 64
"""Packets that are read from one host before the others have their turn."""
_SET_UP = """\
link set lo up
link set {device} mtu {mtu} txqueuelen 10000 up
address add {address}/24 dev {device}
"""


class Host:
    """A network namespace with an address.

    Args:
        address: the address.
        mtu: bytes of the largest packet.

    Raises:
        OSError: this user cannot make one.
        subprocess.CalledProcessError: the device cannot be set up.
    """

    def __init__(self, address: IPv4Address, mtu: int) -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"a network namespace cannot be made: {os.strerror(number)}")
        self.namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.device, _TUNSETIFF, struct.pack("16sH14x", _DEVICE.encode(), _TUN_WITHOUT_HEADER))
        lines = _SET_UP.format(device=_DEVICE, mtu=mtu, address=address)
        subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True, capture_output=True)


class Relay:
    """Passes packets on between hosts.

    Args:
        hosts: the hosts.
        wires: what is between them.
        control: requests arrive here, each a JSON object, and are answered.
        mtu: bytes of the largest packet.
    """

    def __init__(self, hosts: Sequence[Host], wires: Wires, control: socket.socket, mtu: int) -> None:
        self._devices = [host.device for host in hosts]
        self._numbers = {device: number for number, device in enumerate(self._devices)}
        self._wires = wires
        self._control = control
        self._mtu = mtu

    def run(self) -> None:
        """Pass packets on until the control socket is closed."""
        control = self._control.fileno()
        while True:
            arrival = self._wires.next_arrival
            seconds = None if arrival is None else max(0.0, arrival - time.monotonic())
            # select() keeps microseconds, which epoll's milliseconds would round up.
            ready = select.select([*self._devices, control], [], [], seconds)[0]
            now = time.monotonic()
            for fd in ready:
                if fd != control:
                    self._read(fd, now)
                elif not self._answer():
                    return
            for number, packet in self._wires.arrived(now):
                os.write(self._devices[number], packet)

    def _read(self, device: int, now: float) -> None:
        source = self._numbers[device]
        try:
            for _ in range(_BURST):
                self._wires.accept(source, os.read(device, self._mtu), now)
        except BlockingIOError:
            pass  # that was all

    def _answer(self) -> bool:
        """Do what a request says. Return False if there will be no more."""
        text = self._control.recv(65536)
        if not text:
            return False
        request: dict[str, Any] = json.loads(text)
        wires = list(self._wires.between(request.pop("source"), request.pop("target")))
        for wire in wires:
            for name, value in request.items():
                setattr(wire, name, value)
        self._control.send(json.dumps([asdict(wire.counts) for wire in wires]).encode())
        return True


def kill_processes(hosts: Sequence[Host]) -> None:
    """Kill every process on the hosts, but this one."""
    inodes = {os.fstat(host.namespace).st_ino for host in hosts}
    killed = True
    while killed:  # what one of them has started meanwhile is found the next time
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        killed = sum(_kill_if_in(inodes, pid) for pid in pids) > 0


def _kill_if_in(inodes: set[int], pid: int) -> bool:
    """Kill a process of one of these namespaces. Return whether it was one."""
    try:
        if pid == os.getpid() or os.stat(f"/proc/{pid}/ns/net").st_ino not in inodes:
            return False
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False  # it has ended, or is another user's
    return True


def main() -> None:
    """Make the hosts, say so, and pass their packets on."""
    fd, mtu, seed, *addresses = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a test that is interrupted closes the control socket
    control = socket.socket(fileno=int(fd))
    found = [IPv4Address(address) for address in addresses]
    try:
        hosts = [Host(address, int(mtu)) for address in found]
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        control.send(json.dumps({"error": why}).encode())
        return
    control.send(json.dumps({"namespaces": [host.namespace for host in hosts]}).encode())
    try:
        Relay(hosts, Wires(found, int(seed)), control, int(mtu)).run()
    finally:
        kill_processes(hosts)


if __name__ == "__main__":
    main()
