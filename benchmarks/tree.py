"""The generated private data directories: the same bytes for the same arguments, on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEED = 20
_DIRECTORIES = 200
_SMALLEST, _LARGEST = 200, 4000
_PIECE = 1 << 20
_PHRASES = 200_000

_COMMON = (
    "the of and to in is for on with as by at from be this that are or an not have has it was will can all which "
    "when if each one their more other out up about into than then them only some could time two may first any new "
    "work part take get place made live where after back little round man year came show every good give our under "
    "host task play role file path name user group service package template handler variable inventory module "
    "server client network address port database backup restore install configure enable disable restart reload "
    "copy fetch archive extract directory owner permission mode state present absent latest started stopped "
    "production staging development release version update upgrade repository branch commit deploy cluster node"
)
_ONSETS = "b br c ch cl d dr f fl g gr h j k l m n p pl pr qu r s sh sp st str t th tr v w"
_VOWELS = "a e i o u ai ea ee ou io"
_CODAS = "n r s t l m d ck nd nt st rm sk th ng ve ct ss"


@dataclass(frozen=True, slots=True)
class TreeSize:
    """How much is generated: small files, and the bytes of each of the two large files."""

    files: int = 20_000
    large: int = 128 << 20

    def scaled(self, factor: float) -> TreeSize:
        """The same tree, larger or smaller."""
        return TreeSize(max(1, round(self.files * factor)), max(1, round(self.large * factor)))

    def __str__(self) -> str:
        return f"{self.files:,} small files and two of {self.large / (1 << 20):.4g} MiB"


def make_tree(root: Path, size: TreeSize, seed: int = SEED) -> None:
    """A private data directory whose job is one debug task on localhost, with content of `size` beside it.

    Args:
        root: where to make it.
        size: how much to make.
        seed: what chance starts from. Another one gives files of the same names with other bytes.
    """
    _make_job(root, "localhost ansible_connection=local\n", tasks=1)
    numbers = random.Random(seed)
    phrases = _make_phrases(numbers)
    files = root / "project" / "files"
    for index in range(_DIRECTORIES):
        (files / f"part{index:03}").mkdir(parents=True)
    for index in range(size.files):
        text = _small_text(numbers, phrases)
        (files / f"part{index % _DIRECTORIES:03}" / f"file{index:05}.txt").write_bytes(text)
    _write(root / "project" / "random.bin", iter(lambda: numbers.randbytes(_PIECE), None), size.large)
    _write(root / "project" / "words.txt", _text(numbers, phrases), size.large)


def make_events_job(root: Path, *, hosts: int, tasks: int) -> None:
    """A private data directory whose job runs `tasks` debug tasks on each of `hosts` hosts."""
    inventory = "".join(f"host{index:03} ansible_connection=local\n" for index in range(hosts))
    _make_job(root, inventory, tasks)


def _make_job(root: Path, inventory: str, tasks: int) -> None:
    (root / "project").mkdir(parents=True)
    (root / "inventory").mkdir()
    (root / "inventory" / "hosts").write_text(inventory)
    lines = ["- hosts: all", "  gather_facts: false", "  tasks:"]
    for index in range(tasks):
        lines += [
            f"    - name: Say the message number {index}",
            "      ansible.builtin.debug:",
            f"        msg: Message {index} of {{{{ inventory_hostname }}}}, with some words behind it",
        ]
    (root / "project" / "site.yml").write_text("\n".join(lines) + "\n")


def _make_phrases(numbers: random.Random) -> list[str]:
    """Three words each, drawn as often as words of a language are (Zipf's law)."""
    words = list(dict.fromkeys(_COMMON.split()))
    known = set(words)
    onsets, vowels, codas = _ONSETS.split(), _VOWELS.split(), _CODAS.split()
    while len(words) < 8000:
        word = "".join(
            numbers.choice(onsets) + numbers.choice(vowels) + numbers.choice(codas)
            for _ in range(numbers.randint(1, 3))
        )
        if word not in known:
            known.add(word)
            words.append(word)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    drawn = numbers.choices(words, weights, k=3 * _PHRASES)
    phrases = [" ".join(drawn[start : start + 3]) for start in range(0, len(drawn), 3)]
    return [phrase + numbers.choice((" ", " ", " ", " ", ", ", ".\n")) for phrase in phrases]


def _small_text(numbers: random.Random, phrases: list[str]) -> bytes:
    wanted = numbers.randint(_SMALLEST, _LARGEST)
    text = "".join(numbers.choices(phrases, k=wanted // 12 + 1)).encode()
    return text[:wanted]


def _text(numbers: random.Random, phrases: list[str]) -> Iterator[bytes]:
    while True:
        yield "".join(numbers.choices(phrases, k=50_000)).encode()


def _write(path: Path, pieces: Iterator[bytes], size: int) -> None:
    with path.open("wb") as file:
        left = size
        while left:
            piece = next(pieces)[:left]
            file.write(piece)
            left -= len(piece)
