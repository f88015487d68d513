"""`playstream completion`: print the script with which a shell completes words of the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playstream.cli.documents import SCRIPTS, make_completion
from playstream.cli.parser import Parser
from playstream.pipeline.errors import ConfigurationError

BUILT = Path(__file__).parent / "completions"
"""Where building the package has put the scripts."""
IN_CHECKOUT = (Path(__file__).parents[3] / "setup.py").is_file()
"""Whether the parsers may have changed since then."""


def set_up(parser: Parser) -> None:
    """Add the arguments of the subcommand."""
    parser.usage = "%(prog)s SHELL"
    parser.description = (
        "Print the script with which a shell completes commands, flags and files. For bash: "
        'eval "$(playstream completion bash)" in ~/.bashrc. For zsh: eval "$(playstream completion zsh)" in ~/.zshrc, '
        "after compinit. For fish: playstream completion fish > ~/.config/fish/completions/playstream.fish."
    )
    parser.add_argument("shell", metavar="SHELL", choices=list(SCRIPTS), help="bash, zsh or fish")
    parser.add_flags("completion")


def run(flags: argparse.Namespace) -> int:
    """Print the script; return the exit status."""
    sys.stdout.write(_read(flags.shell))
    return 0


def _read(shell: str) -> str:
    """Return the script that was built, or in a checkout the one of the parsers as they are.

    Raises:
        ConfigurationError: there is none.
    """
    if IN_CHECKOUT:
        try:
            return make_completion(shell)
        except ImportError:
            pass  # what the last installation has built is better than none
    try:
        return (BUILT / SCRIPTS[shell]).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "this playstream was not built, so it has no completion scripts. Install it with pip, or install shtab "
            "beside it"
        ) from None
