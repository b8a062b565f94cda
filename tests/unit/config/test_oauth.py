"""`[relay.oauth]`: what each flow needs and takes, and what is made of it."""

import json
import os
from pathlib import Path

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import assertion
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from tests.support.config_files import Files, only
from tests.support.configs import relay_of
from tests.support.service_account import KEY

CLIENT = """
flow = "client_credentials"
token_url = "https://login.acme.zz/token"
client_id = "app"
client_secret = "a-secret-of-the-app"
scope = "https://outlook.office365.com/.default"
"""
NO_PASSWORD: dict[str, str | None] = {"mail_username": None, "mail_password": None}


def table(text: str) -> str:
    return f"[relay.oauth]\n{text.strip()}\n"


def made(files: Files, text: str, **changes: str | None) -> OAuthConfig:
    relay = relay_of(files.load(table(text), **NO_PASSWORD, **changes))
    assert relay.oauth is not None
    assert relay.password is None
    return relay.oauth


def test_client_credentials_make_a_login_of_the_from_address(files: Files) -> None:
    """Or of the mailbox that is named; the secret may stand in a file of its own."""
    (files.folder / "secret").write_text("from-a-file\n")
    text = CLIENT.replace('client_secret = "a-secret-of-the-app"', f'client_secret_path = "{files.folder}/secret"')
    found = made(files, text)
    assert (found.flow, found.token_url, found.client_id) == (
        Flow.CLIENT_CREDENTIALS,
        "https://login.acme.zz/token",
        "app",
    )
    assert found.client_secret == Secret("from-a-file")
    assert relay_of(files.load(table(CLIENT), **NO_PASSWORD)).username == "idm@example.com"
    named = {"mail_username": '"other@example.com"', "mail_password": None}
    assert relay_of(files.load(table(CLIENT), **named)).username == "other@example.com"
    assert not any("no login" in warning for warning in files.load(table(CLIENT), **NO_PASSWORD).warnings)


def test_a_service_account_is_read_from_its_file(files: Files) -> None:
    """Its token endpoint, too; the mailbox is the login's, if no other is named."""
    path = files.folder / "key.json"
    path.write_text(json.dumps(KEY))
    path.chmod(0o644)
    text = f'flow = "service_account"\nservice_account_path = "{path}"\nscope = "https://mail.google.com/"\n'
    found = made(files, text)
    assert found.account is not None
    assert (found.account.email, found.account.key_id) == ("mail@project.iam.gserviceaccount.com", "key-1")
    assert (found.token_url, found.mailbox) == ("https://oauth2.googleapis.com/token", "idm@example.com")
    assert made(files, text + 'mailbox = "box@example.com"').mailbox == "box@example.com"
    config = files.load(table(text), **NO_PASSWORD)
    assert path in config.files
    assert any(f"{path} holds secrets and is open to everybody" in warning for warning in config.warnings)


def test_a_refresh_token_is_kept_where_the_ledger_is(files: Files) -> None:
    """In memory, if the ledger is there."""
    text = 'flow = "refresh_token"\ntoken_url = "http://127.0.0.1:8080/token"\nclient_id = "app"\nrefresh_token = "r-1"\n'
    ledger = f'[ledger]\npath = "{files.folder}"\n'
    state = made(files, f"{text}{ledger}").state
    assert state is not None
    assert state.path == files.folder
    assert made(files, f'{text}[ledger]\nkind = "memory"\n').state is None


def test_a_command_needs_nothing_else(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is not there is a warning: it may come later."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.acme.zz:3128")
    found = made(files, 'flow = "command"\ncommand = ["/nowhere/print-token", "a-secret-word"]\n')
    assert found.place == "the command /nowhere/print-token"
    assert "a-secret-word" not in repr(found)
    line = made(files, 'flow = "command"\ncommand = ["print-token a-secret-word"]\n')
    assert line.place == "the command print-token ..."
    assert made(files, CLIENT).proxy == Secret("http://proxy.acme.zz:3128")
    config = files.load(table('flow = "command"\ncommand = ["/nowhere/print-token"]\n'), **NO_PASSWORD)
    assert "[relay.oauth] command: /nowhere/print-token is no program that can be run here" in config.warnings


def test_a_token_endpoint_with_an_impossible_port_is_one_fault_also_behind_a_proxy(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way through the proxy is looked at before the key's own check has refused the URL."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.acme.zz:3128")
    text = CLIENT.replace("login.acme.zz", "login.acme.zz:99999")
    assert only(files.faults(table(text), **NO_PASSWORD)).key == "relay.oauth.token_url"


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        (CLIENT.replace('flow = "client_credentials"', ""), "flow", "is missing"),
        (CLIENT.replace("client_credentials", "password"), "flow", '"password"'),
        (CLIENT.replace('client_id = "app"', ""), "client_id", "is missing"),
        (CLIENT.replace('client_secret = "a-secret-of-the-app"', ""), "client_secret", "is missing"),
        (CLIENT.replace("https://login", "http://login"), "token_url", "is no https:// URL"),
        (CLIENT + 'refresh_token = "r-secret-1"', "refresh_token", "does not use it"),
        (CLIENT + 'tenant = "acme.zz"', "tenant", "no preset uses it"),
        (CLIENT + 'command = ["true"]', "command", "does not use it"),
        (CLIENT + 'client_sekret = "x"', "client_sekret", "unknown key"),
        (CLIENT.replace('"app"', "7"), "client_id", "7"),
        ('flow = "command"\n', "command", "is missing"),
        ('flow = "service_account"\nscope = "s"\nservice_account_path = "/nowhere/key.json"', "service_account_path", "no such file"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_a_fault_of_its_key(files: Files, text: str, key: str, found: str) -> None:
    """With the line, and without the secret."""
    fault = only(files.faults(table(text), **NO_PASSWORD))
    assert fault.key == f"relay.oauth.{key}"
    assert found in fault.found
    assert fault.line is not None
    assert "r-secret-1" not in str(fault)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"not json", "is not JSON"),
        (json.dumps({**KEY, "private_key": ""}).encode(), "has no private_key"),
        (json.dumps({**KEY, "private_key": "no key"}).encode(), "its private_key is no PEM"),
        (json.dumps({**KEY, "token_uri": "http://evil.acme.zz/"}).encode(), "is no https:// URL"),
        (json.dumps({**KEY, "token_uri": None}).encode(), "names no token endpoint"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_a_fault(files: Files, content: bytes, found: str) -> None:
    """Also one that would have the assertion sent elsewhere in the clear."""
    (files.folder / "key.json").write_bytes(content)
    text = f'flow = "service_account"\nservice_account_path = "{files.folder}/key.json"\nscope = "s"'
    fault = only(files.faults(table(text), **NO_PASSWORD))
    assert fault.key == "relay.oauth.service_account_path"
    assert found in fault.found


def test_a_key_file_that_is_none_is_not_waited_for(files: Files) -> None:
    """A pipe has no end, and a folder no content."""
    os.mkfifo(files.folder / "pipe")
    for name in ("pipe", "."):
        text = f'flow = "service_account"\nservice_account_path = "{files.folder / name}"\nscope = "s"'
        assert only(files.faults(table(text), **NO_PASSWORD)).key == "relay.oauth.service_account_path"


def test_a_key_file_that_goes_while_it_is_read_is_a_fault(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read twice: to check it, and to use it."""
    path = files.folder / "key.json"
    path.write_text(json.dumps(KEY))
    monkeypatch.setattr(assertion, "check", lambda _: path.unlink())
    text = f'flow = "service_account"\nservice_account_path = "{path}"\nscope = "s"'
    assert "cannot be read any more" in only(files.faults(table(text), **NO_PASSWORD)).found


def test_without_the_library_it_is_said_which_one_to_install(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setattr(assertion, "is_possible", lambda: False)
    text = 'flow = "service_account"\nservice_account_path = "/nowhere/key.json"\nscope = "s"'
    fault = only(files.faults(table(text), **NO_PASSWORD))
    assert "mail-sender[service-account]" in fault.expected


def test_a_password_beside_it_is_a_fault(files: Files) -> None:
    """Nobody could tell which one counts."""
    fault = only(files.faults(table(CLIENT)))
    assert fault.key == "mail_password"


def test_the_secrets_are_known_to_the_log(files: Files) -> None:
    """What stands in the table is hidden wherever it would be shown."""
    assert Secret("a-secret-of-the-app") in files.load(table(CLIENT), **NO_PASSWORD).secrets


def test_a_variable_sets_each_of_its_keys(files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the rule for all keys."""
    (tmp_path / "kept-secret").write_text("of-a-file")
    monkeypatch.setenv("MAIL_SENDER_RELAY_OAUTH_CLIENT_SECRET_FILE", str(tmp_path / "kept-secret"))
    monkeypatch.setenv("MAIL_SENDER_RELAY_OAUTH_SCOPE", "of-the-environment")
    found = made(files, CLIENT.replace('client_secret = "a-secret-of-the-app"', ""))
    assert (found.client_secret, found.scope) == (Secret("of-a-file"), "of-the-environment")


def test_a_relay_without_tls_gets_no_token(files: Files) -> None:
    """It would be sent in clear."""
    fault = only(files.faults(table(CLIENT), mail_relay='"smtp+insecure://127.0.0.1:25"', **NO_PASSWORD))
    assert fault.key == "relay.oauth"
