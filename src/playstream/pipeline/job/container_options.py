"""Checking the user's options for an engine's `run`: those that would conflict with playstream are refused.

podman and docker parse arguments in the same way (pflag): `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE` and
`-n=VALUE`, several letters in one word (`-it`), and a switch has a value only after an equals sign. The first word that
is neither an option nor the value of one is the image, and the words after it are the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from playstream.pipeline.errors import ConfigurationError

_REPLACES = "it would replace Ansible with another program"
_DETACHES = "the engine would not wait for Ansible, and its output and exit status would be lost"
_RUNS_NOTHING = "the engine would not run anything"
_OURS = "playstream names the container itself, to remove it when the job has ended"
_REFUSED = {
    "detach": _DETACHES,
    "detach-keys": _DETACHES,
    "help": _RUNS_NOTHING,
    "version": _RUNS_NOTHING,
    "entrypoint": _REPLACES,
    "init-path": _REPLACES,
    "rootfs": _REPLACES,
    "attach": "output that is not attached would be lost",
    "name": _OURS,
    "replace": _OURS,
    "restart": "the engine would restart Ansible and hide its exit status",
    "stop-timeout": "the job could not be stopped immediately",
}
"""Refused options by their long name, with the reason."""
_ON_ONLY = {
    "interactive": "playstream needs it to answer prompts",
    "tty": "playstream needs it to read the output",
    "rm": "the container would be left behind",
    "purge": "the container would be left behind",  # podman's alias of it
    "sig-proxy": "Ansible would not receive the signal that stops the job",
}
"""Switches that are on; they may be given but not turned off."""
_SWITCHES = frozenset(
    {
        *_ON_ONLY,
        "detach",
        "disable-content-trust",
        "env-host",
        "help",
        "http-proxy",
        "init",
        "no-healthcheck",
        "no-hostname",
        "no-hosts",
        "oom-kill-disable",
        "passwd",
        "privileged",
        "publish-all",
        "quiet",
        "read-only",
        "read-only-tmpfs",
        "replace",
        "rmi",
        "rootfs",
        "tls-verify",
        "unsetenv-all",
        "use-api-socket",
        "version",
    }
)
"""Options without a value."""
_LETTERS = {
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "P": "publish-all",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
_VARIABLES = ("env", "unsetenv")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")


@dataclass(frozen=True, slots=True)
class _Option:
    word: str
    """As it was written."""
    name: str
    value: str | None


def check_container_options(source: str, words: Sequence[str]) -> None:
    """Check that the words are options, and that none of them detaches, replaces or hides the program.

    Args:
        source: the name of the file or argument, for errors.
        words: options of `podman run` or `docker run`.

    Raises:
        ConfigurationError: one does, or is not an option.
    """
    key = f"{source}: container_options"
    for option in _read(key, words):
        reason = _REFUSED.get(option.name)
        if option.name in _ON_ONLY and option.value not in (None, *_TRUE):
            reason = _ON_ONLY[option.name]
        if option.name in _VARIABLES and (option.value or "").startswith("PLAYSTREAM_"):
            reason = "variables named PLAYSTREAM_* are reserved for playstream"
        if reason is not None:
            raise ConfigurationError(f"{key}: {option.word!r} cannot be used: {reason}. Remove it")


def _read(key: str, words: Sequence[str]) -> Iterator[_Option]:
    """Yield the options in order."""
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            raise ConfigurationError(
                f"{key}: expected an option, got {word!r}: the engine would use it as the image, and the rest as the "
                "command. Set the image with container_image; write the value of an option as --option=VALUE"
            )
        for option in _read_word(word):
            if option.value is not None or option.name in _SWITCHES:
                yield option
            elif left and not left[0].startswith("-"):
                yield _Option(word, option.name, left.pop(0))
            else:
                yield option
                if option.name not in _REFUSED:
                    # An unknown option may be a switch, and then the next word is an option that must be checked.
                    raise ConfigurationError(
                        f"{key}: expected a value for {word!r}, got {left[0] if left else 'none'!r}. Write it as "
                        "--option=VALUE, and a flag that playstream does not know as --option=true"
                    )


def _read_word(word: str) -> Iterator[_Option]:
    """Yield the options of one word; the last may lack its value."""
    if word.startswith("--"):
        name, equals, value = word.removeprefix("--").partition("=")
        yield _Option(word, name, value if equals else None)
        return
    letters = word.removeprefix("-")
    while letters:
        name, letters = _LETTERS.get(letters[0], letters[0]), letters[1:]
        if letters.startswith("=") or (letters and name not in _SWITCHES):
            yield _Option(word, name, letters.removeprefix("="))
            return
        yield _Option(word, name, None)
