"""What is hidden of an environment and of a command line, and what is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playstream.pipeline.job.redaction import REDACTED, is_harmless, redact, redact_text, redact_words

PW = "xyZZy-4711"


@pytest.mark.parametrize(
    "name",
    [
        "PLAYSTREAM_STORE",
        "MY_TOKEN",
        "ANSIBLE_HASHI_VAULT_TOKEN",
        "ANSIBLE_BECOME_PASS",
        "ANSIBLE_NET_PASSWORD",
        "FOO",
        "ANSIBLE_PRIVATE_KEY_PASSPHRASE",
        "PYTHON_KEYRING",
        "XDG_SECRET",
        "http_proxy",
        "BASH_ENV",
        "path",
        "PATH2",
    ],
)
def test_a_variable_that_is_not_on_the_list_is_hidden(name: str) -> None:
    assert redact({name: "harmless"}) == {name: "***"}
    assert redact_words(["env", f"{name}=x", "-e", f"{name}=x", f"--env={name}=x"])[2:] == (
        "-e",
        f"{name}=***",
        f"--env={name}=***",
    )


def test_a_variable_on_the_list_is_shown() -> None:
    shown = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_FORKS": "5",
        "ANSIBLE_ROLES_PATH": "/a:/b",
        "ANSIBLE_VAULT_PASSWORD_FILE": "/run/vault",
        "PLAYSTREAM_IDENT": "7",
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o PasswordAuthentication=no -o IdentityFile=/key",
    }
    assert redact(shown) == dict(sorted(shown.items()))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"postgresql://u:{PW}@h/db", "postgresql://u:***@h/db"),
        (f"postgresql://u:a/b?{PW}@h/db", "postgresql://u:***@h/db"),
        (f"redis://:{PW}@h:6379/0", "redis://:***@h:6379/0"),
        (f"https://u:p@{PW}@h/x and https://v:{PW}@h2", "https://u:***@h/x and https://v:***@h2"),
        (f"http://a:{PW}@h,http://b:{PW}@i", "http://a:***@h,http://b:***@i"),
        (f"https://{PW}@github.com/org/repo", "https://***@github.com/org/repo"),
        ("ssh://git@host:22/repo https://host:8443/a@b", "ssh://git@host:22/repo https://host:8443/a@b"),
        (f"h:6379:0:{PW}", "h:6379:0:***"),
        (f"[::1]:6379:0:{PW}", "[::1]:6379:0:***"),
        (f"tls://h:6379:0:{PW}", "tls://h:6379:0:***"),
        (f"h1:26379;h2:26379;0:{PW}", "h1:26379;h2:26379;0:***"),
        (f"h:6379:0:{PW} and {PW}", "h:6379:0:***"),
        (f"h1:26379;h2:26379;0:{PW} {PW}", "h1:26379;h2:26379;0:***"),
        (f"127.0.0.1:11211,h2:11211 mongodb://u:{PW}@h", "127.0.0.1:11211,h2:11211 mongodb://u:***@h"),
        (
            f"curl --proxy bob:{PW}@proxy:3128 git@host:22 -x='a:{PW}@[::1]:1'",
            "curl --proxy bob:***@proxy:3128 git@host:22 -x='a:***@[::1]:1'",
        ),
        (f'-o ProxyCommand="sshpass -p {PW} ssh -W %h:%p gate"', '-o ProxyCommand="sshpass -p *** ssh -W %h:%p gate"'),
        (f"sshpass -v -p'{PW} x' ssh", "sshpass -v -p*** ssh"),
        (f'sshpass -P Word -p "{PW} \\" x" ssh', "sshpass -P Word -p *** ssh"),
        ("sshpass -f /file ssh", "sshpass -f /file ssh"),
        (f"host=h password='{PW} x' dbname=d", "host=h password=*** dbname=d"),
        (f"DefaultEndpointsProtocol=https;AccountKey={PW}==", "DefaultEndpointsProtocol=https;AccountKey=***"),
        (f"name=bob password={PW} state=present", "name=bob password=*** state=present"),
        (f'{{"name": "bob", "password": "{PW} \\"x", "a": 1}}', '{"name": "bob", "password": ***, "a": 1}'),
        (f"curl -H 'Authorization: Bearer {PW}' x", "curl -H 'Authorization: Bearer *** x"),
        (f"curl -H 'Authorization: {PW}' x\ny", "curl -H 'Authorization: ***\ny"),
        (f'Authorization=Digest username="bob", response="{PW}"', "Authorization=***"),
        (f"wget --header 'Cookie: id={PW}; b={PW}'", "wget --header 'Cookie: ***"),
        (f"tool --api-token {PW} --ask-pass x", "tool --api-token *** --ask-pass x"),
        ("private_key_file=/key vault_password_file=/vault --ask-become-pass -v", None),
    ],
)
def test_secrets_in_a_value(given: str, shown: str | None) -> None:
    expected = given if shown is None else shown
    assert redact_text(given) == expected
    assert redact({"ANSIBLE_SSH_COMMON_ARGS": given}) == {"ANSIBLE_SSH_COMMON_ARGS": expected}
    assert redact_words(["ansible", "-a", given]) == ("ansible", "-a", expected)


@pytest.mark.parametrize(
    "text",
    [
        f"mysql -u root -p{PW}",
        f"curl -u bob:{PW} x",
        f"redis-cli -a {PW}",
        f"ldapsearch -w {PW}",
        f"sqlplus bob/{PW}@db",
    ],
)
def test_a_password_without_a_mark_is_shown(text: str) -> None:
    """As docs/security.md says; those that write it have `no_log` and `env/passwords`."""
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-e", f"password={PW}"], ["-e", "password=***"]),
        (["-e", f"release={PW} b='{PW} x=y' c"], ["-e", "release=*** b=*** ***"]),
        (["-e", f'b="{PW}'], ["-e", "b=***"]),
        (["-e", f'{{"a": "{PW}"}}'], ["-e", "***"]),
        (["-e", "@vars.yml", "-e@more.yml"], ["-e", "@vars.yml", "-e@more.yml"]),
        ([f"-epassword={PW}"], ["-epassword=***"]),
        (["--extra-vars", f"a={PW}"], ["--extra-vars", "a=***"]),
        (
            [f"--extra-vars=a={PW}", f"--extra=a={PW}", "--ex", f"{{a: {PW}}}"],
            ["--extra-vars=a=***", "--extra=a=***", "--ex", "***"],
        ),
        (["sshpass", "-p", PW, "ansible", "all"], ["sshpass", "-p", "***", "ansible", "all"]),
        (["/usr/bin/sshpass", f"-vp{PW}", "ssh"], ["/usr/bin/sshpass", "-vp***", "ssh"]),
        (["ansible-galaxy", "--token", PW, f"--api-key={PW}"], ["ansible-galaxy", "--token", "***", "--api-key=***"]),
        (
            ["ansible-playbook", "--ask-pass", "site.yml", "--private-key", "/k", "-p", "x"],
            ["ansible-playbook", "--ask-pass", "site.yml", "--private-key", "/k", "-p", "x"],
        ),
        (
            ["--env", "A", "--env", "PATH=/bin", "--env", f"ODD={PW}"],
            ["--env", "A", "--env", "PATH=/bin", "--env", "ODD=***"],
        ),
        ([f"AWS_SECRET={PW}", "LANG=C"], ["AWS_SECRET=***", "LANG=C"]),
    ],
)
def test_secrets_in_a_command_line(words: list[str], shown: list[str]) -> None:
    assert list(redact_words(words)) == shown


@pytest.mark.parametrize(
    "piece",
    [
        "=a:",
        " a:b",
        "cookie:",
        "authorization:",
        "a",
        "://",
        "a://b:",
        "secret",
        "key=",
        "sshpass ",
        "sshpass -",
        "=",
        "=[",
        ":1",
        "--a",
        " --key",
        '"',
        "token='",
        "\\",
    ],
)
def test_a_long_text_takes_no_longer_for_each_character(piece: str) -> None:
    """A pattern that went over the rest of the text at each of its characters would not come to an end here."""
    text = piece * (1_000_000 // len(piece))
    redact_text(text)
    redact_words(["-e", text, "sshpass", *[piece] * 10_000])


@given(st.text(), st.lists(st.text()))
def test_what_is_hidden_stays_hidden_and_nothing_raises(text: str, words: list[str]) -> None:
    once = redact_words([text, *words])
    assert len(once) == len(words) + 1
    assert redact({"PATH": text}) == redact({"PATH": text})


@given(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[A-Za-z0-9@:/?&%.-]{1,30}", fullmatch=True))
def test_any_password_of_a_url(user: str, password: str) -> None:
    if not re.split("[/?]", password)[0].isdigit() and "://" not in password:  # else it is a port, and then a path
        assert redact_text(f"amqp://{user}:{password}@host.example/x") == f"amqp://{user}:{REDACTED}@host.example/x"


def test_names_are_judged_as_a_whole() -> None:
    assert not any(is_harmless(name) for name in ("XPATH", "PATH\n", "ANSIBLE_", "ANSIBLE_FORKS2", "LC_", "lc_all"))
