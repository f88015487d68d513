"""The secrets of a job that are known before it runs, for Ansible to mask in its output and results.

ansible-core can mask secrets since 2.22 (`ansible.module_utils.secrets`). The callback plugin passes this list to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.job.inputs import VAULT_HEAD, load_mapping
from playstream.pipeline.job.passwords import sort_passwords
from playstream.pipeline.job.yaml_loader import ExactLoader
from playstream.pipeline.protocol import Job

FIRST_WITH_MASKS = (2, 22)
"""The first version of ansible-core that masks secrets."""
MIN_LENGTH = 4
"""Minimum length of a variable's value, which may be a word such as `on`. Passwords of any length are masked."""
_NAME = re.compile(
    r"(?:passw(?:or)?d|passphrase|secret|token|credential|creds|pwd|(?:^|[_.-]|db|ssh|pg|user)pass"
    r"|(?:api|access|secret|private|account|encryption|signing|shared|master|auth)[_-]?key)s?\d{0,3}\Z",
    re.IGNORECASE,
)
_PROMPT = re.compile(r"pass|secret|token|credential|\bpin\b", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"""([A-Za-z_][\w.-]*)\s*=\s*("[^"\n]*"|'[^'\n]*'|[^\s"']+)""")


def masks(version: object) -> bool:
    """Return whether this version of ansible-core masks the secrets that it is given."""
    found = re.match(r"(\d{1,9})\.(\d{1,9})", version) if isinstance(version, str) else None
    return found is not None and (int(found[1]), int(found[2])) >= FIRST_WITH_MASKS


def find_secrets(job: Job) -> list[str]:
    """Return the job's passwords and key, and the values of variables with a secret's name, without duplicates.

    Vaulted values are not included: only Ansible reads them, and `no_log` hides them.
    """
    passwords = sort_passwords(job.passwords)
    # The answer to a question, such as `yes`, need not be a secret.
    answers = [answer for prompt, answer in passwords.prompts.items() if _PROMPT.search(prompt)]
    named = (passwords.ssh, passwords.become, passwords.ssh_key, *passwords.vaults.values())
    found = [text for text in (*named, *answers, job.ssh_key) if text]
    given = (job.envvars, job.extravars, job.role_vars, job.settings, *job.plays)
    for values in (*given, *map(_read, (*job.extravars_texts, *job.inventory_contents))):
        found += _walk("", values, secret=False)
    return list(dict.fromkeys(found))


def is_secret_name(name: str) -> bool:
    """Return whether a variable with this name is a secret: `db_password`, `API_KEY`, `tokens`; not `token_url`."""
    return _NAME.search(name) is not None


def _walk(name: str, value: Any, *, secret: bool) -> Iterator[str]:
    secret = secret or is_secret_name(name)
    if isinstance(value, Mapping):
        if "__ansible_vault" not in value:
            for key, item in value.items():
                yield from _walk(str(key), item, secret=secret)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _walk("", item, secret=secret)
    elif secret and type(value) in (str, int, float) and len(text := str(value).strip()) >= MIN_LENGTH:
        yield text


def _read(text: str) -> Any:
    """Parse a text of variables or an inventory: YAML, JSON, or the assignments of an INI file."""
    if text.startswith(VAULT_HEAD):
        return {}
    try:
        return load_mapping("text", text, ExactLoader)
    except ConfigurationError:
        # A name may appear several times, for several hosts.
        return [{name: value.strip("'\"")} for name, value in _ASSIGNMENT.findall(text)]
