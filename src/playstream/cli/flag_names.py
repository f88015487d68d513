"""Name flags in messages, because the checks of a job name its options as in Python and in `env/settings`."""

from __future__ import annotations

import argparse
import re

from playstream.cli.flags import Flag, flags_of

_IN_FILE = re.compile(r"[^:]*/env/")
"""The beginning of a message about a file of `env/`, in which the names are keys."""
_SETTINGS = "settings: "
"""The beginning of a message about a flag, or a key of `env/settings`."""


def name_flags(message: str, arguments: argparse.Namespace) -> str:
    """Return the message with flags instead of the options of the same meaning.

    A name that is also a word, such as `hold`, is replaced only at the beginning, before a colon.

    Args:
        message: the message of an error that was raised here. Messages of other hosts name their own options.
        arguments: the parsed command line. If it has none of the flags, a message about settings is about the file.
    """
    if _IN_FILE.match(message):
        return message
    flags = {_option_of(definition): definition.names[-1] for definition in flags_of(arguments.name)}
    alone = "|".join(sorted((name for name in flags if "_" in name), key=len, reverse=True)) or "$^"
    named = rf"^(?:{'|'.join(flags)})(?=:)|(?<![\w'\"/.-])(?:{alone})(?![\w'\"/-])"
    text = message.removeprefix(_SETTINGS)
    if text != message and not any(getattr(arguments, name, None) for name in re.findall(named, text)):
        return f"env/{message}"
    return re.sub(named, lambda found: flags[found[0]], text)


def _option_of(definition: Flag) -> str:
    """Return the name of the option that a flag sets."""
    given = definition.words.get("dest")
    return str(given or definition.names[-1].lstrip("-").replace("-", "_"))
