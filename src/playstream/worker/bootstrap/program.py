"""The program that makes a host ready: it is sent there, and runs there before the worker.

The Python of the host (3.11 or later) gets it in the first line of its standard input. It uses only a small part of the
standard library.

It writes lines of JSON after a mark, its argument, because the host's login may print too. The first line has `facts`.
Then it reads lines of JSON with the key `do`, and answers each:

    use        `name`, `digest`, `compiled`: verify a directory. The answer has `state`: `ready`, `absent` or `damaged`,
               and `why`.
    take       `name`, `digest`, `size`: unpack a directory; the line is followed by its manifest of `size` bytes and by
               pieces of compressed data, each after its length in four bytes, and an empty one at the end. The answer
               is that of `use`.
    start      `name`: become the worker
    remove     remove every directory that was sent; the answer has `removed` and `kept`
    end        end without an answer

An answer with `failed` says why it cannot be done. Lines with `alive` say that it takes longer.

A directory's name is the beginning of a digest of its content. Its manifest lists each file with its kind, size and
digest, and `digest` is that of the manifest. Only what Python compiles there is not in it. Those files are
listed too, and used only if the other side remembers the digest of that list (`compiled`); otherwise they are made
again.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

from playstream.worker.bootstrap.directories import make_place, remove, take, use
from playstream.worker.bootstrap.files import Damaged, check_private
from playstream.worker.bootstrap.host import find_place, gather_facts
from playstream.worker.bootstrap.talk import Failure, read_request, say

_HINTS = {
    errno.ENOSPC: ". Free space there",
    errno.EDQUOT: ". Free space there, or raise the quota",
    errno.EROFS: ". Set XDG_CACHE_HOME there to a directory that can be written",
    errno.EACCES: ". Set XDG_CACHE_HOME there to a directory that can be written",
}


def start(place: str, request: dict[str, Any], umask: int) -> None:
    """Become the worker.

    Raises:
        Failure, Damaged, OSError: others could put something else into the place of what was verified.
    """
    directory = os.path.join(place, request["name"])
    make_place(place)
    check_private(directory)
    programs = os.path.join(directory, "venv", "bin")
    if os.path.isdir(programs):
        os.environ["PATH"] = f"{programs}:{os.environ.get('PATH', os.defpath)}"
    os.umask(umask)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what it becomes would inherit that
        signal.signal(number, signal.SIG_DFL)
    words = [sys.executable, "-I", "-S", "-B", os.path.join(directory, "lib"), "worker"]
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted


def answer(place: str, request: dict[str, Any], umask: int) -> None:
    """Do what is asked, and say how it went.

    Raises:
        OSError, Failure, Damaged: it cannot be done.
    """
    if request["do"] == "use":
        say(**use(place, request))
    elif request["do"] == "take":
        say(**take(place, request))
    elif request["do"] == "remove":
        say(**remove(place))
    elif request["do"] == "start":
        start(place, request, umask)


def tell_failure(text: str, doing: str) -> None:
    """Say why something cannot be done. After `start`, the other side expects the worker's stream, not an answer."""
    if doing == "start":
        sys.exit(f"no worker can be started there: {text}")
    say(failed=text)


def main() -> None:
    """Say what this host is, and do what is asked until the other side has gone or something fails."""
    umask = os.umask(0o077)
    doing = ""
    try:
        place = find_place()
        say(facts=gather_facts(place))
        while (request := read_request())["do"] != "end":
            doing = request["do"]
            answer(place, request, umask)
    except (EOFError, BrokenPipeError):
        pass  # the other side has all that it wanted, or has gone
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = _HINTS.get(error.errno or 0, "")
        tell_failure(f"{where}{error.strerror}{hint}", doing)
    except (Failure, Damaged) as failure:
        tell_failure(str(failure), doing)


if __name__ == "__main__":
    main()
