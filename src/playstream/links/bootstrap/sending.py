"""Bringing a host what it lacks."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from playstream._version import __version__
from playstream.links.bootstrap.cache import is_digest, note_compiled, recall_compiled
from playstream.links.bootstrap.conversation import Conversation
from playstream.links.bootstrap.parcel import Parcel, own_items
from playstream.links.bootstrap.target import Target
from playstream.links.bootstrap.wheel_items import environment_items, library_items
from playstream.links.bootstrap.wheels import WheelFinder
from playstream.pipeline.errors import BootstrapError
from playstream.pipeline.io.cancellation import Cancellation

REQUIREMENTS = ("pathspec>=0.12", "pexpect>=4.8", "PyYAML>=6.0", "zstandard>=0.22")
"""What playstream needs, as in pyproject.toml."""
ANSIBLE = "ansible-core>=2.15"
_NOT_IN_PROGRAMS = ('"', "$", "\\", "`", ":", "'''")
"""What would end or change the path in a first line that the shell reads, or on the PATH."""
_COMPILED_SHARE = 0.5
"""Room for what Python compiles there, as a part of what is sent."""
_logger = logging.getLogger("playstream")
_notices = logging.getLogger("playstream.notices")


class Delivery:
    """Brings a host what it lacks.

    Args:
        conversation: with the program there.
        target: the host.
        name: the name of the link.
        with_ansible: whether Ansible is sent too.
        wheels: a directory to take all wheels from; None for this side's cache and pip.
        cancellation: a request to stop.
    """

    def __init__(
        self,
        conversation: Conversation,
        target: Target,
        *,
        name: str,
        with_ansible: bool,
        wheels: Path | None,
        cancellation: Cancellation | None,
    ) -> None:
        self._conversation = conversation
        self._target = target
        self._name = name
        self._with_ansible = with_ansible
        self._finder = WheelFinder(name, target, wheels, cancellation)
        self.description = ""
        """What is there, after `bring`."""

    def bring(self) -> str:
        """Send what is missing, and return the name of the directory that is there and verified.

        Raises:
            BootstrapError: it cannot be sent.
            PlaystreamError: the link has ended.
        """
        with ExitStack() as opened:
            return self._bring(self._pack(opened))

    def _bring(self, parcel: Parcel) -> str:
        target = self._target
        host = f"{self._name} {target.place} {target.python} {target.version}"
        compiled = recall_compiled(host, parcel.digest)
        answer = self._conversation.ask({**parcel.identity, "do": "use", "compiled": compiled})
        if answer.get("state") != "ready":
            if answer.get("state") == "damaged":
                _logger.warning(
                    "%s: what was sent is damaged there (%s); it is sent anew", self._name, answer.get("why")
                )
            answer = self._send(parcel)
        if answer.get("state") != "ready":
            raise BootstrapError(f"{self._name}: what was sent is damaged there: {answer.get('why')}")
        if not is_digest(made := answer.get("compiled")):
            raise BootstrapError(f"{self._name}: the program there has answered something else")
        if made != compiled:
            note_compiled(host, parcel.digest, str(made))
        what = f"playstream {__version__}{' and Ansible' if self._with_ansible else ''}"
        self.description = f"{what} in {target.place}/{parcel.name}, for {target.python}: {target.name}"
        return parcel.name

    def _pack(self, opened: ExitStack) -> Parcel:
        """Return everything that the host needs, from files that `opened` closes."""
        items = [*own_items(), *library_items(self._finder.find(REQUIREMENTS), opened)]
        if not self._with_ansible:
            return Parcel(items)
        self._check_place()
        from playstream.worker.hello import find_ansible_core  # noqa: PLC0415 - only imported on POSIX

        here = find_ansible_core()
        choices = [(f"ansible-core=={here}",)] if here is not None else []
        wheels = self._finder.find(*choices, (ANSIBLE,))
        # The programs in the environment contain its path, so its name cannot come from their digests.
        name = Parcel([*items, *environment_items(wheels, opened, self._target, "")]).name
        place = f"{self._target.place}/{name}"
        return Parcel([*items, *environment_items(wheels, opened, self._target, place)], name)

    def _check_place(self) -> None:
        """Check that programs can be in the directory there: its path is in their first lines, and on the PATH.

        Raises:
            BootstrapError: they cannot.
        """
        if wrong := next((text for text in _NOT_IN_PROGRAMS if text in self._target.place), None):
            raise BootstrapError(
                f"{self._name}: Ansible cannot be sent to {self._target.place}: its programs cannot be started with "
                f"{wrong} in their path. Set XDG_CACHE_HOME there to another directory"
            )

    def _send(self, parcel: Parcel) -> dict[str, object]:
        needed = int(parcel.size * (1 + _COMPILED_SHARE))
        if self._target.free < needed:
            raise BootstrapError(
                f"{self._name}: {needed} bytes are needed in {self._target.place}, and {self._target.free} are free "
                "there. Free space there, or set XDG_CACHE_HOME there to another directory"
            )
        what = "playstream and Ansible" if self._with_ansible else "playstream"
        _notices.info("%s: sending %s for %s", self._name, what, self._target.name)
        request = {**parcel.identity, "do": "take", "size": len(parcel.manifest)}
        return self._conversation.ask(request, chain([parcel.manifest], parcel.pieces()))
