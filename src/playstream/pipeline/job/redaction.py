"""Redacting a command: hiding secrets in its environment and its arguments.

Only variables on an allow-list of names are shown (`is_harmless`). Their values, and the arguments of a command line,
are searched for what looks like a secret. In case of doubt, more is hidden.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

REDACTED = "***"

# The end of a name whose value is secret; a few words also count in the middle. Names of files and ssh's options
# (PasswordAuthentication) are not secrets. No pattern may take more than a fixed time for each character, because
# commands come from workers that are not trusted.
_NAME = (
    r"(?:(?:passw(?:or)?d|passphrase|secret|token|credential)[\w.-]{0,64}|pass|pwd|key|auth|creds)"
    r"(?<!file)(?<!files)(?<!path)(?<!dir)(?<!authentication)(?<!prompt)(?<!prompts)(?<!mechanism)"
)
_OPTION = rf"(?:--(?!ask-|private-key)|-(?!-))[\w-]{{0,64}}?{_NAME}"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\S+)"""
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), shown)
    for pattern, shown in (
        # A URL's password, up to the last @ before the next URL, because the password may contain unquoted characters.
        # A number before a path is a port.
        (r"(\w://[^\s:/@'\"?#]*:)(?!\d+(?:[/?#,]|$))(?:(?!\w{1,32}://)\S)*@", rf"\1{REDACTED}@"),
        # A token instead of a user.
        (r"(\bhttps?://)[^\s:/@'\"?#]+@", rf"\1{REDACTED}@"),
        # The same without a scheme, as used for proxies.
        (r"((?:^|[\s='\"])[\w.%+-]{1,128}:)(?!//)[^\s@'\"]{1,128}@(?=[\w\[])", rf"\1{REDACTED}@"),
        (rf"(\bsshpass(?:\s{{1,8}}\S{{1,256}}){{0,6}}?\s{{1,8}}(?-i:-[a-z]{{0,8}}p)\s*){_VALUE}", rf"\1{REDACTED}"),
        # Redis, as the cache plugins take it: HOST:PORT:DB:PASSWORD, and HOST:PORT;HOST:PORT;DB:PASSWORD.
        # A variable that is such a string alone may have spaces in the password.
        (r"\A((?:\w{1,16}://)?(?:\[[0-9a-f:.%]+\]|[^\s:;=/'\"]+):\d+:\d+:)[\s\S]+\Z", rf"\1{REDACTED}"),
        (r"\A([^\s=/'\"]*:\d+;\d+:)[\s\S]+\Z", rf"\1{REDACTED}"),
        (r"((?:^|[\s=/'\"])(?:\[[0-9a-f:.%]+\]|[^\s:;=/'\"]+):\d+:\d+:)\S+", rf"\1{REDACTED}"),
        (r"(:\d+;\d+:)\S+", rf"\1{REDACTED}"),
        # For other schemes and for cookies, the rest of the line.
        (r"(\bauthorization[\"']?\s*[:=]\s*)(?!(?:basic|bearer|token)\s)\S[^\n]*", rf"\1{REDACTED}"),
        (r"(\bcookie:\s*)\S[^\n]*", rf"\1{REDACTED}"),
        (rf"(\bauthorization[\"']?\s*[:=]\s*(?:basic|bearer|token)\s+){_VALUE}", rf"\1{REDACTED}"),
        (rf"({_NAME}[\"']?\s*[=:]\s*)(?!//){_VALUE}", rf"\1{REDACTED}"),
        (rf"((?:^|\s){_OPTION}\s+)(?!-){_VALUE}", rf"\1{REDACTED}"),
    )
)
_SECRET_OPTION = re.compile(_OPTION, re.IGNORECASE)
_MAX_VARIABLES = 1 << 16
"""Maximum length of variables that are parsed one by one."""
_EXTRA_VARS = re.compile(r"--e(?:x(?:t(?:r(?:a(?:-(?:v(?:a(?:r(?:s)?)?)?)?)?)?)?)?)?")
"""`--extra-vars` and the abbreviations that argparse accepts for it."""
_SSHPASS_OPTION = re.compile(r"-[a-z]{0,8}?p")
_ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=", re.ASCII)


def redact(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with secrets hidden: the values of all but harmless variables, and secrets in those."""
    return {name: redact_text(value) if is_harmless(name) else REDACTED for name, value in sorted(env.items())}


def redact_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return the command line with secrets hidden.

    This hides the values of extra variables, of variables that are not harmless and of options with the name of a
    secret, and secrets in other arguments.
    """
    by_sshpass = any(word.rpartition("/")[2] == "sshpass" for word in words)
    return tuple(
        (by_sshpass and _redact_password(before, word)) or _redact_word(before, word)
        for before, word in zip(("", *words), words, strict=False)
    )


def redact_text(text: str) -> str:
    """Hide passwords of URLs, of sshpass and of connection strings, and values with the name of a secret."""
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def _redact_word(before: str, word: str) -> str:
    option, equals, value = word.partition("=")
    if before in ("-e", "--env") or _EXTRA_VARS.fullmatch(before):
        return _redact_variables(word)
    if equals and (option == "--env" or _EXTRA_VARS.fullmatch(option)):
        return f"{option}={_redact_variables(value)}"
    if word.startswith("-e"):
        return f"-e{_redact_variables(word.removeprefix('-e'))}"
    if _SECRET_OPTION.fullmatch(before) and not word.startswith("-"):
        return REDACTED
    if (assigned := _ASSIGNMENT.match(word)) is not None:
        return _redact_assignment(assigned[1], value)
    return redact_text(word)


def _redact_password(before: str, word: str) -> str | None:
    """Hide sshpass's `-p PASSWORD` or `-pPASSWORD`; None if the word is neither."""
    if _SSHPASS_OPTION.fullmatch(before):
        return REDACTED
    found = _SSHPASS_OPTION.match(word)
    return found[0] + REDACTED if found is not None and found[0] != word else None


def _redact_variables(text: str) -> str:
    """Redact variables as in Ansible's -e (a file, NAME=VALUE …, YAML or JSON) or an engine's --env NAME=VALUE."""
    if text.startswith("@"):
        return text
    if text.lstrip().startswith(("{", "[")) or len(text) > _MAX_VARIABLES:
        return REDACTED
    if "=" not in text:
        return redact_text(text)
    try:
        parts = shlex.split(text)
    except ValueError:
        parts = [text]
    # Text outside of an assignment is the rest of a value without quotes.
    return " ".join(
        _redact_assignment(name, value) if equals and re.fullmatch(r"[\w.-]+", name) else REDACTED
        for name, equals, value in (part.partition("=") for part in parts)
    )


def _redact_assignment(name: str, value: str) -> str:
    return f"{name}={redact_text(value) if is_harmless(name) else REDACTED}"


# An allow-list, because a name does not show whether a value is secret.
# The variables of ansible-core and its own plugins, except passwords, passphrases, keys and headers. Variables of other
# plugins are not listed (ANSIBLE_HASHI_VAULT_TOKEN).
_ANSIBLE: Final = """
    ACTION_PLUGINS ACTION_WARNINGS ADMIN_USERS AGNOSTIC_BECOME_PROMPT ALLOW_BROKEN_CONDITIONALS
    ALLOW_EMBEDDED_TEMPLATES ANY_ERRORS_FATAL ASYNC_DIR BECOME BECOME_ALLOW_SAME_USER BECOME_EXE BECOME_FLAGS
    BECOME_METHOD BECOME_PASSWORD_FILE BECOME_PLUGINS BECOME_USER CACHE_JSONFILE_PERSIST_METADATA CACHE_PLUGIN
    CACHE_PLUGINS CACHE_PLUGIN_CONNECTION CACHE_PLUGIN_PREFIX CACHE_PLUGIN_TIMEOUT CALLBACKS_ENABLED
    CALLBACK_FORMAT_PRETTY
    CALLBACK_PLUGINS CALLBACK_RESULT_FORMAT CALLBACK_TREE_DIR CALLBACK_WHITELIST CHECK_MODE_MARKERS
    CLICONF_PLUGINS COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH COLLECTIONS_PATH COLLECTIONS_PATHS
    COLLECTIONS_SCAN_SYS_PATH COLOR_CHANGED COLOR_CONSOLE_PROMPT COLOR_DEBUG COLOR_DEPRECATE COLOR_DIFF_ADD
    COLOR_DIFF_LINES COLOR_DIFF_REMOVE COLOR_DOC_CONSTANT COLOR_DOC_DEPRECATED COLOR_DOC_LINK COLOR_DOC_MODULE
    COLOR_DOC_PLUGIN COLOR_DOC_REFERENCE COLOR_ERROR COLOR_HIGHLIGHT COLOR_INCLUDED COLOR_OK COLOR_SKIP
    COLOR_UNREACHABLE COLOR_VERBOSE COLOR_WARN COMMAND_WARNINGS COMMON_REMOTE_GROUP CONFIG
    CONNECTION_PASSWORD_FILE CONNECTION_PATH CONNECTION_PLUGINS COW_ACCEPTLIST COW_PATH COW_SELECTION DEBUG
    DEPRECATION_WARNINGS DEVEL_WARNING DIFF_ALWAYS DIFF_CONTEXT DISPLAY_ARGS_TO_STDOUT DISPLAY_FAILED_STDERR
    DISPLAY_OK_HOSTS DISPLAY_SKIPPED_HOSTS DISPLAY_TRACEBACK DOC_FRAGMENT_PLUGINS DUPLICATE_YAML_DICT_KEY EDITOR
    ENABLE_TASK_DEBUGGER ERROR_ON_MISSING_HANDLER ERROR_ON_UNDEFINED_VARS EXECUTABLE FACTS_MODULES
    FILTER_PLUGINS FORCE_COLOR FORCE_HANDLERS FORKS GALAXY_CACHE_DIR GALAXY_COLLECTIONS_PATH_WARNING
    GALAXY_COLLECTION_IMPORT_POLL_FACTOR GALAXY_COLLECTION_IMPORT_POLL_INTERVAL GALAXY_COLLECTION_SKELETON
    GALAXY_COLLECTION_SKELETON_IGNORE GALAXY_DISABLE_GPG_VERIFY GALAXY_DISPLAY_PROGRESS GALAXY_GPG_KEYRING
    GALAXY_IGNORE GALAXY_IGNORE_SIGNATURE_STATUS_CODES GALAXY_REQUIRED_VALID_SIGNATURE_COUNT
    GALAXY_ROLE_SKELETON GALAXY_ROLE_SKELETON_IGNORE GALAXY_SERVER GALAXY_SERVER_LIST GALAXY_SERVER_TIMEOUT
    GALAXY_TOKEN_PATH GATHERING HASH_BEHAVIOUR HOME HOST_KEY_CHECKING HOST_PATTERN_MISMATCH HTTPAPI_PLUGINS
    INJECT_FACT_VARS INJECT_INVOCATION INVALID_TASK_ATTRIBUTE_FAILED INVENTORY INVENTORY_ANY_UNPARSED_IS_FAILED
    INVENTORY_CACHE INVENTORY_CACHE_CONNECTION INVENTORY_CACHE_PLUGIN INVENTORY_CACHE_PLUGIN_PREFIX
    INVENTORY_CACHE_TIMEOUT INVENTORY_ENABLED INVENTORY_EXPORT INVENTORY_IGNORE INVENTORY_IGNORE_REGEX INVENTORY_PLUGINS
    INVENTORY_PLUGIN_EXTS INVENTORY_PLUGIN_SCRIPT_STDERR INVENTORY_UNPARSED_FAILED INVENTORY_UNPARSED_WARNING
    INVENTORY_USE_EXTRA_VARS JINJA2_EXTENSIONS JINJA2_NATIVE KEEP_REMOTE_FILES LIBRARY LIBVIRT_LXC_NOSECLABEL
    LOAD_CALLBACK_PLUGINS LOCALHOST_WARNING LOCAL_TEMP LOG_FILTER LOG_PATH LOG_VERBOSITY LOOKUP_PLUGINS
    LOOKUP_URL_AGENT LOOKUP_URL_CA_PATH LOOKUP_URL_CIPHERS LOOKUP_URL_FOLLOW_REDIRECTS LOOKUP_URL_FORCE
    LOOKUP_URL_FORCE_BASIC_AUTH LOOKUP_URL_TIMEOUT LOOKUP_URL_UNIX_SOCKET LOOKUP_URL_USE_GSSAPI
    LOOKUP_URL_USE_NETRC MAX_DIFF_SIZE MODULE_IGNORE_EXTS MODULE_STRICT_UTF8_RESPONSE MODULE_UTILS
    NETCONF_PLUGINS NETCONF_SSH_CONFIG NETWORK_CLI_RETRIES NETWORK_GROUP_MODULES NOCOLOR NOCOWS NO_LOG
    NO_TARGET_SYSLOG NULL_REPRESENTATION OLD_PLUGIN_CACHE_CLEAR PAGER PARAMIKO_BANNER_TIMEOUT
    PARAMIKO_HOST_KEY_AUTO_ADD PARAMIKO_HOST_KEY_CHECKING PARAMIKO_LOOK_FOR_KEYS PARAMIKO_PRIVATE_KEY_FILE
    PARAMIKO_PROXY_COMMAND PARAMIKO_PTY PARAMIKO_RECORD_HOST_KEYS PARAMIKO_REMOTE_USER PARAMIKO_TIMEOUT
    PARAMIKO_USE_RSA_SHA2_ALGORITHMS PERSISTENT_COMMAND_TIMEOUT PERSISTENT_CONNECT_RETRY_TIMEOUT
    PERSISTENT_CONNECT_TIMEOUT PERSISTENT_CONTROL_PATH_DIR PERSISTENT_LOG_MESSAGES PIPELINING PKCS11_PROVIDER
    PLAYBOOK_DIR PLAYBOOK_VARS_ROOT POLL_INTERVAL PRECEDENCE PRIVATE_KEY_FILE PRIVATE_ROLE_VARS
    PYTHON_INTERPRETER PYTHON_MODULE_RLIMIT_NOFILE REMOTE_PARAMIKO_PORT REMOTE_PORT REMOTE_TEMP REMOTE_TMP
    REMOTE_USER RETRY_FILES RETRY_FILES_ENABLED RETRY_FILES_SAVE_PATH ROLES_PATH RUNAS_FLAGS RUNAS_USER RUN_TAGS
    RUN_VARS_PLUGINS SCP_EXECUTABLE SCP_EXTRA_ARGS SCP_IF_SSH SELINUX_SPECIAL_FS SFTP_BATCH_MODE SFTP_EXECUTABLE
    SFTP_EXTRA_ARGS SHELL_ALLOW_WORLD_READABLE_TEMP SHOW_CUSTOM_STATS SHOW_PER_HOST_START
    SHOW_TASK_PATH_ON_FAILURE SKIP_TAGS SSHPASS_PROMPT SSH_AGENT SSH_AGENT_EXECUTABLE SSH_AGENT_KEY_LIFETIME
    SSH_ARGS SSH_COMMON_ARGS SSH_CONTROL_PATH SSH_CONTROL_PATH_DIR SSH_EXECUTABLE SSH_EXTRA_ARGS
    SSH_HOST_KEY_CHECKING SSH_PASSWORD_MECHANISM SSH_PIPELINING SSH_RETRIES SSH_TIMEOUT SSH_TRANSFER_METHOD
    SSH_USETTY SSH_VERBOSITY STDOUT_CALLBACK STRATEGY STRATEGY_PLUGINS STRING_TYPE_FILTERS SU SUDO_CHDIR
    SUDO_EXE SUDO_FLAGS SUDO_USER SU_EXE SU_FLAGS SU_PROMPT_L10N SU_USER SYSLOG_FACILITY SYSTEM_TMPDIRS
    SYSTEM_WARNINGS TARGET_LOG_INFO TASK_DEBUGGER_IGNORE_ERRORS TASK_TIMEOUT TERMINAL_PLUGINS TIMEOUT
    TRANSFORM_INVALID_GROUP_CHARS TRANSPORT UNSAFE_WRITES USE_PERSISTENT_CONNECTIONS
    VALIDATE_ACTION_GROUP_METADATA VARS_ENABLED VARS_PLUGINS VARS_PLUGIN_STAGE VAULT_ENCRYPT_IDENTITY
    VAULT_IDENTITY VAULT_IDENTITY_LIST VAULT_PASSWORD_FILE VERBOSE_TO_STDERR VERBOSITY WIN_ASYNC_STARTUP_TIMEOUT
    WORKER_SESSION_ISOLATION WORKER_SHUTDOWN_POLL_COUNT WORKER_SHUTDOWN_POLL_DELAY YAML_FILENAME_EXT
"""
_OTHERS: Final = """
    COLUMNS EDITOR HOME HOSTNAME LANG LANGUAGE LINES LOGNAME NO_COLOR OLDPWD PAGER PATH PWD SHELL SHLVL TERM TMPDIR TZ
    USER VIRTUAL_ENV
    PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONHOME PYTHONIOENCODING PYTHONNOUSERSITE PYTHONOPTIMIZE PYTHONPATH
    PYTHONUNBUFFERED PYTHONUTF8 PYTHONWARNINGS
    XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_SESSION_ID
    XDG_STATE_HOME
    PLAYSTREAM_EVENTS PLAYSTREAM_IDENT PLAYSTREAM_ORIGIN PLAYSTREAM_SPOOL
    AD_HOC_COMMAND_ID JOB_ID MAX_EVENT_RES PROJECT_UPDATE_ID RUNNER_OMIT_EVENTS RUNNER_ONLY_FAILED_EVENTS
"""
_HARMLESS: Final = frozenset([*_OTHERS.split(), *(f"ANSIBLE_{name}" for name in _ANSIBLE.split())])
_LOCALE: Final = re.compile(r"LC_[A-Z]+")


def is_harmless(name: str) -> bool:
    """Return whether the value of the variable may be shown."""
    return name in _HARMLESS or _LOCALE.fullmatch(name) is not None
