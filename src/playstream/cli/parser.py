"""Parsers of the command line: flags before and after the subcommand, and subcommands that are loaded when needed.

Flags before the subcommand's name are moved after it, so that a single parser checks and combines all of them.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from signal import SIG_UNBLOCK, SIGINT, pthread_sigmask
from typing import Any, NoReturn

from playstream._version import __version__
from playstream.cli.flags import (
    DASHED_VALUES,
    EXCLUSIVE,
    GENERIC,
    NAMING,
    OTHER_NAMES,
    PASSED_ON,
    TAKEN,
    Flag,
    flags_of,
    groups_of,
    is_own,
    list_commands,
    takes_value,
)
from playstream.pipeline.errors import ConfigurationError, did_you_mean

_NUMBERS: Mapping[object, str] = {int: "an integer", float: "a number"}
"""Types of values, and their descriptions for errors."""


_ABSENT = "\0"
"""The value of a flag whose optional value is not given. No argument of a process contains it."""


class _Formatter(argparse.HelpFormatter):
    """Shows that an optional value comes after an equals sign."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not _has_optional_value(action):
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)}[={action.metavar}]"

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if not _has_optional_value(action):
            return super()._format_args(action, default_metavar)
        return f"[={action.metavar}]"


def _has_optional_value(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.nargs == argparse.OPTIONAL


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Return a formatter as wide as the terminal.

    argparse creates a formatter for every argument, and loads shutil to find the terminal's width, which takes 2 ms.
    """
    try:
        width = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(1).columns or 80
    except (OSError, ValueError):
        width = 80
    return _Formatter(prog, width=width - 2)


PLAYBOOKS = (".yml", ".yaml")
"""Ends of the names of playbooks."""
_SHIFTED = ("are required:", "invalid choice:")
"""Parts of messages about arguments that a flag may have taken as its value."""


class Parser(argparse.ArgumentParser):
    """A parser of the program's or a subcommand's arguments.

    Args:
        options: as for ArgumentParser.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_formatter)
        self.received: list[str] = []
        """Flags given before this subcommand's name."""
        self.forwarded: list[str] = []
        """Flags to pass to the subcommands of this parser."""
        self.command: str | None = None
        """The subcommand of this parser."""
        self.setup: Callable[[Parser], None] | None = None
        """Adds the arguments of the subcommand; called when it is selected."""
        self.as_ansible_runner = False
        """Whether to accept what ansible-runner accepts; see `main.parse`."""
        self._words: list[str] = []
        """The arguments, with those before this subcommand's name."""
        self.suggest: Callable[[Sequence[str], argparse.Namespace], str] | None = None
        """Returns a hint for words that are not understood, from what was understood."""
        self.commands: list[str] = []
        """Names of the subcommands of this parser."""
        self.subparsers: dict[str, Parser] = {}
        """Their parsers."""
        self.choice: Any = None
        """The argument that names a subcommand, if there are any."""
        self.about = ""
        """What the subcommand does, in one line."""
        self.positionals: list[argparse.Action] = []
        """Arguments that are not flags."""
        self._internal: set[argparse.Action] = set()
        """Flags that other processes of playstream pass; no abbreviation or hint names them."""

    def set_up(self) -> None:
        """Add the arguments of the subcommand, unless they were added before."""
        if self.setup is not None:
            setup, self.setup = self.setup, None
            setup(self)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Extend the base class: remember arguments that are not flags."""
        action = super().add_argument(*names, **options)
        if not action.option_strings:
            self.positionals.append(action)
        return action

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Extend the base class: refuse unknown arguments."""
        if args is None:
            return super().parse_known_args(args, namespace)
        self.set_up()
        words = self._words = [*self.received, *args]
        self._refuse_unknown_flags(words)
        found, unknown = super().parse_known_args(self._without_separate_values(words), namespace)
        if unknown:
            is_word = self.suggest is not None and not unknown[0].startswith("-")
            hint = self.suggest(unknown, found) if is_word and self.suggest else self._hint(unknown[0])
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        if self.command is not None and "words" not in found:
            found.words = words
        return found, unknown

    def _refuse_unknown_flags(self, words: Sequence[str]) -> None:
        """Refuse unknown long flags.

        The base class would first report what it expects instead of the words after them: a command, or an argument.
        """
        before = None
        for word in words:
            if word == "--" or word in self.commands:
                return
            name = word.partition("=")[0]
            is_flag = name.startswith("--") and " " not in name
            is_value = before is not None and before.nargs is None
            is_known = name in self._option_string_actions or any(
                known.startswith(name) for known in self._shown_flags()
            )
            if is_flag and not is_value and not is_known:
                self.error(f"unrecognized arguments: {word}{self._hint(name)}")
            before = self._option_string_actions.get(word)

    def _shown_flags(self) -> list[str]:
        """Return the names of all flags that are not internal."""
        return [name for name, action in self._option_string_actions.items() if action not in self._internal]

    def _without_separate_values(self, words: Sequence[str]) -> list[str]:
        """Return the words, in which a flag with an optional value has one only after an equals sign.

        The base class would take the next word, which may be the playbook.
        """
        given = list(words)
        for number, word in enumerate(given):
            if word == "--":
                break
            if word.startswith("-") and "=" not in word:
                matches = self._option_string_actions.get(word), *(found[0] for found in self._abbreviated(word))
                action = next(filter(None, matches), None)
                if action is not None and _has_optional_value(action):
                    given[number] = f"{action.option_strings[-1]}={_ABSENT}"
        return given

    def _abbreviated(self, word: str) -> list[Any]:
        """Return what a word abbreviates, if that is one flag."""
        if not word.startswith("--") or word in self._option_string_actions:
            return []
        found = self._get_option_tuples(word)
        return found if len(found) == 1 else []

    def _hint(self, word: str) -> str:
        """Return a hint for an unknown flag: the subcommands that have it, or a flag with a similar name."""
        name = word.partition("=")[0]
        if not name.startswith("-"):
            return ""
        ours = OTHER_NAMES.get(name)
        if ours in self._option_string_actions:
            return f"; what Ansible calls {name} is {ours} here"
        knowing = [command for command in list_commands() if any(name in item.names for item in flags_of(command))]
        if knowing:
            return f" ({name} is a flag of {', '.join(knowing)})"
        guess = did_you_mean(name, self._shown_flags()) if name.startswith("--") else ""
        if name in PASSED_ON and "--cmdline" in self._option_string_actions:
            return f" ({name} is an option of Ansible: pass it in --cmdline '{name} …')"
        return guess

    def error(self, message: str) -> NoReturn:
        """Extend the base class: explain a short flag that is another one in Ansible, if it may be the mistake.

        Also say how to list the commands, if there is none.
        """
        for name, (ours, theirs) in TAKEN.items():
            guilty = re.search(rf"(?<![\w-]){name}(?![\w-])", message) or (
                name in self._words and any(sign in message for sign in _SHIFTED)
            )
            if guilty and ours in self._option_string_actions:
                message += f". {name} is short for {ours}; Ansible's {name} is {theirs} here"
        if message.endswith("required: COMMAND"):
            message = f"expected a command: {self.prog} --help lists them"
        super().error(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Extend the base class: suggest a subcommand for one that does not exist."""
        if value not in self.commands and isinstance(action.choices, Mapping):  # only those of subcommands are one
            known = ", ".join(self.commands)
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r}{did_you_mean(value, self.commands)} (choose from {known})"
            )
        super()._check_value(action, value)

    def _get_option_tuples(self, option_string: str) -> Any:
        """Return the flags that match an abbreviation.

        Unlike in the base class, flags that ansible-runner has take precedence, so that its abbreviations keep working,
        and internal flags have none.
        """
        found: list[Any] = [item for item in super()._get_option_tuples(option_string) if item[0] not in self._internal]
        known = [item for item in found if not is_own(self.command or "", item[1])]
        return [item for item in known if not isinstance(item[0], _Forward)] or known or found

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Extend the base class: refuse an empty path or name, and call numbers by their common names."""
        if arg_string == _ABSENT:
            return action.const
        expected = NAMING.get(kind_of(action))
        name = action.option_strings[-1] if action.option_strings else ""
        if expected is not None and not arg_string and (not self.as_ansible_runner or is_own(self.command or "", name)):
            optional = f"; omit {name} to use the default" if name else ""
            raise argparse.ArgumentError(
                action, f"expected {expected}, got an empty string. A variable is probably not set{optional}"
            )
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            wanted = _NUMBERS.get(action.type)
            if wanted is None:
                raise
            raise argparse.ArgumentError(action, f"expected {wanted}, got {arg_string!r}") from None

    def _print_message(self, message: str, file: Any = None) -> None:
        """Extend the base class: unblock SIGINT first, because all modules are loaded and the reader may be slow.

        Errors are wrapped to the width of a terminal; help and usage are already.
        """
        pthread_sigmask(SIG_UNBLOCK, {SIGINT})
        if message and file is not None:
            from playstream.cli.wrapping import wrap_message  # noqa: PLC0415 - most commands print no messages

            message = wrap_message(message, file)
        super()._print_message(message, file)

    def add_flags(self, command: str, *, shown: Container[str] | None = None) -> None:
        """Add the flags of a subcommand.

        Args:
            command: its name, such as `worker cleanup`.
            shown: the last names of the flags that the help shows; None for all.
        """
        for title, group in groups_of(command):
            place: Any = self.add_argument_group(title)
            if title == EXCLUSIVE:
                place = place.add_mutually_exclusive_group()
            for definition in group:
                if self.as_ansible_runner and _is_short_for_theirs(definition, command):
                    continue
                changes: dict[str, Any] = {}
                if shown is not None and definition.names[-1] not in shown:
                    changes["help"] = argparse.SUPPRESS
                if group is GENERIC and " " in command:
                    changes["default"] = argparse.SUPPRESS  # keep the value of the parent parser
                place.add_argument(*definition.names, **{**definition.words, **changes})
        self.add_version()

    def add_internal_flags(self, definitions: Iterable[Flag]) -> None:
        """Add flags that other processes of playstream pass. The help does not show them."""
        for definition in definitions:
            self._internal.add(self.add_argument(*definition.names, **definition.words, help=argparse.SUPPRESS))

    def add_version(self) -> None:
        """Add the flag that shows the version."""
        names = ("--version",) if self.as_ansible_runner else ("-V", "--version")
        self.add_argument(
            *names, action="version", version=f"playstream {__version__}", help="show the version and exit"
        )

    def add_commands(self, commands: Iterable[tuple[str, str, Callable[[Parser], None]]], *, required: bool) -> None:
        """Add subcommands.

        Args:
            commands: name, help text and set-up function of each.
            required: whether one of them must be given.
        """
        self.choice = self.add_subparsers(metavar="COMMAND", required=required, prog=self.prog, parser_class=Parser)
        for name, line, setup in commands:
            self.commands.append(name)
            parser = self.subparsers[name] = self.choice.add_parser(name, help=line)
            parser.about = line
            parser.command = f"{self.command} {name}" if self.command else name
            parser.received = self.forwarded
            parser.as_ansible_runner = self.as_ansible_runner
            parser.setup = setup

    def forward(self, definitions: Iterable[Flag]) -> None:
        """Accept flags of subcommands and forward them. Each of several values is forwarded with its own flag.

        Args:
            definitions: the flags; those that this parser already has are ignored.
        """
        for definition in definitions:
            number = None if takes_value(definition) else 0
            for name in definition.names:
                if name not in self._option_string_actions:
                    self.add_argument(
                        name,
                        action=_Forward,
                        nargs=argparse.OPTIONAL if definition.words.get("nargs") == argparse.OPTIONAL else number,
                        const=self.forwarded,
                        dest=argparse.SUPPRESS,
                        default=argparse.SUPPRESS,
                        help=argparse.SUPPRESS,
                    )


def _is_short_for_theirs(definition: Flag, command: str) -> bool:
    """Return whether a flag that ansible-runner does not have abbreviates one of its flags, as `--on` does."""
    name = definition.names[-1]
    return definition.own and any(not item.own and item.names[-1].startswith(name) for item in flags_of(command))


class _Forward(argparse.Action):
    """Appends a flag to the arguments of the subcommand, the list `const`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse calls it so
        namespace: argparse.Namespace,  # noqa: ARG002
        values: Any,
        option_string: str | None = None,
    ) -> None:
        name = option_string or ""
        if self.nargs == 0 or values is self.const:
            self.const.append(name)
        elif name.startswith("--"):
            self.const.append(f"{name}={values}")
        else:
            self.const.extend([name + values] if values else [name, values])


def suggest_ident(words: Sequence[str], found: argparse.Namespace) -> str:
    """Return a hint for words after DIR of a command that takes the name of a run.

    Args:
        words: the words that are not understood.
        found: what was understood.
    """
    return "" if found.ident else f"; did you mean -i {words[0]}?"


def check_directory(command: str, directory: Path) -> None:
    """Refuse a playbook in place of a private data directory.

    Raises:
        ConfigurationError: it is a file, or has the name of a playbook and does not exist.
    """
    if os.path.isfile(directory):
        what = "is a file"
    elif directory.suffix in PLAYBOOKS and not os.path.exists(directory):
        what = "does not exist"
    else:
        return
    raise ConfigurationError(
        f"{str(directory)!r} {what}, and {command} expects a private data directory. To run a playbook without one: "
        f"playstream playbook {directory}"
    )


def kind_of(action: argparse.Action) -> str:
    """Return the metavar of a flag or argument, which names the kind of its value."""
    return str(action.metavar or action.dest.upper())


def join_dashed_values(words: Iterable[str]) -> list[str]:
    """Join flags of DASHED_VALUES with their values: argparse would read `--check` in `--cmdline --check` as a flag."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in DASHED_VALUES:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
