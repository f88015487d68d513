"""Ask the user for passwords on the terminal, before a run."""

from __future__ import annotations

import argparse
import select
import signal
from contextlib import closing

from playstream.cli.answers import advise_without_terminal
from playstream.cli.signals import restore_while_stopped
from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.cancellation import LOOK_SECONDS
from playstream.pipeline.io.stdio import wait_for
from playstream.pipeline.job.passwords import name_vault
from playstream.pipeline.protocol import KeyMode
from playstream.worker.guard import Guard
from playstream.worker.user_terminal import UserTerminal, open_user_terminal


def ask_for_passwords(flags: argparse.Namespace) -> dict[str, str]:
    """Ask for the passwords that `--ask-pass`, `--ask-become-pass` and `--ask-vault-pass` request, at least one.

    Standard input and output are not used, because they may be pipes.

    Returns:
        Their names, as in `env/passwords`, with the answers.

    Raises:
        ConfigurationError: there is no terminal, this process is in its background, or nothing was typed.
    """
    wanted = _list_wanted(flags)
    terminal = open_user_terminal(keys=True, screen=False)
    if terminal is None:
        flag, name, _ = wanted[0]
        raise ConfigurationError(
            f"{flag} asks on the terminal, and this process has none. {advise_without_terminal(flags.name, name)}"
        )
    with closing(terminal), closing(Guard()) as guard:
        before = signal.getsignal(signal.SIGTSTP)
        restore_while_stopped(terminal)
        terminal.guard_with(guard.keep_terminal)
        try:
            return {name: _ask(terminal, flag, prompt) for flag, name, prompt in wanted}
        except KeyboardInterrupt:
            terminal.write("\n")
            raise
        finally:
            terminal.restore()
            signal.signal(signal.SIGTSTP, before)


def asked_prompts(flags: argparse.Namespace) -> list[str]:
    """Return the prompts that were shown for the flags, which Ansible prints again when it gets the answers."""
    # With both flags Ansible's second prompt goes on with [defaults to SSH password].
    return [prompt.removesuffix(": ") for _, _, prompt in _list_wanted(flags)]


def _list_wanted(flags: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Return the flag, the name and the prompt of each password."""
    wanted = []
    if flags.ask_pass:
        wanted.append(("--ask-pass", "ssh", "SSH password: "))
    if flags.ask_become_pass:
        wanted.append(("--ask-become-pass", "become", "BECOME password: "))
    for vault_id in dict.fromkeys(flags.ask_vault_pass):
        prompt = f"Vault password ({vault_id}): " if vault_id else "Vault password: "
        wanted.append(("--ask-vault-pass", name_vault(vault_id or ""), prompt))
    return wanted


def _ask(terminal: UserTerminal, flag: str, prompt: str) -> str:
    """Ask for one line, which is not shown."""
    line = b""
    asked = False
    while not line.endswith(b"\n"):
        if not terminal.in_foreground:
            raise ConfigurationError(
                f"{flag} asks on the terminal, and this process is in its background. Run it in the foreground"
            )
        if not (asked and terminal.changed):  # for the first time, or after a stop
            terminal.ask_for(KeyMode.HIDDEN)
            terminal.write(prompt)
            asked = True
        if not wait_for(terminal.fileno(), select.POLLIN, LOOK_SECONDS):
            continue
        keys = terminal.read()
        if keys == b"":
            terminal.write("\n")
            raise ConfigurationError(f"{flag}: expected a password, got the end of input")
        line += keys or b""
    terminal.write("\n")
    try:
        return line.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{flag}: expected UTF-8 text. Check the encoding of the terminal") from None
