"""`python -m playstream.compat`: a program is run as Python itself runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.conftest import Run

COMPAT = ("-m", "playstream.compat")


@pytest.mark.parametrize(
    "text",
    [
        "print(__name__, __file__, __spec__, __package__, __cached__)\n",
        "import sys; print(sys.argv, sys.path[0])\n",
        "import __main__, sys; print(vars(__main__) is globals(), sys.modules['__main__'].__loader__.name)\n",
        "import neighbour; print(neighbour.WORD)\n",
        "import inspect\ndef f(): 'text'\nprint(inspect.getsource(f))\n",
        "import pickle\nclass C: pass\nprint(pickle.loads(pickle.dumps(C())).__class__)\n",
        "# -*- coding: latin-1 -*-\nprint(len('\xe9'))\n",
        (
            "import threading as t\n"
            "t.Thread(target=lambda: (t.main_thread().join(), print(WORD))).start()\nWORD = 'later'\n"
        ),
        "import atexit\natexit.register(lambda: print(WORD))\nWORD = 'last'\n",
        "raise SystemExit\n",
        "raise SystemExit(7)\n",
        "raise SystemExit('a message')\n",
        "import sys; sys.exit(True)\n",
        "def f():\n    raise KeyError('x')\ntry:\n    f()\nexcept KeyError as e:\n    raise ValueError('y') from e\n",
        "import neighbour; neighbour.fail()\n",
        "def broken(:\n",
        "import sys\nsys.excepthook = lambda *args: print('mine', args[0].__name__)\n1 / 0\n",
        "raise KeyboardInterrupt\n",
        "import os; os._exit(9)\n",
    ],
)
def test_as_python_does(text: str, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "neighbour.py").write_text("WORD = 'beside it'\ndef fail():\n    raise OSError('there')\n")
    (folder / "program.py").write_bytes(text.encode("latin-1"))
    (tmp_path / "link.py").symlink_to(folder / "program.py")
    for script in ("folder/program.py", "link.py"):
        plain = run(script, "one", "-m", "--two")
        ours = run(*COMPAT, script, "one", "-m", "--two")
        assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_module(run: Run, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import ansible_runner, sys\nprint(__name__, sys.argv[1:], ansible_runner.__name__)\nsys.exit(3)\n"
    )
    done = run(*COMPAT, "-m", "program", "-x", "y")
    assert (done.returncode, done.stdout) == (3, "__main__ ['-x', 'y'] playstream.compat.ansible_runner\n")


def test_command_line_of_ansible_runner(run: Run) -> None:
    done = run(*COMPAT, "-m", "ansible_runner", "worker", "--worker-info")
    assert done.returncode == 0
    assert "mem_in_bytes" in done.stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "expected a program"),
        (("none.py",), "'none.py' cannot be read: No such file"),
        ((".",), "'.'"),
        (("-x", "none.py"), "unknown option '-x'"),
        (("-m",), "name of a module"),
        (("-m", "no.such"), "'no.such'"),
    ],
)
def test_nothing_to_run(words: tuple[str, ...], named: str, run: Run) -> None:
    done = run(*COMPAT, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("playstream.compat: ")
    assert named in done.stderr
    assert "usage: python -m playstream.compat SCRIPT" in done.stderr


def test_help(run: Run) -> None:
    done = run(*COMPAT, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "docs/compat.md" in done.stdout


def test_an_installed_ansible_runner_is_not_looked_at(
    run: Run, runner_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installed,) = runner_python.parents[1].glob("lib/python3*/site-packages")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    program = tmp_path / "program.py"
    program.write_text(
        "import ansible_runner, ansible_runner.runner, sys\n"
        "import playstream.compat.ansible_runner as ours\n"
        "from ansible_runner.utils.capacity import get_cpu_count\n"
        "print(ansible_runner is ours, ansible_runner.runner is ours.runner, ours.runner.__spec__.name)\n"
        "print(sorted(name for name, module in sys.modules.items() if 'ansible_runner/runner.py' in str(module)))\n"
        "try:\n    import ansible_runner.display_callback\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    assert run(program).stdout.startswith("False")
    assert run(*COMPAT, program).stdout.splitlines() == [
        "True True playstream.compat.ansible_runner.runner",
        "['ansible_runner.runner', 'playstream.compat.ansible_runner.runner']",
        "No module named 'ansible_runner.display_callback'",
    ]


def test_install(run: Run) -> None:
    text = (
        "import playstream.compat as c, sys; c.install(); finders = len(sys.meta_path); c.install()\n"
        "import ansible_runner; print(ansible_runner.__name__, len(sys.meta_path) == finders)"
    )
    assert run("-c", text).stdout == "playstream.compat.ansible_runner True\n"


def test_install_too_late(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ansible_runner.py").write_text("")
    done = run("-c", "import ansible_runner, playstream.compat as c; c.install()")
    assert done.returncode == 1
    assert "before anything imports it" in done.stderr


def test_plugins(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "site" / "told-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: told\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ansible_runner.plugins]\ntold = told\nbroken = no_such_module\n")
    (info.parent / "told.py").write_text("import ansible_runner\nWORD = ansible_runner.run.__module__\n")
    monkeypatch.setenv("PYTHONPATH", str(info.parent))
    (tmp_path / "program.py").write_text(
        "import ansible_runner, ansible_runner.plugins\n"
        "print({name: plugin.WORD for name, plugin in ansible_runner.plugins.items()})\n"
    )
    done = run(*COMPAT, "program.py")
    assert done.stdout == "{'told': 'playstream.compat.ansible_runner.interface'}\n", done.stderr


def test_transmit_refuses_a_name_that_it_does_not_know(run: Run, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import ansible_runner\n"
        "try:\n"
        "    ansible_runner.run(streamer='transmit', private_data_dir='.', playbook='site.yml', nonsense=1)\n"
        "except TypeError as error:\n"
        "    print(error)\n"
    )
    done = run(*COMPAT, "program.py")
    assert done.stdout == "Transmitter.__init__() got an unexpected keyword argument 'nonsense'\n", done.stderr
