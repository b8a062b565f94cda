"""`[alert]`: who is called and when, its faults, and that nothing of its secrets is ever shown."""

from datetime import timedelta

import pytest

from mail_sender.errors import ConfigError
from mail_sender.observe.alerts import secrets
from mail_sender.observe.alerts.config import AlertConfig
from tests.support.config_files import SENDER, Files, fault

URL = "https://me:pa55-w0rd@hooks.example.org/services/T0K3NSPACE/x9Zq-secret-part?key=qu3ry-s3cr3t"
HEADER = "Bearer s3cr3t-0f-the-header"
ARGUMENT = "4rgum3nt"
PIECES = ("pa55", "T0K3N", "x9Zq", "qu3ry", "s3cr3t", "4rgum")


def alert(files: Files, table: str) -> AlertConfig:
    """Return what such a table makes."""
    return files.load(f"[alert]\n{table}").alert


def test_nobody_is_called_unless_somebody_is_named(files: Files) -> None:
    """The defaults."""
    assert files.load().alert == AlertConfig()


def test_every_key_counts(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the proxy of the environment on the way to the webhook."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    found = alert(
        files,
        f'url = "{URL}\\n"\ncommand = ["/bin/true", "{ARGUMENT}"]\nformat = "slack"\nheaders = {{ X-Key = "{HEADER}" }}\n'
        "after_seconds = 1\nrepeat_seconds = 0\nmax_per_hour = 2\noldest_waiting_seconds = 3\nexpires_within_days = 4\n",
    )
    assert found.url is not None
    assert found.proxy is not None
    assert (found.url.get_secret_value(), found.url_host) == (URL, "hooks.example.org")
    assert found.proxy.get_secret_value() == "http://proxy.example:3128"
    assert [(name, value.get_secret_value()) for name, value in found.headers] == [("X-Key", HEADER)]
    assert (found.format, found.max_per_hour) == ("slack", 2)
    assert [word.get_secret_value() for word in found.command] == ["/bin/true", ARGUMENT]
    spans = (found.after, found.repeat, found.oldest_waiting, found.expires_within)
    assert spans == (timedelta(seconds=1), timedelta(0), timedelta(seconds=3), timedelta(days=4))


FAULTS = {
    "after_seconds = 60": ("alert", "nobody is called; set url, or command, or remove the table [alert]"),
    'command = ["a"]\nheaders = { A = "b" }': ("alert.headers", "is set without url; set url, or remove it"),
    'url = "hooks.example.org/T0K3NSPACE"': ("alert.url", "is not a URL"),
    'url = "https://hooks.example.org/T0K3N SPACE"': ("alert.url", "is not a URL"),
    'url = "https://hooks.example.org/<token>/T0K3NSPACE"': ("alert.url", "is not a URL"),
    'url = "https://hooks.example.org/services/changeme/T0K3NSPACE"': ("alert.url", "still holds a placeholder"),
    'url = "https://hooks.your-domain.org/T0K3NSPACE"': ("alert.url", "still holds a placeholder"),
    'url = ["https://hooks.example.org/T0K3NSPACE"]': ("alert.url", "a list; expected text in quotes"),
    'command = "notify T0K3NSPACE"': ("alert.command", "a text; expected"),
    "command = [1]": ("alert.command.0", "a number; expected text in quotes"),
    'command = [" ", "T0K3NSPACE"]': ("alert.command", "has no program at its front"),
    'url = "https://a.example.org"\nheaders = { Host = "x9Zq" }': ("alert.headers", '"Host" cannot be set'),
    'url = "https://a.example.org"\nheaders = { "A B" = "x9Zq" }': ("alert.headers", '"A B" cannot be set'),
    'url = "https://a.example.org"\nheaders = { A = "x9Zq\\nb" }': (
        "alert.headers",
        "the value of A is empty, or not",
    ),
    'url = "https://a.example.org"\nheaders = { A = "Bearer <token>" }': ("alert.headers", "still a placeholder"),
    'url = "https://a.example.org"\nformat = "teams"': ("alert.format", "expected 'json', 'slack', 'ntfy' or"),
    'url = "https://a.example.org"\nmax_per_hour = 0': ("alert.max_per_hour", "0; expected a number of at least 1"),
    'url = "https://a.example.org"\ntoken = "x9Zq"': ("alert.token", "does not belong in [alert]"),
    'url = "https://a.example.org"\nca_path = "/nowhere"': ("alert.ca_path", "/nowhere: no such file"),
}


@pytest.mark.parametrize("table", FAULTS)
def test_a_fault_is_named_without_the_secret(files: Files, table: str) -> None:
    """Which key, what is wrong with it, what is expected."""
    key, said = FAULTS[table]
    found = fault(files, f"[alert]\n{table}\n")
    assert found.key == key
    assert said in str(found)
    assert not any(piece in str(found) for piece in PIECES)


def test_a_url_in_the_tables_place_is_not_shown(files: Files) -> None:
    """Somebody wrote `alert = "https://..."`."""
    files.write("".join(f"{key} = {value}\n" for key, value in SENDER.items()) + f'alert = "{URL}"\n')
    with pytest.raises(ConfigError) as caught:
        files.load(alert=f'"{URL}"')
    assert not any(piece in str(caught.value) for piece in PIECES)


def test_the_secrets_are_known_to_the_log_and_stand_in_no_repr(files: Files) -> None:
    """The URL, each part of it that tells something, and the headers; words such as `services` are none."""
    config = files.load(
        f'[alert]\nurl = "{URL}"\ncommand = ["/bin/true", "{ARGUMENT}"]\nheaders = {{ Authorization = "{HEADER}" }}\n'
    )
    parts = {"pa55-w0rd", "T0K3NSPACE", "x9Zq-secret-part", "qu3ry-s3cr3t", "s3cr3t-0f-the-header", HEADER}
    assert {secret.get_secret_value() for secret in secrets.parts(config.alert)} == parts
    known = {secret.get_secret_value() for secret in config.secrets}
    assert parts | {URL} <= known
    assert "services" not in known
    assert not any(piece in repr(config) for piece in PIECES)


def test_what_is_unsafe_or_missing_is_a_warning(files: Files) -> None:
    """An alert in clear, a program that is not there; on this machine, clear text is fine."""
    config = files.load('[alert]\nurl = "http://hooks.example.org/x9Zq"\ncommand = ["/nowhere/notify", "4rgum3nt"]\n')
    assert config.warnings[-2:] == (
        "[alert] url is http://: alerts and the URL's secret travel unencrypted to hooks.example.org",
        "[alert] command: /nowhere/notify is no program that can be run here",
    )
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert files.load(f'[alert]\nurl = "http://{host}:9093/api/v2/alerts"\n').warnings == ()
