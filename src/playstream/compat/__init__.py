"""Compatibility with programs written for ansible-runner: `import ansible_runner` imports playstream.

Only this package uses ansible-runner's names. Each name leads to playstream's own code; the code here restores
differences that such a program would notice. docs/compat.md lists them.
"""

from playstream.compat.importing import install

__all__ = ["install"]
