"""Settings that work, but weaken security, are warned of."""

from pathlib import Path

import pytest

from mail_sender.config.load import load
from tests.support.certificates import Authority
from tests.support.config_files import Files

WARNINGS: list[tuple[dict[str, str | None], dict[str, str | None], str]] = [
    ({"verify_ca": "false"}, {}, "verify_ca = false"),
    ({"verify_hostnames": "false"}, {}, "verify_hostnames = false"),
    ({"uri": '"http://idm.example.com"'}, {}, "uri is http://"),
    ({}, {"instance_url": '"http://idm.example.com"'}, "instance_url is http://"),
]


@pytest.mark.parametrize(("client", "sender", "words"), WARNINGS)
def test_what_works_but_is_weak_is_warned_of(
    files: Files, client: dict[str, str | None], sender: dict[str, str | None], words: str
) -> None:
    """Checks that are switched off, and links or servers without TLS, are obeyed with one warning."""
    (warning,) = files.load("", client, **sender).warnings
    assert words in warning


def test_mail_without_tls_is_warned_of_where_anybody_here_may_get_it(files: Files) -> None:
    """Any program may listen on a port; of a socket, its permissions decide. That there is no login goes without saying."""
    without = {"mail_username": None, "mail_password": None}
    (warning,) = files.load(mail_relay='"smtp+insecure://127.0.0.1:2525"', **without).warnings
    assert warning.startswith("mail goes to 127.0.0.1:2525 without TLS")
    assert files.load(mail_relay='"smtp+unix:///run/relay.sock"', **without).warnings == ()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_file_open_to_everybody_is_warned_of(files: Files, mode: int, *, warned: bool) -> None:
    """The file with the secrets should be closed to others; its group may read it."""
    files.load()
    files.sender.chmod(mode)
    assert any("open to everybody" in text for text in load(files.client, files.sender).warnings) == warned


def test_a_file_without_secrets_may_be_open_to_everybody(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a ConfigMap is; secrets then come from elsewhere. A webhook's URL is one, too."""
    for key, value in (("token", "a.b.c"), ("mail_password", "secret")):
        (tmp_path / key).write_text(value)
        (tmp_path / key).chmod(0o600)
        monkeypatch.setenv(f"MAIL_SENDER_{key.upper()}_FILE", str(tmp_path / key))
    files.load(token=None, mail_password=None)
    files.sender.chmod(0o644)
    assert load(files.client, files.sender).warnings == ()
    files.load('[alert]\nurl = "https://hooks.example.com/"\n', token=None, mail_password=None)
    files.sender.chmod(0o644)
    assert "open to everybody" in load(files.client, files.sender).warnings[0]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, True)])
def test_a_private_key_open_to_everybody_is_warned_of(files: Files, mode: int, *, warned: bool) -> None:
    """It is a secret, as the password is."""
    certificate, key = Authority.make(files.folder).client(files.folder)
    key.chmod(mode)
    found = files.load(f'[relay]\nclient_cert_path = "{certificate}"\nclient_key_path = "{key}"\n').warnings
    assert [text.startswith(f"{key} holds secrets and is open to everybody (mode 0644)") for text in found] == [
        True
    ] * warned
