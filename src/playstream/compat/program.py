"""Run a program as Python itself would, with playstream as ansible_runner."""

from __future__ import annotations

import builtins
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from playstream.compat.importing import install
from playstream.pipeline.errors import USAGE_EXIT_STATUS

_USAGE = """\
usage: python -m playstream.compat SCRIPT [ARGUMENT …]
       python -m playstream.compat -m MODULE [ARGUMENT …]
"""
_HELP = f"""{_USAGE}
Run a Python program that was written for ansible-runner, unchanged: in it, `import ansible_runner` finds
playstream.compat.ansible_runner, whether or not ansible-runner is installed. What the program prints and its exit
status are its own.

  SCRIPT      the program's file
  -m MODULE   a module, as with python -m; ansible_runner itself is its command line
  -h, --help  this text

docs/compat.md lists what is the same and what differs.
"""
_OURS = (__file__, runpy.__file__, "<frozen runpy>")


def main(words: Sequence[str]) -> int:
    """Run the program named by a command line.

    Args:
        words: the program and its arguments.

    Returns:
        0 after the program has ended, 2 if it does not exist. Exceptions of the program, including SystemExit, are
        raised.
    """
    if not words:
        return _refuse("expected a program to run, got none")
    if words[0] in {"-h", "--help"}:
        sys.stdout.write(_HELP)
        return 0
    if words[0] == "-m":
        return _run_module(words[1:])
    if words[0].startswith("-"):
        return _refuse(f"unknown option {words[0]!r}: options of Python itself go before -m playstream.compat")
    return _run_script(words)


def _run_script(words: Sequence[str]) -> int:
    script = words[0]
    try:
        source = Path(script).read_bytes()
    except OSError as error:
        return _refuse(f"the program {script!r} cannot be read: {error.strerror}")
    sys.argv = list(words)
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    install()
    path = os.path.abspath(script)
    with _Unseen():
        _execute(compile(source, path, "exec", dont_inherit=True), path)
    return 0


def _execute(code: CodeType, path: str) -> None:
    module = ModuleType("__main__")
    module.__dict__.update(
        __file__=path, __builtins__=builtins, __cached__=None, __loader__=SourceFileLoader("__main__", path)
    )
    # It stays after the end, because the program's threads and exit handlers still use it.
    sys.modules["__main__"] = module
    exec(code, module.__dict__)  # noqa: S102 - running the program is the purpose


def _run_module(words: Sequence[str]) -> int:
    if not words:
        return _refuse("-m: expected the name of a module, got none")
    name = words[0]
    install()
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    if found is None:
        return _refuse(f"no module named {name!r} on Python's path")
    sys.argv = list(words)
    with _Unseen():
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    return 0


class _Unseen:
    """Context manager that hides this module from the traceback of a program that fails."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        hook = sys.excepthook  # the program may have set its own

        def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            while trace is not None and trace.tb_frame.f_code.co_filename in (*_OURS, _STARTER):
                trace = trace.tb_next
            hook(kind, error.with_traceback(trace), trace)

        sys.excepthook = show


_STARTER = str(Path(__file__).with_name("__main__.py"))


def _refuse(message: str) -> int:
    sys.stderr.write(f"playstream.compat: {message}\n{_USAGE}")
    return USAGE_EXIT_STATUS
