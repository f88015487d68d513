"""A small image with Ansible for podman, made of this machine's own files: no registry and no download.

Python, ansible-core and what it imports come from the tests' own virtual environment; the shell, the small programs
and every library they need from this host. It takes about two seconds, so nothing is cached.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

IMAGE = "localhost/playstream-test:latest"

_PROGRAMS = (
    "sh",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "dirname",
    "env",
    "false",
    "grep",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "sed",
    "sleep",
    "sort",
    "stat",
    "stty",
    "tail",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "tty",
    "uname",
    "wc",
    "whoami",
    "ssh",
    "ssh-add",
    "ssh-agent",
)
_PACKAGES = ("ansible", "jinja2", "markupsafe", "yaml", "_yaml", "packaging", "resolvelib")
_DISTRIBUTIONS = ("ansible_core_", "jinja2_", "markupsafe_", "pyyaml_", "packaging_", "resolvelib_")
_UNUSED = {
    "__pycache__",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "pydoc_data",
    "site-packages",
    "dist-packages",
}
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LIBRARIES = f"usr/lib/{sysconfig.get_config_var('MULTIARCH')}"
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": "/opt/ansible", "LANG": "C.UTF-8"}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "usr/bin/python3": _VERSION}
_DIRECTORIES = {
    "root": 0o700,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
    "run": 0o755,
    "proc": 0o755,
    "sys": 0o755,
    "dev": 0o755,
    "home": 0o755,
}
_PROGRAM = """\
#!/usr/bin/python3
import sys
from ansible.cli.{module} import main
sys.exit(main())
"""


def import_image(directory: Path, env: Mapping[str, str]) -> None:
    """Make the image in `directory` and give it to podman.

    Raises:
        AssertionError: podman refused it; the message is podman's.
    """
    tar = directory / "image.tar"
    _make_tar(tar)
    changes = [word for name, value in _ENVIRONMENT.items() for word in ("--change", f"ENV {name}={value}")]
    words = ["podman", "import", "--quiet", *changes, str(tar), IMAGE]
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tar.unlink()


def _make_tar(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        for name, mode in _DIRECTORIES.items():
            _add(tar, name, tarfile.DIRTYPE, mode)
        for name, target in _LINKS.items():
            _add(tar, name, tarfile.SYMTYPE, 0o777, link=target)
        for name, text in _FILES.items():
            _add(tar, name, tarfile.REGTYPE, 0o644, text.encode())
        for command, module in (("ansible", "adhoc"), ("ansible-playbook", "playbook")):
            _add(tar, f"usr/local/bin/{command}", tarfile.REGTYPE, 0o755, _PROGRAM.format(module=module).encode())
        linked = [*_add_programs(tar), *_add_python(tar)]
        for place, library in sorted(_find_libraries(linked).items()):
            _add(tar, place, tarfile.REGTYPE, 0o755, library.read_bytes())


def _add_programs(tar: tarfile.TarFile) -> Iterator[Path]:
    for name in _PROGRAMS:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None, f"{name} is not on this host"
        _add(tar, f"usr/bin/{name}", tarfile.REGTYPE, 0o755, Path(found).read_bytes())
        yield Path(found)


def _add_python(tar: tarfile.TarFile) -> Iterator[Path]:
    """The interpreter, its standard library and the packages; yields what needs libraries."""
    interpreter = Path(sys.executable).resolve()
    _add(tar, f"usr/bin/{_VERSION}", tarfile.REGTYPE, 0o755, interpreter.read_bytes())
    yield interpreter
    site = Path(sysconfig.get_path("purelib"))
    trees = [(Path(sysconfig.get_path("stdlib")), f"usr/lib/{_VERSION}")]
    trees += [(site / name, f"opt/ansible/{name}") for name in _PACKAGES if (site / name).is_dir()]
    trees += [
        (item, f"opt/ansible/{item.name}")
        for item in site.glob("*.dist-info")
        if item.name.lower().replace("-", "_").startswith(_DISTRIBUTIONS)
    ]
    trees.append((Path("/usr/lib/locale/C.utf8"), "usr/lib/locale/C.utf8"))
    for source, target in trees:
        for file in _walk(source, everything="ansible" in target):
            _add(tar, f"{target}/{file.relative_to(source)}", tarfile.REGTYPE, 0o644, file.read_bytes())
            if ".so" in file.suffixes:
                yield file


def _walk(directory: Path, *, everything: bool) -> Iterator[Path]:
    for item in sorted(directory.iterdir()):
        if item.is_dir():
            unused = item.name == "__pycache__" or (not everything and item.name in _UNUSED)
            if not unused and not item.name.startswith("config-"):
                yield from _walk(item, everything=everything)
        elif item.suffix not in {".pyc", ".a", ".whl"} and item.is_file():
            yield item


def _find_libraries(linked: Iterable[Path]) -> dict[str, Path]:
    """Libraries by their place in the image: all beside libc, but the loader, whose path stands in each program."""
    # ldd fails when one extension module lacks its library on this host; that module is not of interest then.
    listing = subprocess.run(["ldd", *linked], check=False, capture_output=True, text=True).stdout
    found = [Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listing, re.MULTILINE)]
    # libc loads this one by itself, when a thread ends.
    found += [path.with_name("libgcc_s.so.1") for path in found if path.name == "libc.so.6"][:1]
    return {f"usr{path}" if path.name.startswith("ld-") else f"{_LIBRARIES}/{path.name}": path for path in found}


def _add(tar: tarfile.TarFile, name: str, kind: bytes, mode: int, data: bytes = b"", *, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.linkname = kind, mode, len(data), link
    tar.addfile(member, io.BytesIO(data))
