"""The import face for programs written for ansible-runner: they say `import ansible_runner` and get playstream.

All of ansible-runner's naming is here and nowhere else. Nothing is done here: each name leads to the real code, and
what is here restores a difference that such a program would notice. docs/compat.md lists them.
"""

from playstream.compat.importing import install

__all__ = ["install"]
