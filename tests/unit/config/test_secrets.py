"""No secret is shown, however the files are broken."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.config.keys import SenderFile, is_secret
from mail_sender.config.load import load
from mail_sender.errors import ConfigError
from tests.support.config_files import SENDER, Files, lines
from tests.support.configs import relay_of


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Give a folder for the many files of a property."""
    return Files(tmp_path_factory.mktemp("many"))


TOKEN, PASSWORD, URL_PASSWORD = "tok-3n.s3cr3t-0123456789", "pa55-w0rd-s3cr3t", "ur1-pa55-s3cr3t"
WEBHOOK, ARGUMENT = "w3bh00k-s3cr3t-0123", "4rgum3nt-s3cr3t"


SECRETS = (TOKEN, PASSWORD, URL_PASSWORD, WEBHOOK, ARGUMENT)


SECRET_FILE = lines(
    {
        **SENDER,
        "token": f'"{TOKEN}"',
        "mail_password": f'"{PASSWORD}"',
        "mail_relay": f'"smtps://me:{URL_PASSWORD}@relay.example.com"',
        "alert": f'{{ url = "https://hooks.example.com/{WEBHOOK}", command = ["/bin/true", "{ARGUMENT}"] }}',
    }
)


def shown_of(text: str, secrets: tuple[str, ...]) -> str:
    """Return what of the secrets stands in a text: any piece of eight characters."""
    pieces = (secret[at : at + 8] for secret in secrets for at in range(max(1, len(secret) - 7)))
    return next((piece for piece in pieces if piece in text), "")


def said(files: Files, text: str) -> str:
    """Return all that is said when a mail-sender config with this text is loaded."""
    files.write(text)
    try:
        config = load(files.client, files.sender)
    except ConfigError as error:
        return f"{error} {error.faults!r}"
    # Where the end of a login is all that was cut off, the rest of it is a part of the host's name; where that of
    # a program's path is, an argument is a part of the path.
    text = f"{replace(config, relay=replace(relay_of(config), host='relay'))!r} {config.warnings}"
    return text.replace(f" {config.alert.program} ", " ")


@st.composite
def breakages(draw: st.DrawFn) -> str:
    """Return the file with secrets, broken in one to three places."""
    text = SECRET_FILE
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        junk = draw(
            st.sampled_from(["", '"', "'", "\n", "=", "[", "]", "#", "x", "\\", "{", " ", "é", "@", "://", "/"])
        )
        text = text[:start] + junk + text[end:]
    return text


@given(text=breakages())
def test_no_breakage_of_the_file_shows_a_secret(many: Files, text: str) -> None:
    """Wherever the file is cut, doubled or misquoted, no error, warning or repr holds a secret."""
    assert shown_of(said(many, text), SECRETS) == ""


SECRET_TEXT = st.text(st.characters(codec="ascii", exclude_characters="\r\n"), min_size=12, max_size=60)


@given(token=SECRET_TEXT, password=SECRET_TEXT, wrong=st.sampled_from(["", "5", "true", "[{}]", "{{x = {}}}"]))
def test_no_secret_is_shown_whatever_it_is(many: Files, token: str, password: str, wrong: str) -> None:
    """Random tokens and passwords, in good values and in values of the wrong type, beside other faults."""
    token, password = f"T0k{token}n", f"Pa5{password}s"
    values = {
        **SENDER,
        "token": json.dumps(token) if "{}" not in wrong else wrong.format(json.dumps(token)),
        "mail_password": json.dumps(password),
        "instance_url": '"x"',
    }
    text = said(many, lines(values))
    assert token not in text
    assert password not in text


MISPLACED = [
    f'mail_relay = "me:{PASSWORD}@relay.example.com"', f'mail_relay = "me:{PASSWORD}@smtps://relay.example.com"',
    f'mail_relay = "http://me:{PASSWORD}@relay.example.com"',
    f'mail_relay = ["smtps://me:{PASSWORD}@relay.example.com"]',
    f'relay = "smtps://me:{PASSWORD}@relay.example.com"', f'relay = "smtps://me:a/b-{PASSWORD}@relay.example.com"',
    f'relay = "smtps://me:a@b-{PASSWORD}@relay.example.com"', f'relay = "me:{PASSWORD}@relay.example.com"',
    f'schedule = "smtps://me:a/b-{PASSWORD}@relay.example.com"',
    f'instance_url = "https://me:a/b-{PASSWORD}@idm.example.com"', f'[relay]\npassword = "{PASSWORD}"',
    f'[relay.password]\nx = "{PASSWORD}"', f'tokens = "{PASSWORD}"', f'mail_passwort = "{PASSWORD}"',
    f"mail_passwort = {PASSWORD}", f'worker = ["{PASSWORD}"]',
]  # fmt: skip


@pytest.mark.parametrize("text", MISPLACED)
def test_a_misplaced_secret_is_not_shown(many: Files, text: str) -> None:
    """A password under a wrong key, or in a URL that is not one, is hidden with all that surrounds it."""
    key = text.partition(" ")[0]
    assert shown_of(said(many, lines({**SENDER, key: None}) + text + "\n"), (PASSWORD,)) == ""


def test_the_secrets_of_the_configuration_are_known_to_the_log(files: Files) -> None:
    """Token and password are listed for redaction, and neither shows in the configuration's repr."""
    config = files.load()
    known = {secret.get_secret_value() for secret in config.secrets}
    assert known == {"eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl", "correct horse"}
    assert shown_of(repr(config), tuple(known)) == ""


def test_every_key_that_may_hold_a_secret_is_one() -> None:
    """Whatever its type is wrapped in: what stands there is never repeated, not even a number."""
    assert {key for key in SenderFile.model_fields if is_secret(key)} == {
        "token", "mail_relay", "mail_username", "mail_password", "ledger", "alert",
    }  # fmt: skip
    assert [key for key in ("path", "kind", "url", "password") if is_secret("ledger", key)] == ["url", "password"]
    assert [key for key in ("url", "command", "headers", "format", "nothing") if is_secret("alert", key)] == [
        "url", "command", "headers",
    ]  # fmt: skip


PASTED = "Jd5uHs8Gy3Kc"


@pytest.mark.parametrize(
    "tables",
    [
        f'[relay]\nca_path = "{PASTED}"\n',
        f'[relay]\nclient_cert_path = "{PASTED}"\nclient_key_path = "/{PASTED}"\n',
        f'[[relay.fallback]]\nmail_relay = "smtps://second.example.com"\nca_path = "{PASTED}"\n',
        f'[recipients]\ndisposable_domains_path = "{PASTED}"\n',
        f'[templates]\noverride_path = "{PASTED}"\n',
        f'[brand]\nlogo_path = "{PASTED}"\n',
        f'[alert]\nurl = "https://hooks.example.com/x"\nca_path = "{PASTED}"\n',
        f'[relay.oauth]\nflow = "service_account"\nservice_account_path = "{PASTED}"\n',
    ],
    ids=lambda tables: tables.partition(" =")[0].replace("\n", " "),
)
def test_a_secret_that_stands_where_a_path_belongs_is_not_shown(files: Files, tables: str) -> None:
    """No file has that name, and it looks generated."""
    faults = files.faults(tables)
    assert any("***: no such" in str(fault) for fault in faults)
    assert PASTED not in " ".join(map(str, faults))


def test_a_path_whose_folder_is_there_is_shown(files: Files) -> None:
    """Whatever it looks like: a person has to find what is wrong with it."""
    (fault,) = files.faults(f'[relay]\nca_path = "{files.folder}/{PASTED}"\n')
    assert f"{files.folder}/{PASTED}: no such file" in str(fault)
